/* SPDX-License-Identifier: GPL-2.0-or-later
 * The source for frames in host memory; see source.h. */
#include "source.h"

#include "pixels.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct host_source {
    uis_source base;
    uis_row_pool *rows;           /* the owner's */
    const uis_bgra *now, *before; /* the caller's */
    size_t dirty;                 /* macroblocks of them that differ */
    uis_i420 newest, seen;
} host_source;

static int host_take(uis_source *base, const uis_image *now, const uis_image *before, char *err,
                     size_t err_size) {
    host_source *s = (host_source *)base;
    if (!now->host.pixels || (before && !before->host.pixels)) {
        snprintf(err, err_size, "a frame is on the GPU, and the encoder takes host memory");
        return -1;
    }
    s->now = &now->host;
    s->before = before ? &before->host : NULL;
    return 0;
}

/* A comparison, band by band: what each found. */
typedef struct comparison {
    const host_source *source;
    const uis_rect *damage; /* of the first */
    uint8_t *map;
    const uint8_t *dirty; /* of the second: that map */
    const uis_rect *rects;
    uint32_t rect_count;
    uint32_t found[UIS_ROW_BANDS];
    uis_rect boxes[UIS_ROW_BANDS];
} comparison;

static void compare_rows(void *context, uint32_t band, uint32_t from, uint32_t to) {
    comparison *c = context;
    c->found[band] = uis_dirty_map_rows(c->source->now, c->source->before, c->damage, from, to,
                                        c->map, &c->boxes[band]);
}

static void look_outside_rows(void *context, uint32_t band, uint32_t from, uint32_t to) {
    comparison *c = context;
    c->found[band] = uis_dirty_outside_rows(c->source->now, c->source->before, c->dirty, c->rects,
                                            c->rect_count, from, to);
}

static int64_t total(const comparison *c) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < UIS_ROW_BANDS; i++)
        sum += c->found[i];
    return sum;
}

static uint32_t mb_rows(const host_source *s) {
    return (s->now->height + 15) / 16;
}

static int64_t host_dirty_map(uis_source *base, const uis_rect *damage, uint8_t *map, uis_rect *box,
                              char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    comparison c = {.source = s, .damage = damage, .map = map};
    const uis_rect view = {0, 0, (int32_t)s->now->width, (int32_t)s->now->height};
    const uis_rect area = uis_rect_intersect(*damage, view);
    uis_rows_run(s->rows, mb_rows(s), (size_t)area.w * (size_t)area.h / 256, compare_rows, &c);
    *box = (uis_rect){0, 0, 0, 0};
    for (uint32_t i = 0; i < UIS_ROW_BANDS; i++)
        *box = uis_rect_union(*box, c.boxes[i]);
    s->dirty = (size_t)total(&c);
    return (int64_t)s->dirty;
}

static int64_t host_dirty_outside(uis_source *base, const uint8_t *map, const uis_rect *rects,
                                  uint32_t count, char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    comparison c = {.source = s, .dirty = map, .rects = rects, .rect_count = count};
    uis_rows_run(s->rows, mb_rows(s), s->dirty, look_outside_rows, &c);
    return total(&c);
}

static int host_feed(uis_source *base, const uis_rect *area, char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    uis_convert_shared(s->rows, s->now, area, &s->newest);
    return 0;
}

static uis_i420 crop(const uis_i420 *planes, const uis_mb_rect *at) {
    return uis_i420_crop(planes, at->x * 16, at->y * 16, at->w * 16, at->h * 16);
}

static int host_put(uis_source *base, const uis_mb_rect *at, const uis_i420 *from, char *err,
                    size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    const uis_i420 part = crop(from, at);
    uis_i420 to = crop(&s->seen, at);
    uis_i420_copy(&part, &to);
    return 0;
}

static int host_keep(uis_source *base, const uis_mb_rect *at, char *err, size_t err_size) {
    return host_put(base, at, &((host_source *)base)->newest, err, err_size);
}

static int host_view(uis_source *base, uis_source_planes planes, const uis_mb_rect *at,
                     uis_source_view *out, char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    *out = (uis_source_view){.host = crop(planes == UIS_PLANES_SEEN ? &s->seen : &s->newest, at)};
    return 0;
}

static int64_t host_pixels(uis_source *base, const uis_i420 **out, char *err, size_t err_size) {
    (void)err;
    (void)err_size;
    *out = &((host_source *)base)->newest;
    return 0;
}

static void host_close(uis_source *base) {
    host_source *s = (host_source *)base;
    uis_i420_free(&s->newest);
    uis_i420_free(&s->seen);
    free(s);
}

static const uis_source_kind host_kind = {
    .take = host_take,
    .dirty_map = host_dirty_map,
    .dirty_outside = host_dirty_outside,
    .feed = host_feed,
    .keep = host_keep,
    .put = host_put,
    .view = host_view,
    .pixels = host_pixels,
    .close = host_close,
};

int uis_source_open_host(uint32_t width, uint32_t height, uis_row_pool *rows, uis_source **out,
                         char *err, size_t err_size) {
    *out = NULL;
    host_source *s = calloc(1, sizeof *s);
    const uint32_t w = (width + 15) / 16 * 16, h = (height + 15) / 16 * 16;
    if (!s || uis_i420_alloc(&s->newest, w, h) != 0 || uis_i420_alloc(&s->seen, w, h) != 0) {
        snprintf(err, err_size, "out of memory for pictures of %ux%u", width, height);
        if (s)
            host_close(&s->base);
        return -1;
    }
    s->base.kind = &host_kind;
    s->rows = rows;
    *out = &s->base;
    return 0;
}

void uis_source_close(uis_source *source) {
    if (source)
        source->kind->close(source);
}

void uis_source_request(const uis_source_view *view, uis_encode_request *request) {
    request->picture = view->on_device ? NULL : &view->host;
    request->device = view->on_device ? &view->device : NULL;
}
