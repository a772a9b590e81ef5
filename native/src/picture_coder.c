/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "coder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

void uis_shown_copy(const uis_shown *from, uis_shown *to, uint32_t mbs) {
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
    uis_source_close(c->source);
    uis_row_pool_close(c->rows);
    shown_free(&c->shown);
    shown_free(&c->ltr0);
    free(c->changed);
    free(c->constant);
    free(c->in_video);
    free(c->marks);
    free(c->touched);
    free(c->in_ltr0);
    free(c);
}

static bool spliced(const uis_picture_coder *c) {
    return c->config.mode == UIS_MODE_SPLICED;
}

uis_encoder_config uis_coder_base_config(const uis_picture_coder *c) {
    uis_encoder_config e = {.fps_num = c->config.fps_num,
                            .fps_den = c->config.fps_den,
                            .qp = c->config.qp,
                            .threads = 1,
                            .deblock = uis_coder_deblocks(c)};
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
    c->backend = uis_encoder_backend_of(config->encoder);
    c->mb_width = (config->width + 15) / 16;
    c->mb_height = (config->height + 15) / 16;
    c->mbs = c->mb_width * c->mb_height;
    c->changed = calloc(c->mbs, sizeof *c->changed);
    c->constant = calloc(c->mbs, 1);
    c->in_video = calloc(c->mbs, 1);
    c->marks = calloc(c->mbs, 1);
    c->touched = calloc(c->mbs, sizeof *c->touched);
    c->in_ltr0 = calloc(c->mbs, 1);
    c->rows = uis_row_pool_open(uis_row_helpers());
    const uint32_t width = c->mb_width * 16, height = c->mb_height * 16;
    if (!c->rows || !c->changed || !c->constant || !c->in_video || !c->marks || !c->touched ||
        !c->in_ltr0 ||
        uis_source_open_host(config->width, config->height, c->rows, &c->source, err, err_size) !=
            0 ||
        shown_alloc(&c->shown, c->mb_width, c->mb_height) != 0 ||
        (!uis_coder_merges(c) && shown_alloc(&c->ltr0, c->mb_width, c->mb_height) != 0) ||
        uis_regions_init(&c->regions, c->mb_width, c->mb_height) != 0) {
        snprintf(err, err_size, "out of memory for pictures of %ux%u", config->width,
                 config->height);
        uis_picture_coder_close(c);
        return -1;
    }
    uis_encoder_config e = uis_coder_base_config(c);
    /* A single encoder crops its own pictures; ours crops in the parameter sets. */
    e.width = spliced(c) ? width : config->width;
    e.height = spliced(c) ? height : config->height;
    e.threads = config->threads ? config->threads : 1;
    if (uis_open_encoder(c->backend, &e, &c->full, &c->full_parameters, err, err_size) != 0) {
        uis_picture_coder_close(c);
        return -1;
    }
    const uis_stream_format format = {config->width, config->height, config->fps_num,
                                      config->fps_den};
    uis_splicer_init(&c->splicer, &format, &c->full_parameters, config->faults);
    if (spliced(c) &&
        uis_splicer_compatible(&c->splicer, &c->full_parameters, err, err_size) != 0) {
        uis_picture_coder_close(c);
        return -1;
    }
    c->regions.adopt_after = config->adopt_after;
    *out = c;
    return 0;
}

const char *uis_picture_coder_encoder(const uis_picture_coder *c) {
    return c->backend->describe(c->full);
}

uint32_t uis_picture_coder_mbs(const uis_picture_coder *c) {
    return c->mbs;
}

void uis_picture_coder_share_rows(uis_picture_coder *c, uint32_t helpers, uint32_t shared_from) {
    uis_row_pool_set(c->rows, helpers, shared_from);
}

void uis_picture_coder_request_keyframe(uis_picture_coder *c) {
    c->keyframe_wanted = true;
}

bool uis_coder_keyframe_due(const uis_picture_coder *c, uint64_t tick) {
    return c->full_coded[0] == 0 || c->keyframe_wanted ||
           (c->config.keyframe_interval && tick - c->last_keyframe >= c->config.keyframe_interval);
}

bool uis_picture_coder_must_code(const uis_picture_coder *c, uint64_t tick) {
    return c->config.mode == UIS_MODE_SINGLE || (c->fed != 0 && uis_coder_keyframe_due(c, tick));
}

uis_source *uis_picture_coder_source(uis_picture_coder *c) {
    return c->source;
}

void *uis_picture_coder_context(const uis_picture_coder *c) {
    return c->backend->context ? c->backend->context(c->full) : NULL;
}

static void change_source(uis_picture_coder *c, uis_source *source) {
    uis_source_close(c->source);
    c->source = source;
}

int uis_picture_coder_use_device(uis_picture_coder *c, char *err, size_t err_size) {
    uis_source *source;
    if (uis_source_open_device(c->config.width, c->config.height, uis_picture_coder_context(c),
                               c->config.measure != 0, &source, err, err_size) != 0)
        return -1;
    change_source(c, source);
    return 0;
}

int uis_picture_coder_use_host(uis_picture_coder *c, char *err, size_t err_size) {
    uis_source *source;
    if (uis_source_open_host(c->config.width, c->config.height, c->rows, &source, err, err_size) !=
        0)
        return -1;
    change_source(c, source);
    return 0;
}

int uis_picture_coder_feed(uis_picture_coder *c, const uis_classification *k, const uint8_t *map,
                           uis_tick *tick, char *err, size_t err_size) {
    uint64_t begin = uis_now_ns();
    c->fed++;
    for (uint32_t i = 0; i < c->mbs; i++)
        if (map[i])
            c->changed[i] = c->fed;
    if (c->source->kind->feed(c->source, &k->dirty, err, err_size) != 0)
        return -1;
    tick->convert_ns = uis_now_ns() - begin;
    return 0;
}

/* The frame fed last, to measure against. NULL with a sentence. */
static const uis_i420 *source_pixels(uis_picture_coder *c, uis_tick *tick, char *err,
                                     size_t err_size) {
    const uis_i420 *source;
    const int64_t copied = c->source->kind->pixels(c->source, &source, err, err_size);
    if (copied < 0)
        return NULL;
    tick->copied_bytes += (uint32_t)copied;
    return source;
}

/* What an encoder reconstructed of a place, on its way into `shown`. */
typedef struct showing {
    uis_picture_coder *coder;
    const uis_encoded *picture;
    const uis_mb_rect *where;
    const uis_i420 *source;
    uint8_t part;
} showing;

/* Macroblocks `from` to `to - 1` of row `y` of the picture. */
static void show_run(const showing *s, uint32_t y, uint32_t from, uint32_t to) {
    uis_picture_coder *c = s->coder;
    uis_i420 shown = uis_i420_crop(&c->shown.picture, from * 16, y * 16, (to - from) * 16, 16);
    const size_t down = y - s->where->y, right = (size_t)(from - s->where->x) * 16;
    uis_encoded run = *s->picture;
    run.recon_y += down * 16 * run.recon_y_stride + right;
    run.recon_uv += down * 8 * run.recon_uv_stride + right;
    uis_from_nv12(&run, &shown);
    for (uint32_t x = from; x < to; x++) {
        const size_t i = (size_t)y * c->mb_width + x;
        c->shown.digests[i] =
            uis_digest_mb(&c->shown.picture, x, y, c->config.width, c->config.height);
        c->shown.sse[i] =
            uis_sse_mb(s->source, &c->shown.picture, x, y, c->config.width, c->config.height);
    }
}

static void show_rows(void *context, uint32_t band, uint32_t from_row, uint32_t to_row) {
    const showing *s = context;
    const uis_mb_rect *where = s->where;
    (void)band;
    for (uint32_t y = where->y + from_row; y < where->y + to_row; y++) {
        const uint8_t *owner = s->coder->regions.owner + (size_t)y * s->coder->mb_width;
        for (uint32_t x = where->x; x < where->x + where->w;) {
            if (owner[x] != s->part) {
                x++;
                continue;
            }
            const uint32_t from = x;
            while (x < where->x + where->w && owner[x] == s->part)
                x++;
            show_run(s, y, from, x);
        }
    }
}

/* Takes over into `shown` what an encoder reconstructed of the macroblocks that
 * `part` owns, with digests and squared errors. */
static void show(uis_picture_coder *c, const uis_i420 *source, const uis_encoded *picture,
                 const uis_mb_rect *where, uint8_t part) {
    showing s = {.coder = c, .picture = picture, .where = where, .source = source, .part = part};
    uis_rows_run(c->rows, where->h, (size_t)where->w * where->h, show_rows, &s);
}

int uis_coder_encode_full(uis_picture_coder *c, uis_source_planes planes, bool idr, bool deblock,
                          uis_encoded *picture, char *err, size_t err_size) {
    /* A macroblock is declared constant only after it was coded once more
     * unchanged: at once would freeze the UI at its first coding's quality. What a
     * region owns did not change for encoder 1. */
    const uint64_t before = c->full_coded[1];
    for (uint32_t i = 0; i < c->mbs; i++)
        c->constant[i] = c->regions.owner[i] != 0 || (before != 0 && c->changed[i] <= before);
    uis_encode_request request = {.constant = idr || !c->config.mb_info ? NULL : c->constant,
                                  .force_idr = idr,
                                  .deblock = deblock};
    const uis_mb_rect all = uis_coder_whole(c);
    uis_source_view input;
    if (c->source->kind->view(c->source, planes, &all, &input, err, err_size) != 0)
        return -1;
    uis_source_request(&input, &request);
    if (c->backend->encode(c->full, &request, picture, err, err_size) != 0)
        return -1;
    c->full_coded[1] = picture->idr ? 0 : c->full_coded[0];
    c->full_coded[0] = c->fed;
    return 0;
}

void uis_coder_note_picture(uis_picture_coder *c, uis_tick *tick, uint32_t kind, uint32_t index) {
    tick->picture = kind;
    tick->frame_num = c->splicer.last_frame_num;
    c->last_index = index;
    if (index == UIS_LTR_FULL)
        c->ltr0_coded = c->fed;
}

/* What every picture of encoder 1 alone leaves behind. 0 or -1. */
static int note_full(uis_picture_coder *c, const uis_encoded *picture, uis_tick *tick, char *err,
                     size_t err_size) {
    tick->deblocked = uis_coder_deblocks(c);
    tick->keyframe = picture->idr;
    if (picture->idr) {
        c->last_keyframe = tick->index;
        c->keyframe_wanted = false;
    }
    const uint64_t begin = uis_now_ns();
    const uis_mb_rect all = uis_coder_whole(c);
    const uis_i420 *source = source_pixels(c, tick, err, err_size);
    if (!source)
        return -1;
    show(c, source, picture, &all, 0);
    tick->digest_ns += uis_now_ns() - begin;
    return 0;
}

/* A picture of encoder 1 alone, whose reference is LTR 0: headers rewritten, slice
 * data copied. */
int uis_coder_full(uis_picture_coder *c, bool idr, uis_tick *tick, uis_buffer *au, char *err,
                   size_t err_size) {
    uint64_t begin = uis_now_ns();
    uis_encoded picture;
    if (uis_coder_encode_full(c, UIS_PLANES_NEWEST, idr, uis_coder_deblocks(c), &picture, err,
                              err_size) != 0)
        return -1;
    uint64_t encoded = uis_now_ns();
    tick->encode_ns += encoded - begin;
    if (uis_splice_full(&c->splicer, &picture, &c->full_parameters, au, &tick->slices, err,
                        err_size) != 0)
        return -1;
    tick->splice_ns += uis_now_ns() - encoded;
    uis_coder_note_picture(c, tick, UIS_PICTURE_FULL, UIS_LTR_FULL);
    return note_full(c, &picture, tick, err, err_size);
}

int uis_coder_keyframe(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                       size_t err_size) {
    uis_regions_release_all(&c->regions);
    return uis_coder_full(c, true, tick, au, err, err_size);
}

static int single_picture(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                          size_t err_size) {
    uint64_t begin = uis_now_ns();
    uis_encoded picture;
    const bool idr = uis_coder_keyframe_due(c, tick->index);
    if (uis_coder_encode_full(c, UIS_PLANES_NEWEST, idr, true, &picture, err, err_size) != 0)
        return -1;
    tick->encode_ns = uis_now_ns() - begin;
    const uint8_t *headers = NULL;
    size_t header_size = 0;
    if (picture.idr)
        c->backend->headers(c->full, &headers, &header_size);
    if (!uis_buffer_reserve(au, header_size + picture.size)) {
        snprintf(err, err_size, "out of memory while writing an access unit");
        return -1;
    }
    if (header_size)
        memcpy(au->data + au->size, headers, header_size);
    memcpy(au->data + au->size + header_size, picture.data, picture.size);
    au->size += header_size + picture.size;
    tick->slices = 1;
    tick->picture = UIS_PICTURE_FULL;
    return note_full(c, &picture, tick, err, err_size);
}

int uis_coder_show_parts(uis_picture_coder *c, const uis_placement *p, uis_tick *tick, char *err,
                         size_t err_size) {
    uint64_t begin = uis_now_ns();
    const uis_i420 *source = source_pixels(c, tick, err, err_size);
    if (!source)
        return -1;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->parts[i])
            show(c, source, &p->parts[i]->picture, &p->parts[i]->where, (uint8_t)i);
    tick->digest_ns += uis_now_ns() - begin;
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
    int rc = !spliced(c)           ? single_picture(c, tick, au, err, err_size)
             : uis_coder_merges(c) ? uis_coder_merged(c, k, tick, au, err, err_size)
                                   : uis_coder_apart(c, k, tick, au, err, err_size);
    /* Digests are bookkeeping for the checks, not work of an encoder; they are
     * timed by the wall clock, which on this thread is close. */
    const uint64_t spent = thread_cpu_ns() - cpu;
    tick->cpu_ns = spent > tick->digest_ns ? spent - tick->digest_ns : 0;
    if (k->tick_class != UIS_UNCHANGED)
        mark_videos(c, k);
    return rc;
}

int uis_picture_coder_account(uis_picture_coder *c, uis_tick *tick, uint64_t *digests, char *err,
                              size_t err_size) {
    uint64_t begin = uis_now_ns();
    memcpy(digests, c->shown.digests, c->mbs * sizeof *digests);
    for (uint32_t i = 0; i < c->mbs; i++) {
        tick->sse_y += c->shown.sse[i];
        tick->sse_video += c->in_video[i] ? c->shown.sse[i] : 0;
        tick->video_mbs += c->in_video[i];
    }
    if (c->config.measure) {
        const uis_i420 *source = source_pixels(c, tick, err, err_size);
        if (!source)
            return -1;
        tick->ssim = uis_ssim(source, &c->shown.picture, c->config.width, c->config.height);
    }
    tick->digest_ns += uis_now_ns() - begin;
    return 0;
}
