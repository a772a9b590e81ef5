/* SPDX-License-Identifier: GPL-2.0-or-later
 * The source for frames in host memory; see source.h. */
#include "source.h"

#include "pixels.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct host_source {
    uis_source base;
    const uis_bgra *now, *before; /* the caller's */
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

static int64_t host_dirty_map(uis_source *base, const uis_rect *damage, uint8_t *map, uis_rect *box,
                              char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    return uis_dirty_map(s->now, s->before, damage, map, box);
}

static int64_t host_dirty_outside(uis_source *base, const uint8_t *map, const uis_rect *rects,
                                  uint32_t count, char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    return uis_dirty_outside(s->now, s->before, map, rects, count);
}

static int host_feed(uis_source *base, const uis_rect *area, char *err, size_t err_size) {
    host_source *s = (host_source *)base;
    (void)err;
    (void)err_size;
    uis_convert(s->now, area, &s->newest);
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

int uis_source_open_host(uint32_t width, uint32_t height, uis_source **out, char *err,
                         size_t err_size) {
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
