/* SPDX-License-Identifier: GPL-2.0-or-later
 * The regions' encoders; see coder.h. */
#include "coder.h"

#include <stdio.h>

/* A border of 3 macroblocks and a range of 32 pixels would exclude leaks; 64 finds more
 * (1 to 2 % of bytes with fast motion) and leaks once in hundreds of pictures, which the
 * vector check sees. */
#define REGION_MV_RANGE 64

/* In a region, up to 1 / 64 of it is patched with I_PCM (384 bytes a macroblock): beyond,
 * starting it over is cheaper. */
#define REGION_PATCH_SHARE 64

bool uis_coder_too_small(const uis_picture_coder *c, const uis_mb_rect *at) {
    const uis_encoder_limits limits = c->backend->limits(c->full);
    return at->w * 16 < limits.min_width || at->h * 16 < limits.min_height;
}

static uis_encoder_config region_config(const uis_picture_coder *c) {
    uis_encoder_config e = uis_coder_base_config(c);
    e.mv_range = c->config.faults & UIS_FAULT_NO_GUARD ? 0 : REGION_MV_RANGE;
    return e;
}

/* As many macroblocks to a thread as in encoder 1's pictures. Row slices are copied as they are. */
static uint32_t region_threads(const uis_picture_coder *c, const uis_mb_rect *at) {
    if (c->config.threads <= 1 || c->config.splice == UIS_SPLICE_ROWS)
        return 1;
    return (c->config.threads * at->w * at->h + c->mbs - 1) / c->mbs;
}

int uis_coder_open_region(uis_picture_coder *c, const uis_wanted_region *wanted, char *err,
                          size_t err_size) {
    uis_encoder_config e = region_config(c);
    e.threads = region_threads(c, &wanted->at);
    e.slice_max_mbs = c->config.splice == UIS_SPLICE_ROWS ? wanted->at.w : 0;
    if (uis_regions_add(&c->regions, c->backend, &e, wanted, err, err_size) != 0)
        return -1;
    return uis_splicer_compatible(&c->splicer, &c->regions.items[c->regions.count - 1].parameters,
                                  err, err_size);
}

/* Codes one region and looks for leaks. 0: it fits, as it is or patched; 1: it must
 * start over; -1: failed. */
static int encode_region(uis_picture_coder *c, uis_region *r, bool idr, bool deblock,
                         uis_tick *tick, char *err, size_t err_size) {
    if (uis_region_encode(r, c->source, c->fed, idr, deblock, c->config.mb_info, err, err_size) !=
        0)
        return -1;
    tick->encode_ns += r->encode_ns;
    tick->read_ns += r->read_ns;
    tick->check_ns += r->check_ns;
    if (r->leaks == 0 || c->config.faults & UIS_FAULT_NO_GUARD)
        return 0;
    if (idr) {
        snprintf(err, err_size, "an intra picture predicts from outside its region");
        return -1;
    }
    tick->region_leaks += r->leaks;
    if (!deblock && uis_coder_merges(c) && r->leaks <= r->at.w * r->at.h / REGION_PATCH_SHARE)
        return 0; /* uis_place patches them */
    r->freeze = true;
    return 1;
}

int uis_coder_encode_regions(uis_picture_coder *c, bool *deblock, bool outside,
                             uis_placement *placement, uis_tick *tick, char *err, size_t err_size) {
    bool again = false;
    for (uint32_t i = 0; i < c->regions.count; i++) {
        uis_region *r = &c->regions.items[i];
        if (!r->due)
            continue;
        int rc = encode_region(c, r, again || r->coded[0] == 0, *deblock, tick, err, err_size);
        if (rc == 1 && outside)
            return 1;
        if (rc == 1 && *deblock) {
            *deblock = false;
            again = true;
            i = UINT32_MAX; /* from the first one, as IDR pictures */
            continue;
        }
        if (rc == 1)
            rc = encode_region(c, r, true, false, tick, err, err_size);
        if (rc != 0)
            return -1;
        tick->region_idr |= r->part.picture.idr;
        placement->parts[i + 1] = &r->part;
        placement->leaks[i + 1] = c->config.faults & UIS_FAULT_NO_GUARD ? 0 : r->leaks;
        placement->open[i + 1] = r->open;
    }
    return 0;
}

void uis_coder_note_regions(const uis_picture_coder *c, uis_tick *tick) {
    const uis_rect view = {0, 0, (int32_t)c->config.width, (int32_t)c->config.height};
    uis_rect box = {0, 0, 0, 0};
    for (uint32_t i = 0; i < c->regions.count; i++) {
        const uis_mb_rect *at = &c->regions.items[i].at;
        tick->region_rects[i] =
            uis_rect_intersect((uis_rect){(int32_t)at->x * 16, (int32_t)at->y * 16,
                                          (int32_t)at->w * 16, (int32_t)at->h * 16},
                               view);
        box = uis_rect_union(box, tick->region_rects[i]);
    }
    tick->region = box;
    tick->regions = c->regions.count;
}
