/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "picture_coder.h"

#include "regions.h"
#include "splicer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A border of 3 macroblocks and a range of 32 pixels would exclude leaks; 64 finds more
 * (1 to 2 % of bytes with fast motion) and leaks once in hundreds of pictures, which the
 * vector check sees. */
#define REGION_MV_RANGE 64

/* What does not fit is patched with I_PCM: 384 bytes a macroblock. In a region, up to
 * 1 / 64 of it: beyond, starting it over is cheaper. In a picture, up to 1 / 24 of it:
 * beyond, a keyframe is. */
#define PATCH_BYTES 384
#define REGION_PATCH_SHARE 64
#define PICTURE_PATCH_SHARE 24

/* A region beside which the user interface moves may cost more in patches than it
 * saves. Once they have cost as much as starting the region over would, it is released,
 * and stays so for this many pictures. */
#define RELEASED_FOR 24

/* 1 / share of a region, or of what surrounds all regions, that changes at once when the
 * scene does. */
#define SCENE_SHARE 2

/* A decoder's picture, and how far it is from the source. */
typedef struct uis_shown {
    uis_i420 picture;
    uint64_t *digests; /* by macroblock */
    uint32_t *sse;     /* luma, by macroblock */
} uis_shown;

struct uis_picture_coder {
    uis_recorder_config config;
    const uis_encoder_backend *backend;
    uint32_t mb_width, mb_height, mbs;
    uis_splicer splicer;

    uis_i420 source;   /* the frame fed last, whole macroblocks */
    uint64_t fed;      /* frames fed so far; the clock of `changed`, `coded`, `touched` */
    uint64_t *changed; /* when each macroblock changed last */
    uint8_t *constant; /* scratch: flags for encoder 1 */
    uint8_t *in_video; /* scratch: 1 where a playing video is */

    /* Encoder 1. */
    uis_encoder *full;
    uis_parameters full_parameters;
    uint64_t full_coded[2]; /* `fed` at its last and last but one picture; 0: none */
    uis_i420 seen;          /* its input while regions live: their places stay as they were */
    uint64_t *touched;      /* when its picture last changed, by macroblock */
    uint64_t ltr0_coded;    /* `fed` at the picture that is LTR 0 */
    uint8_t *in_ltr0;       /* scratch: its picture is as in LTR 0 */
    uis_part full_part;

    uis_regions regions;

    bool keyframe_wanted;
    uint64_t last_keyframe; /* tick */
    uint32_t last_picture;  /* UIS_PICTURE_* of what was coded last */
    uint32_t last_index;    /* UIS_LTR_* that it became */

    uis_shown shown; /* what a decoder shows now */
    uis_shown ltr0;  /* what LTR 0 is; kept where pictures are not merged */
};

static int shown_alloc(uis_shown *s, uint32_t mb_width, uint32_t mb_height) {
    s->digests = calloc((size_t)mb_width * mb_height, sizeof *s->digests);
    s->sse = calloc((size_t)mb_width * mb_height, sizeof *s->sse);
    return s->digests && s->sse ? uis_i420_alloc(&s->picture, mb_width * 16, mb_height * 16) : -1;
}

static void shown_free(uis_shown *s) {
    uis_i420_free(&s->picture);
    free(s->digests);
    free(s->sse);
}

static void shown_copy(const uis_shown *from, uis_shown *to, uint32_t mbs) {
    uis_i420_copy(&from->picture, &to->picture);
    memcpy(to->digests, from->digests, mbs * sizeof *to->digests);
    memcpy(to->sse, from->sse, mbs * sizeof *to->sse);
}

void uis_picture_coder_close(uis_picture_coder *c) {
    if (!c)
        return;
    c->backend->close(c->full);
    uis_regions_free(&c->regions);
    uis_part_free(&c->full_part);
    uis_splicer_free(&c->splicer);
    uis_i420_free(&c->source);
    uis_i420_free(&c->seen);
    shown_free(&c->shown);
    shown_free(&c->ltr0);
    free(c->changed);
    free(c->constant);
    free(c->in_video);
    free(c->touched);
    free(c->in_ltr0);
    free(c);
}

static bool spliced(const uis_picture_coder *c) {
    return c->config.mode == UIS_MODE_SPLICED;
}

static bool merges(const uis_picture_coder *c) {
    return c->config.splice == UIS_SPLICE_SYNTAX;
}

static uis_encoder_config base_config(const uis_picture_coder *c) {
    uis_encoder_config e = {.fps_num = c->config.fps_num,
                            .fps_den = c->config.fps_den,
                            .qp = c->config.qp,
                            .threads = 1};
    snprintf(e.preset, sizeof e.preset, "%.15s", c->config.preset);
    return e;
}

int uis_picture_coder_open(const uis_recorder_config *config, uis_picture_coder **out, char *err,
                           size_t err_size) {
    *out = NULL;
    uis_picture_coder *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    c->config = *config;
    c->backend = &uis_backend_x264;
    c->mb_width = (config->width + 15) / 16;
    c->mb_height = (config->height + 15) / 16;
    c->mbs = c->mb_width * c->mb_height;
    c->changed = calloc(c->mbs, sizeof *c->changed);
    c->constant = calloc(c->mbs, 1);
    c->in_video = calloc(c->mbs, 1);
    c->touched = calloc(c->mbs, sizeof *c->touched);
    c->in_ltr0 = calloc(c->mbs, 1);
    const uint32_t width = c->mb_width * 16, height = c->mb_height * 16;
    if (!c->changed || !c->constant || !c->in_video || !c->touched || !c->in_ltr0 ||
        uis_i420_alloc(&c->source, width, height) != 0 ||
        uis_i420_alloc(&c->seen, width, height) != 0 ||
        shown_alloc(&c->shown, c->mb_width, c->mb_height) != 0 ||
        (!merges(c) && shown_alloc(&c->ltr0, c->mb_width, c->mb_height) != 0) ||
        uis_regions_init(&c->regions, c->mb_width, c->mb_height) != 0) {
        snprintf(err, err_size, "out of memory for pictures of %ux%u", config->width,
                 config->height);
        uis_picture_coder_close(c);
        return -1;
    }
    uis_encoder_config e = base_config(c);
    /* A single encoder crops its own pictures; ours crops in the parameter sets. */
    e.width = spliced(c) ? width : config->width;
    e.height = spliced(c) ? height : config->height;
    e.threads = config->threads ? config->threads : 1;
    const uint8_t *data;
    size_t size;
    if (c->backend->open(&e, &c->full, err, err_size) != 0) {
        uis_picture_coder_close(c);
        return -1;
    }
    c->backend->headers(c->full, &data, &size);
    if (spliced(c) && uis_read_parameters(data, size, &c->full_parameters, err, err_size) != 0) {
        uis_picture_coder_close(c);
        return -1;
    }
    const uis_stream_format format = {config->width, config->height, config->fps_num,
                                      config->fps_den};
    uis_splicer_init(&c->splicer, &format, &c->full_parameters, config->faults);
    c->regions.adopt_after = config->adopt_after;
    *out = c;
    return 0;
}

uint32_t uis_picture_coder_mbs(const uis_picture_coder *c) {
    return c->mbs;
}

void uis_picture_coder_request_keyframe(uis_picture_coder *c) {
    c->keyframe_wanted = true;
}

static bool keyframe_due(const uis_picture_coder *c, uint64_t tick) {
    return c->full_coded[0] == 0 || c->keyframe_wanted ||
           (c->config.keyframe_interval && tick - c->last_keyframe >= c->config.keyframe_interval);
}

bool uis_picture_coder_must_code(const uis_picture_coder *c, uint64_t tick) {
    return c->config.mode == UIS_MODE_SINGLE || (c->fed != 0 && keyframe_due(c, tick));
}

void uis_picture_coder_feed(uis_picture_coder *c, const uis_bgra *frame,
                            const uis_classification *k, const uint8_t *map, uis_tick *tick) {
    uint64_t begin = uis_now_ns();
    c->fed++;
    for (uint32_t i = 0; i < c->mbs; i++)
        if (map[i])
            c->changed[i] = c->fed;
    uis_convert(frame, &k->dirty, &c->source);
    tick->convert_ns = uis_now_ns() - begin;
}

/* Takes over into `shown` what an encoder reconstructed of the macroblocks that
 * `part` owns, with digests and squared errors. */
static void show(uis_picture_coder *c, const uis_encoded *picture, const uis_mb_rect *where,
                 uint8_t part) {
    const uint8_t *owner = c->regions.owner;
    for (uint32_t y = where->y; y < where->y + where->h; y++)
        for (uint32_t x = where->x; x < where->x + where->w;) {
            if (owner[y * c->mb_width + x] != part) {
                x++;
                continue;
            }
            const uint32_t from = x;
            while (x < where->x + where->w && owner[y * c->mb_width + x] == part)
                x++;
            uis_i420 to = uis_i420_crop(&c->shown.picture, from * 16, y * 16, (x - from) * 16, 16);
            uis_encoded run = *picture;
            run.recon_y +=
                (size_t)(y - where->y) * 16 * run.recon_y_stride + (size_t)(from - where->x) * 16;
            run.recon_uv +=
                (size_t)(y - where->y) * 8 * run.recon_uv_stride + (size_t)(from - where->x) * 16;
            uis_from_nv12(&run, &to);
            for (uint32_t i = from; i < x; i++) {
                c->shown.digests[y * c->mb_width + i] =
                    uis_digest_mb(&c->shown.picture, i, y, c->config.width, c->config.height);
                c->shown.sse[y * c->mb_width + i] = uis_sse_mb(&c->source, &c->shown.picture, i, y,
                                                               c->config.width, c->config.height);
            }
        }
}

static uis_mb_rect whole(const uis_picture_coder *c) {
    return (uis_mb_rect){0, 0, c->mb_width, c->mb_height};
}

/* Encoder 1 on `input`. */
static int encode_full(uis_picture_coder *c, const uis_i420 *input, bool idr, bool deblock,
                       uis_encoded *picture, char *err, size_t err_size) {
    /* A macroblock is declared constant only after it was coded once more
     * unchanged: at once would freeze the UI at its first coding's quality. What a
     * region owns did not change for encoder 1. */
    const uint64_t before = c->full_coded[1];
    for (uint32_t i = 0; i < c->mbs; i++)
        c->constant[i] = c->regions.owner[i] != 0 || (before != 0 && c->changed[i] <= before);
    const uis_encode_request request = {.picture = input,
                                        .constant = idr || !c->config.mb_info ? NULL : c->constant,
                                        .force_idr = idr,
                                        .deblock = deblock};
    if (c->backend->encode(c->full, &request, picture, err, err_size) != 0)
        return -1;
    c->full_coded[1] = picture->idr ? 0 : c->full_coded[0];
    c->full_coded[0] = c->fed;
    return 0;
}

static void note_picture(uis_picture_coder *c, uis_tick *tick, uint32_t kind, uint32_t index) {
    tick->picture = kind;
    tick->frame_num = c->splicer.last_frame_num;
    c->last_picture = kind;
    c->last_index = index;
    if (index == UIS_LTR_FULL)
        c->ltr0_coded = c->fed;
}

/* A picture of encoder 1 alone, whose reference is LTR 0: headers rewritten, slice
 * data copied. */
static int code_full(uis_picture_coder *c, bool idr, uis_tick *tick, uis_buffer *au, char *err,
                     size_t err_size) {
    uint64_t begin = uis_now_ns();
    uis_encoded picture;
    if (encode_full(c, &c->source, idr, true, &picture, err, err_size) != 0)
        return -1;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns += encoded - begin;
    if (uis_splice_full(&c->splicer, &picture, &c->full_parameters, au, &tick->slices, err,
                        err_size) != 0)
        return -1;
    tick->splice_ns += uis_now_ns() - encoded;
    tick->deblocked = 1;
    tick->keyframe = picture.idr;
    if (picture.idr) {
        c->last_keyframe = tick->index;
        c->keyframe_wanted = false;
    }
    note_picture(c, tick, UIS_PICTURE_FULL, UIS_LTR_FULL);
    const uis_mb_rect all = whole(c);
    begin = uis_now_ns();
    show(c, &picture, &all, 0);
    tick->digest_ns += uis_now_ns() - begin;
    return 0;
}

static int code_keyframe(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                         size_t err_size) {
    uis_regions_release_all(&c->regions);
    return code_full(c, true, tick, au, err, err_size);
}

static int single_picture(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                          size_t err_size) {
    uint64_t begin = uis_now_ns();
    uis_encoded picture;
    const bool idr = keyframe_due(c, tick->index);
    if (encode_full(c, &c->source, idr, true, &picture, err, err_size) != 0)
        return -1;
    tick->encode_ns = uis_now_ns() - begin;
    const uint8_t *headers = NULL;
    size_t header_size = 0;
    if (picture.idr) {
        c->backend->headers(c->full, &headers, &header_size);
        c->last_keyframe = tick->index;
        c->keyframe_wanted = false;
    }
    if (!uis_buffer_reserve(au, header_size + picture.size)) {
        snprintf(err, err_size, "out of memory while writing an access unit");
        return -1;
    }
    if (header_size)
        memcpy(au->data + au->size, headers, header_size);
    memcpy(au->data + au->size + header_size, picture.data, picture.size);
    au->size += header_size + picture.size;
    tick->keyframe = picture.idr;
    tick->slices = 1;
    tick->deblocked = 1;
    tick->picture = UIS_PICTURE_FULL;
    const uis_mb_rect all = whole(c);
    begin = uis_now_ns();
    show(c, &picture, &all, 0);
    tick->digest_ns = uis_now_ns() - begin;
    return 0;
}

/* Notes where encoder 1's own picture became another one than before: what was
 * coded, and with deblocking what lies beside that. */
static void note_touched(uis_picture_coder *c, bool deblock) {
    const uis_mb_picture *mbs = &c->full_part.mbs;
    for (uint32_t y = 0, i = 0; y < c->mb_height; y++)
        for (uint32_t x = 0; x < c->mb_width; x++, i++) {
            if (uis_mb_is_static(&mbs->mbs[i]))
                continue;
            c->touched[i] = c->fed;
            if (!deblock)
                continue;
            if (x > 0)
                c->touched[i - 1] = c->fed;
            if (x + 1 < c->mb_width)
                c->touched[i + 1] = c->fed;
            if (y > 0)
                c->touched[i - c->mb_width] = c->fed;
            if (y + 1 < c->mb_height)
                c->touched[i + c->mb_width] = c->fed;
        }
}

/* Codes one region and looks for leaks. 0: it fits, as it is or patched; 1: it must
 * start over; -1: failed. */
static int encode_region(uis_picture_coder *c, uis_region *r, bool idr, bool deblock,
                         uis_tick *tick, char *err, size_t err_size) {
    if (uis_region_encode(r, &c->source, c->fed, idr, deblock, c->config.mb_info, err, err_size) !=
        0)
        return -1;
    tick->read_ns += r->read_ns;
    tick->check_ns += r->check_ns;
    if (r->leaks == 0 || c->config.faults & UIS_FAULT_NO_GUARD)
        return 0;
    if (idr) {
        snprintf(err, err_size, "an intra picture predicts from outside its region");
        return -1;
    }
    tick->region_leaks += r->leaks;
    if (!deblock && merges(c) && r->leaks <= r->at.w * r->at.h / REGION_PATCH_SHARE)
        return 0; /* uis_place patches them */
    r->freeze = true;
    return 1;
}

/* Codes the regions that changed. `deblock` may be taken back: a region that starts
 * over is intra up to its border; then all that were coded with it start over too.
 * Beside encoder 1's macroblocks (`outside`) none can start over. 0; 1: one would have
 * to; -1: failed. */
static int encode_regions(uis_picture_coder *c, bool *deblock, bool outside,
                          uis_placement *placement, uis_tick *tick, char *err, size_t err_size) {
    bool changed[UIS_RING_MAX_REGIONS], again = false;
    for (uint32_t i = 0; i < c->regions.count; i++)
        changed[i] = uis_region_changed(&c->regions, &c->regions.items[i], c->changed);
    for (uint32_t i = 0; i < c->regions.count; i++) {
        uis_region *r = &c->regions.items[i];
        if (!changed[i])
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

static void bounding_box(const uis_picture_coder *c, uis_tick *tick) {
    uis_rect box = {0, 0, 0, 0};
    for (uint32_t i = 0; i < c->regions.count; i++) {
        const uis_mb_rect *at = &c->regions.items[i].at;
        box = uis_rect_union(box, (uis_rect){(int32_t)at->x * 16, (int32_t)at->y * 16,
                                             (int32_t)at->w * 16, (int32_t)at->h * 16});
    }
    tick->region = uis_rect_intersect(
        box, (uis_rect){0, 0, (int32_t)c->config.width, (int32_t)c->config.height});
    tick->regions = c->regions.count;
}

/* Takes over what all coded parts of a placed and written picture show. */
static void show_parts(uis_picture_coder *c, const uis_placement *p, uis_tick *tick) {
    uint64_t begin = uis_now_ns();
    for (uint32_t i = 0; i < p->count; i++)
        if (p->parts[i])
            show(c, &p->parts[i]->picture, &p->parts[i]->where, (uint8_t)i);
    tick->digest_ns += uis_now_ns() - begin;
}

/* True if nothing that encoder 1 is about to code lies within two macroblocks of a
 * region: then no edge at a region's border gets filtered. Two, because a constant
 * macroblock beside moving ones may carry residual. */
static bool surroundings_are_constant(uis_picture_coder *c) {
    const uint64_t before = c->full_coded[1];
    if (before == 0)
        return false;
    for (uint32_t i = 0; i < c->regions.count; i++) {
        const uis_mb_rect ring =
            uis_mb_rect_grown(&c->regions.items[i].at, 2, c->mb_width, c->mb_height);
        for (uint32_t y = ring.y; y < ring.y + ring.h; y++)
            for (uint32_t x = ring.x; x < ring.x + ring.w; x++) {
                const uint32_t at = y * c->mb_width + x;
                if (c->regions.owner[at] == 0 && c->changed[at] > before)
                    return false;
            }
    }
    return true;
}

/* What is timed inside of encode_regions, and is not encoding. */
static uint64_t timed_apart(const uis_tick *tick) {
    return tick->read_ns + tick->check_ns;
}

/* One picture of parts: encoder 1's if something outside the regions changed, and
 * those regions' that changed. */
static int code_parts(uis_picture_coder *c, const uis_mb_rect *released, uint32_t released_count,
                      uis_tick *tick, uis_buffer *au, char *err, size_t err_size) {
    uint64_t begin = uis_now_ns();
    const uint64_t apart = timed_apart(tick);
    uis_regions *regions = &c->regions;
    const bool outside = uis_regions_outside_changed(regions, c->changed, c->full_coded[0]);
    uis_placement p = {.width = c->mb_width,
                       .height = c->mb_height,
                       .count = regions->count + 1,
                       .owner = regions->owner,
                       .in_ltr0 = c->in_ltr0,
                       .patch_limit = c->mbs / PICTURE_PATCH_SHARE + 16};
    bool deblock = c->config.deblock && c->config.mb_info && released_count == 0 &&
                   (!outside || surroundings_are_constant(c));
    for (uint32_t i = 0; i < regions->count; i++) {
        uis_region *r = &regions->items[i];
        uis_region_mark_constant(r, c->changed, c->mb_width);
        if (!uis_region_changed(regions, r, c->changed))
            continue;
        deblock &= r->coded[0] != 0 && uis_region_border_is_constant(r);
    }
    int rc = encode_regions(c, &deblock, outside, &p, tick, err, err_size);
    if (rc != 0)
        return rc;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns += encoded - begin - (timed_apart(tick) - apart);
    if (outside) {
        uis_encoded picture;
        begin = encoded;
        const uis_i420 *input = &c->source;
        if (regions->count) {
            uis_regions_copy_outside(regions, &c->source, c->changed, c->full_coded[0], &c->seen);
            input = &c->seen;
        }
        if (encode_full(c, input, false, deblock, &picture, err, err_size) != 0)
            return -1;
        encoded = uis_now_ns();
        tick->encode_ns += encoded - begin;
        const uis_mb_rect all = whole(c);
        if (uis_part_read(&c->full_part, &all, &picture, &c->full_parameters, err, err_size) != 0)
            return -1;
        begin = encoded;
        encoded = uis_now_ns();
        tick->read_ns += encoded - begin;
        p.parts[0] = &c->full_part;
        if (c->last_index != UIS_LTR_FULL) {
            for (uint32_t i = 0; i < regions->count; i++)
                if (!regions->items[i].fresh)
                    p.foreign[p.foreign_count++] = regions->items[i].at;
            memcpy(p.foreign + p.foreign_count, released, released_count * sizeof *released);
            p.foreign_count += released_count;
        }
        for (uint32_t i = 0; i < c->mbs; i++)
            c->in_ltr0[i] = c->touched[i] <= c->ltr0_coded;
    }
    p.deblock = deblock;
    p.constrained = tick->region_idr;
    rc = uis_place(&p);
    tick->check_ns += uis_now_ns() - encoded;
    if (rc < 0) {
        snprintf(err, err_size, "out of memory while placing macroblocks");
        return -1;
    }
    if (rc == 1) {
        tick->fallback = 1;
        return code_keyframe(c, tick, au, err, err_size);
    }
    begin = uis_now_ns();
    const uint32_t index = regions->count ? UIS_LTR_SPLICED : UIS_LTR_FULL;
    const uis_picture_form form = {.num_ref = p.uses_ltr0 ? 2 : 1,
                                   .reference = {c->last_index, UIS_LTR_FULL},
                                   .long_term_index = index};
    if (uis_splice_parts(&c->splicer, &p, &form, au, &tick->slices, err, err_size) != 0)
        return -1;
    tick->splice_ns += uis_now_ns() - begin;
    tick->patched_mbs = p.patched;
    tick->deblocked = deblock;
    if (outside)
        note_touched(c, deblock);
    note_picture(c, tick,
                 !regions->count ? UIS_PICTURE_FULL
                 : outside       ? UIS_PICTURE_MERGED
                                 : UIS_PICTURE_SPLICED,
                 index);
    for (uint32_t i = 0; i < regions->count; i++) {
        uis_region *r = &regions->items[i];
        r->fresh = false;
        r->patch_debt += (size_t)p.patched * PATCH_BYTES;
        if (p.parts[i + 1] && r->part.picture.idr)
            r->start_bytes = r->part.picture.size;
    }
    if (regions->count)
        bounding_box(c, tick);
    show_parts(c, &p, tick);
    return 0;
}

static uint32_t guard(const uis_picture_coder *c) {
    return c->config.faults & UIS_FAULT_NO_GUARD ? 0 : c->config.guard_mbs;
}

static uis_encoder_config region_config(const uis_picture_coder *c) {
    uis_encoder_config e = base_config(c);
    e.mv_range = c->config.faults & UIS_FAULT_NO_GUARD ? 0 : REGION_MV_RANGE;
    return e;
}

static int open_region(uis_picture_coder *c, const uis_wanted_region *wanted, char *err,
                       size_t err_size) {
    uis_encoder_config e = region_config(c);
    e.slice_max_mbs = c->config.splice == UIS_SPLICE_ROWS ? wanted->at.w : 0;
    if (uis_regions_add(&c->regions, c->backend, &e, wanted, err, err_size) != 0)
        return -1;
    return uis_splicer_compatible(&c->splicer, &c->regions.items[c->regions.count - 1].parameters,
                                  err, err_size);
}

/* Where encoder 1's picture is not the stream's, apart from the regions that live. */
typedef struct left_behind {
    uis_mb_rect rects[2 * UIS_RING_MAX_REGIONS];
    uint32_t count;
} left_behind;

static void release(uis_picture_coder *c, uint32_t index, left_behind *left) {
    const uis_mb_rect at = c->regions.items[index].at;
    left->rects[left->count++] = at;
    uis_regions_release(&c->regions, index);
    /* For encoder 1 all of it is new. */
    for (uint32_t y = at.y; y < at.y + at.h; y++)
        for (uint32_t x = at.x; x < at.x + at.w; x++)
            c->changed[y * c->mb_width + x] = c->fed;
}

static bool too_large(const uis_picture_coder *c, const uis_mb_rect *at) {
    return (uint64_t)at->w * at->h * 100 > (uint64_t)c->config.region_limit * c->mbs;
}

/* Gives a video a region of its own. Regions in its way end; one that still has a
 * video becomes part of it. */
static int adopt(uis_picture_coder *c, uis_wanted_region wanted, bool seen_is_kept,
                 left_behind *left, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    for (uint32_t i = 0; i < regions->count; i++) {
        const uis_region *r = &regions->items[i];
        if (!r->ghost && uis_mb_rect_meet(&r->at, &wanted.at) &&
            !uis_mb_rect_contains(&wanted.at, &r->at)) {
            wanted.at = uis_mb_rect_united(&wanted.at, &r->at);
            wanted.core = uis_mb_rect_united(&wanted.core, &r->core);
            i = UINT32_MAX; /* the larger one may meet others */
        }
    }
    if (too_large(c, &wanted.at) ||
        uis_regions_ring_changed(regions, &wanted.at, c->changed, c->full_coded[0]))
        return 0;
    /* For encoder 1 the place stays as it last coded it. */
    if (!seen_is_kept)
        uis_i420_copy(&c->source, &c->seen);
    const uis_mb_rect *at = &wanted.at;
    for (uint32_t y = at->y; y < at->y + at->h; y++)
        for (uint32_t x = at->x; x < at->x + at->w; x++)
            if (regions->owner[y * c->mb_width + x] == 0) {
                const uis_i420 from = uis_i420_crop(&c->shown.picture, x * 16, y * 16, 16, 16);
                uis_i420 to = uis_i420_crop(&c->seen, x * 16, y * 16, 16, 16);
                uis_i420_copy(&from, &to);
            }
    for (uint32_t i = 0; i < regions->count;) {
        if (uis_mb_rect_meet(&regions->items[i].at, &wanted.at))
            release(c, i, left);
        else
            i++;
    }
    return open_region(c, &wanted, err, err_size);
}

/* Decides which regions live at this picture. */
static int plan_regions(uis_picture_coder *c, const uis_classification *k, left_behind *left,
                        char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    const bool had_some = regions->count > 0;
    uint32_t changed_outside;
    const uint32_t outside =
        uis_regions_count_outside(regions, c->changed, c->fed - 1, &changed_outside);
    const bool new_scene = changed_outside * SCENE_SHARE > outside;
    for (uint32_t i = 0; i < regions->count;) {
        uis_region *r = &regions->items[i];
        r->ghost = !uis_region_follow(r, regions, k);
        /* Once its video has gone, a region goes at the next change of scene, when
         * encoder 1 can take over at no cost: what was there is worth nothing. */
        const bool over =
            r->ghost &&
            uis_regions_changed_in(regions, &r->at, c->changed, c->fed - 1) * SCENE_SHARE >
                r->at.w * r->at.h;
        /* Where everything around moves, little would fit at the border. */
        const bool dear = (new_scene || r->patch_debt > r->start_bytes) &&
                          uis_regions_ring_changed(regions, &r->at, c->changed, c->full_coded[0]);
        if (dear && !new_scene)
            uis_regions_block(regions, &r->at, RELEASED_FOR);
        if (over || dear)
            release(c, i, left);
        else
            i++;
    }
    uis_wanted_region wanted[UIS_RING_MAX_REGIONS];
    const uint32_t count = uis_regions_want(regions, k, guard(c), wanted);
    for (uint32_t i = 0; i < count && regions->count < UIS_RING_MAX_REGIONS; i++)
        if (adopt(c, wanted[i], had_some || regions->count > 0, left, err, err_size) != 0)
            return -1;
    return 0;
}

/* Merging: a video is coded by one encoder only, as long as its region lives. */
static int code_merging(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                        uis_buffer *au, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    if (keyframe_due(c, tick->index))
        return code_keyframe(c, tick, au, err, err_size);
    left_behind left = {.count = 0};
    if (plan_regions(c, k, &left, err, err_size) != 0)
        return -1;
    if (regions->count == 0 && left.count == 0)
        return code_full(c, false, tick, au, err, err_size);
    int rc = code_parts(c, left.rects, left.count, tick, au, err, err_size);
    if (rc == 1) { /* a region would have to start over beside a changing surrounding */
        while (regions->count)
            release(c, 0, &left);
        rc = code_parts(c, left.rects, left.count, tick, au, err, err_size);
    }
    return rc;
}

/* Not merging, for comparison: CHANGED pictures are encoder 1's alone, and one
 * region's chain goes on behind them. */
static int code_apart(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                      uis_buffer *au, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    const bool idr = keyframe_due(c, tick->index);
    bool region = !idr && k->tick_class == UIS_VIDEO_ONLY;
    if (region) {
        const uis_wanted_region wanted = uis_regions_bounding_box(regions, k, guard(c));
        const uis_region *there = uis_regions_find(regions, &wanted.at);
        region = !uis_changed_outside(&wanted.at, c->changed, c->full_coded[0], c->mb_width,
                                      c->mb_height);
        if (region && !there) {
            /* P_Skip shows LTR 0 again where the last region was. */
            shown_copy(&c->ltr0, &c->shown, c->mbs);
            uis_regions_release_all(regions);
            if (open_region(c, &wanted, err, err_size) != 0)
                return -1;
        } else if (region) {
            regions->items[0].core = wanted.core;
        }
    }
    uis_regions_own(regions, region);
    if (!region) {
        if (idr)
            uis_regions_release_all(regions); /* LTR 1 is gone: encoder 2 must start over */
        int rc = code_full(c, idr, tick, au, err, err_size);
        shown_copy(&c->shown, &c->ltr0, c->mbs);
        return rc;
    }
    uis_region *r = &regions->items[0];
    uint64_t begin = uis_now_ns();
    uis_placement p = {.width = c->mb_width,
                       .height = c->mb_height,
                       .count = 2,
                       .owner = regions->owner,
                       .in_ltr0 = c->in_ltr0};
    bool deblock = false;
    uis_region_mark_constant(r, c->changed, c->mb_width);
    if (encode_regions(c, &deblock, false, &p, tick, err, err_size) != 0)
        return -1;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns = encoded - begin - timed_apart(tick);
    if (c->config.splice != UIS_SPLICE_ROWS) {
        p.constrained = tick->region_idr;
        p.patch_limit = c->mbs;
        if (uis_place(&p) != 0) {
            snprintf(err, err_size, "out of memory while placing macroblocks");
            return -1;
        }
        tick->patched_mbs = p.patched;
    }
    const bool intra = r->part.picture.idr, same = c->last_index == UIS_LTR_SPLICED;
    const uis_picture_form form = {
        .num_ref = intra || same ? 1 : 2,
        .reference = {!intra && same ? UIS_LTR_SPLICED : UIS_LTR_FULL, UIS_LTR_SPLICED},
        .long_term_index = UIS_LTR_SPLICED,
        .region_reference = intra || same ? 0 : 1};
    int rc = c->config.splice == UIS_SPLICE_ROWS
                 ? uis_splice_rows(&c->splicer, &r->part, au, &tick->slices, err, err_size)
                 : uis_splice_parts(&c->splicer, &p, &form, au, &tick->slices, err, err_size);
    if (rc != 0)
        return -1;
    tick->splice_ns = uis_now_ns() - encoded;
    note_picture(c, tick, UIS_PICTURE_SPLICED, UIS_LTR_SPLICED);
    bounding_box(c, tick);
    show_parts(c, &p, tick);
    return 0;
}

static uint64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void mark_videos(uis_picture_coder *c, const uis_classification *k) {
    memset(c->in_video, 0, c->mbs);
    for (uint32_t i = 0; i < k->video_count; i++) {
        const uis_mb_rect r = uis_mb_cover(&k->videos[i], 0, c->mb_width, c->mb_height);
        for (uint32_t y = r.y; y < r.y + r.h; y++)
            memset(c->in_video + (size_t)y * c->mb_width + r.x, 1, r.w);
    }
}

int uis_picture_coder_code(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                           uis_buffer *au, char *err, size_t err_size) {
    const uint64_t cpu = thread_cpu_ns();
    int rc = !spliced(c) ? single_picture(c, tick, au, err, err_size)
             : merges(c) ? code_merging(c, k, tick, au, err, err_size)
                         : code_apart(c, k, tick, au, err, err_size);
    /* Digests are bookkeeping for the checks, not work of an encoder; they are
     * timed by the wall clock, which on this thread is close. */
    const uint64_t spent = thread_cpu_ns() - cpu;
    tick->cpu_ns = spent > tick->digest_ns ? spent - tick->digest_ns : 0;
    if (k->tick_class != UIS_UNCHANGED)
        mark_videos(c, k);
    return rc;
}

void uis_picture_coder_account(uis_picture_coder *c, uis_tick *tick, uint64_t *digests) {
    uint64_t begin = uis_now_ns();
    memcpy(digests, c->shown.digests, c->mbs * sizeof *digests);
    for (uint32_t i = 0; i < c->mbs; i++) {
        tick->sse_y += c->shown.sse[i];
        tick->sse_video += c->in_video[i] ? c->shown.sse[i] : 0;
        tick->video_mbs += c->in_video[i];
    }
    if (c->config.measure)
        tick->ssim = uis_ssim(&c->source, &c->shown.picture, c->config.width, c->config.height);
    tick->digest_ns += uis_now_ns() - begin;
}
