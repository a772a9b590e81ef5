/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "picture_coder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With a border of 3 macroblocks (48 pixels), vectors of at most 32 pixels and
 * the six-tap filter's 3 cannot leave the region from inside the border. */
#define REGION_MV_RANGE 32

struct uis_picture_coder {
    uis_recorder_config config;
    const uis_encoder_backend *backend;
    uint32_t mb_width, mb_height, mbs;
    uis_splicer splicer;

    uis_i420 source;   /* the frame fed last, whole macroblocks */
    uint64_t fed;      /* frames fed so far; the clock of `changed` */
    uint64_t *changed; /* when each macroblock changed last */
    uint8_t *constant; /* scratch: flags for an encoder */

    /* Encoder 1 and LTR 0. */
    uis_encoder *full;
    uis_parameters full_parameters;
    uint64_t full_coded[2]; /* `fed` at its last and last but one picture; 0: none */
    uis_i420 full_recon;
    uint64_t *full_digests;
    uint32_t *full_sse;

    /* Encoder 2 and LTR 1. */
    uis_encoder *region;
    uis_parameters region_parameters;
    uis_mb_rect region_at;   /* guard included */
    uis_mb_rect region_core; /* the video's own macroblocks */
    uint64_t region_coded;   /* `fed` at its last picture; 0: none yet */
    uis_i420 region_recon;

    uint32_t last_picture; /* UIS_PICTURE_* of what was coded last */
};

static bool inside(uis_mb_rect r, uint32_t x, uint32_t y) {
    return x >= r.x && y >= r.y && x - r.x < r.w && y - r.y < r.h;
}

static bool same_rect(uis_mb_rect a, uis_mb_rect b) {
    return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h;
}

void uis_picture_coder_close(uis_picture_coder *c) {
    if (!c)
        return;
    c->backend->close(c->full);
    c->backend->close(c->region);
    uis_splicer_free(&c->splicer);
    uis_i420_free(&c->source);
    uis_i420_free(&c->full_recon);
    uis_i420_free(&c->region_recon);
    free(c->changed);
    free(c->constant);
    free(c->full_digests);
    free(c->full_sse);
    free(c);
}

static int open_encoder(uis_picture_coder *c, const uis_encoder_config *config,
                        uis_encoder **encoder, uis_parameters *parameters, char *err,
                        size_t err_size) {
    if (c->backend->open(config, encoder, err, err_size) != 0)
        return -1;
    const uint8_t *data;
    size_t size;
    c->backend->headers(*encoder, &data, &size);
    return uis_read_parameters(data, size, parameters, err, err_size);
}

static uis_encoder_config base_config(const uis_picture_coder *c) {
    uis_encoder_config e = {.fps_num = c->config.fps_num,
                            .fps_den = c->config.fps_den,
                            .qp = c->config.qp,
                            .threads = 1,
                            /* One PPS serves both, so both or none. */
                            .constrained_intra = c->config.splice == UIS_SPLICE_SYNTAX};
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
    c->full_digests = calloc(c->mbs, sizeof *c->full_digests);
    c->full_sse = calloc(c->mbs, sizeof *c->full_sse);
    if (!c->changed || !c->constant || !c->full_digests || !c->full_sse ||
        uis_i420_alloc(&c->source, c->mb_width * 16, c->mb_height * 16) != 0 ||
        uis_i420_alloc(&c->full_recon, c->mb_width * 16, c->mb_height * 16) != 0 ||
        uis_i420_alloc(&c->region_recon, c->mb_width * 16, c->mb_height * 16) != 0) {
        snprintf(err, err_size, "out of memory for pictures of %ux%u", config->width,
                 config->height);
        uis_picture_coder_close(c);
        return -1;
    }
    uis_encoder_config e = base_config(c);
    e.width = c->mb_width * 16;
    e.height = c->mb_height * 16;
    e.threads = config->threads ? config->threads : 1;
    e.deblock = true;
    if (open_encoder(c, &e, &c->full, &c->full_parameters, err, err_size) != 0) {
        uis_picture_coder_close(c);
        return -1;
    }
    const uis_stream_format format = {config->width, config->height, config->fps_num,
                                      config->fps_den};
    uis_splicer_init(&c->splicer, &format, &c->full_parameters, config->faults);
    *out = c;
    return 0;
}

uint32_t uis_picture_coder_mbs(const uis_picture_coder *c) {
    return c->mbs;
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

static int code_full(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                     size_t err_size) {
    uint64_t begin = uis_now_ns();
    /* A macroblock is declared constant only after it was coded once more
     * unchanged: at once would freeze the UI at its first coding's quality. */
    const uint64_t before = c->full_coded[1];
    for (uint32_t i = 0; i < c->mbs; i++)
        c->constant[i] = before != 0 && c->changed[i] <= before;
    uis_encoded picture;
    bool first = c->full_coded[0] == 0;
    if (c->backend->encode(c->full, &c->source, c->constant, first, &picture, err, err_size) != 0)
        return -1;
    c->full_coded[1] = c->full_coded[0];
    c->full_coded[0] = c->fed;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns = encoded - begin;
    if (picture.idr)
        c->region_coded = 0; /* LTR 1 is gone: encoder 2 must start over */
    if (uis_splice_full(&c->splicer, &picture, &c->full_parameters, au, &tick->slices, err,
                        err_size) != 0)
        return -1;
    tick->splice_ns = uis_now_ns() - encoded;
    tick->picture = UIS_PICTURE_FULL;
    tick->keyframe = picture.idr;
    tick->frame_num = c->splicer.last_frame_num;
    uis_from_nv12(&picture, &c->full_recon);
    return 0;
}

static int use_region(uis_picture_coder *c, uis_mb_rect at, uis_mb_rect core, char *err,
                      size_t err_size) {
    c->region_core = core;
    if (c->region && same_rect(c->region_at, at))
        return 0;
    c->backend->close(c->region);
    c->region = NULL;
    c->region_at = at;
    c->region_coded = 0;
    uis_encoder_config e = base_config(c);
    e.width = at.w * 16;
    e.height = at.h * 16;
    e.slice_max_mbs = c->config.splice == UIS_SPLICE_ROWS ? at.w : 0;
    e.mv_range = c->config.faults & UIS_FAULT_NO_GUARD ? 0 : REGION_MV_RANGE;
    if (open_encoder(c, &e, &c->region, &c->region_parameters, err, err_size) != 0)
        return -1;
    return uis_splicer_compatible(&c->splicer, &c->region_parameters, err, err_size);
}

/* Fills `constant` for encoder 2 and tells whether the guard changed since its
 * last picture: then its border macroblocks would carry vectors that nothing
 * bounds, so the region starts over with an IDR. */
static bool mark_guard(uis_picture_coder *c) {
    bool guard_changed = false;
    for (uint32_t y = 0; y < c->region_at.h; y++)
        for (uint32_t x = 0; x < c->region_at.w; x++) {
            uint32_t px = c->region_at.x + x, py = c->region_at.y + y;
            bool guard = !inside(c->region_core, px, py);
            bool same = c->changed[py * c->mb_width + px] <= c->region_coded;
            c->constant[y * c->region_at.w + x] = guard && same;
            guard_changed |= guard && !same;
        }
    return guard_changed;
}

/* Codes the region and checks that no prediction leaves it. One that does makes
 * the region start over, before anything is emitted: an IDR predicts nothing. */
static int encode_region(uis_picture_coder *c, bool idr, uis_encoded *picture, uis_tick *tick,
                         char *err, size_t err_size) {
    const uis_mb_rect *at = &c->region_at;
    const uis_i420 crop = uis_i420_crop(&c->source, at->x * 16, at->y * 16, at->w * 16, at->h * 16);
    for (;;) {
        uint32_t leaks;
        if (c->backend->encode(c->region, &crop, idr ? NULL : c->constant, idr, picture, err,
                               err_size) != 0)
            return -1;
        uint64_t begin = uis_now_ns();
        if (uis_splice_read_region(&c->splicer, picture, &c->region_parameters, at, &leaks, err,
                                   err_size) != 0)
            return -1;
        tick->check_ns += uis_now_ns() - begin;
        if (leaks == 0 || c->config.faults & UIS_FAULT_NO_GUARD)
            return 0;
        if (idr) {
            snprintf(err, err_size, "encoder 2's intra picture predicts from outside its region");
            return -1;
        }
        tick->region_leaks = leaks;
        idr = true;
    }
}

static int code_region(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                       size_t err_size) {
    uint64_t begin = uis_now_ns();
    bool guard_changed = mark_guard(c);
    bool idr = c->region_coded == 0 || (guard_changed && !(c->config.faults & UIS_FAULT_NO_GUARD));
    const uis_mb_rect *at = &c->region_at;
    uis_encoded picture;
    if (encode_region(c, idr, &picture, tick, err, err_size) != 0)
        return -1;
    uis_splice_references references = picture.idr ? UIS_REFERENCES_INTRA
                                       : c->last_picture == UIS_PICTURE_SPLICED
                                           ? UIS_REFERENCES_SAME
                                           : UIS_REFERENCES_BOTH;
    c->region_coded = c->fed;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns = encoded - begin;
    int rc = c->config.splice == UIS_SPLICE_ROWS
                 ? uis_splice_rows(&c->splicer, at, au, &tick->slices, err, err_size)
                 : uis_splice_syntax(&c->splicer, at, references, au, &tick->slices, err, err_size);
    if (rc != 0)
        return -1;
    tick->splice_ns = uis_now_ns() - encoded;
    tick->picture = UIS_PICTURE_SPLICED;
    tick->region_idr = picture.idr;
    tick->frame_num = c->splicer.last_frame_num;
    uis_i420 recon =
        uis_i420_crop(&c->region_recon, at->x * 16, at->y * 16, at->w * 16, at->h * 16);
    uis_from_nv12(&picture, &recon);
    return 0;
}

/* True if everything outside `at` still looks as it did in LTR 0's source. */
static bool surroundings_in_ltr0(const uis_picture_coder *c, uis_mb_rect at) {
    for (uint32_t y = 0; y < c->mb_height; y++)
        for (uint32_t x = 0; x < c->mb_width; x++)
            if (c->changed[y * c->mb_width + x] > c->full_coded[0] && !inside(at, x, y))
                return false;
    return true;
}

int uis_picture_coder_code(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                           uis_buffer *au, char *err, size_t err_size) {
    bool spliced = k->tick_class == UIS_VIDEO_ONLY && c->full_coded[0] != 0;
    if (spliced) {
        uint32_t guard = c->config.faults & UIS_FAULT_NO_GUARD ? 0 : c->config.guard_mbs;
        uis_mb_rect core = uis_mb_cover(&k->video, 0, c->mb_width, c->mb_height);
        uis_mb_rect at = uis_mb_cover(&k->video, guard, c->mb_width, c->mb_height);
        spliced = surroundings_in_ltr0(c, at);
        if (spliced && use_region(c, at, core, err, err_size) != 0)
            return -1;
    }
    int rc =
        spliced ? code_region(c, tick, au, err, err_size) : code_full(c, tick, au, err, err_size);
    if (rc != 0)
        return rc;
    c->last_picture = tick->picture;
    if (spliced) {
        tick->region = uis_rect_intersect(
            (uis_rect){(int32_t)c->region_at.x * 16, (int32_t)c->region_at.y * 16,
                       (int32_t)c->region_at.w * 16, (int32_t)c->region_at.h * 16},
            (uis_rect){0, 0, (int32_t)c->config.width, (int32_t)c->config.height});
    }
    return 0;
}

void uis_picture_coder_account(uis_picture_coder *c, uis_tick *tick, uint64_t *digests) {
    uint64_t begin = uis_now_ns();
    const uint32_t width = c->config.width, height = c->config.height;
    double sse = 0;
    for (uint32_t y = 0; y < c->mb_height; y++)
        for (uint32_t x = 0; x < c->mb_width; x++) {
            uint32_t i = y * c->mb_width + x;
            if (c->last_picture == UIS_PICTURE_FULL) {
                c->full_digests[i] = uis_digest_mb(&c->full_recon, x, y, width, height);
                c->full_sse[i] = uis_sse_mb(&c->source, &c->full_recon, x, y, width, height);
            } else if (inside(c->region_at, x, y)) {
                digests[i] = uis_digest_mb(&c->region_recon, x, y, width, height);
                sse += uis_sse_mb(&c->source, &c->region_recon, x, y, width, height);
                continue;
            }
            digests[i] = c->full_digests[i];
            sse += c->full_sse[i];
        }
    tick->sse_y = sse;
    tick->digest_ns = uis_now_ns() - begin;
}
