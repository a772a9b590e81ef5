/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pixels.h"
#include "uisplice/recorder.h"
#include "uisplice/spool.h"

#include <libyuv.h>
#include <stdlib.h>
#include <string.h>

int uis_i420_alloc(uis_i420 *p, uint32_t width, uint32_t height) {
    size_t luma = (size_t)width * height, chroma = luma / 4;
    uint8_t *memory = aligned_alloc(64, (luma + 2 * chroma + 63) / 64 * 64);
    if (!memory)
        return -1;
    memset(memory, 128, luma + 2 * chroma);
    *p = (uis_i420){.y = memory,
                    .u = memory + luma,
                    .v = memory + luma + chroma,
                    .y_stride = width,
                    .c_stride = width / 2,
                    .width = width,
                    .height = height};
    return 0;
}

void uis_i420_free(uis_i420 *p) {
    free(p->y);
    *p = (uis_i420){0};
}

uis_i420 uis_i420_crop(const uis_i420 *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h) {
    uis_i420 out = *p;
    out.y += (size_t)y * p->y_stride + x;
    out.u += (size_t)(y / 2) * p->c_stride + x / 2;
    out.v += (size_t)(y / 2) * p->c_stride + x / 2;
    out.width = w;
    out.height = h;
    return out;
}

void uis_i420_copy(const uis_i420 *from, uis_i420 *to) {
    I420Copy(from->y, (int)from->y_stride, from->u, (int)from->c_stride, from->v,
             (int)from->c_stride, to->y, (int)to->y_stride, to->u, (int)to->c_stride, to->v,
             (int)to->c_stride, (int)from->width, (int)from->height);
}

/* Repeats column `visible-1` and row `visible-1` of a plane up to its full size. */
static void pad_plane(uint8_t *plane, size_t stride, uint32_t visible_w, uint32_t visible_h,
                      uint32_t w, uint32_t h) {
    if (w > visible_w)
        for (uint32_t y = 0; y < visible_h; y++)
            memset(plane + y * stride + visible_w, plane[y * stride + visible_w - 1],
                   w - visible_w);
    for (uint32_t y = visible_h; y < h; y++)
        memcpy(plane + y * stride, plane + (visible_h - 1) * stride, w);
}

/* What lies in the view of `area`, widened to even coordinates. */
static uis_rect even_area(const uis_bgra *from, const uis_rect *area) {
    const uis_rect view = {0, 0, (int32_t)from->width, (int32_t)from->height};
    const uis_rect a = uis_rect_intersect(*area, view);
    if (uis_rect_empty(a))
        return a;
    const int32_t x0 = a.x & ~1, y0 = a.y & ~1; /* the view is even */
    const int32_t x1 = (a.x + a.w + 1) & ~1, y1 = (a.y + a.h + 1) & ~1;
    return (uis_rect){x0, y0, x1 - x0, y1 - y0};
}

static void convert_even(const uis_bgra *from, const uis_rect *a, uis_i420 *to) {
    uis_i420 out =
        uis_i420_crop(to, (uint32_t)a->x, (uint32_t)a->y, (uint32_t)a->w, (uint32_t)a->h);
    /* libyuv names formats by their little-endian word: ARGB is B,G,R,A in memory. */
    ARGBToI420(from->pixels + (size_t)a->y * from->stride + (size_t)a->x * 4, (int)from->stride,
               out.y, (int)out.y_stride, out.u, (int)out.c_stride, out.v, (int)out.c_stride, a->w,
               a->h);
}

static void pad(const uis_bgra *from, uis_i420 *to) {
    if (to->width == from->width && to->height == from->height)
        return;
    pad_plane(to->y, to->y_stride, from->width, from->height, to->width, to->height);
    pad_plane(to->u, to->c_stride, from->width / 2, from->height / 2, to->width / 2,
              to->height / 2);
    pad_plane(to->v, to->c_stride, from->width / 2, from->height / 2, to->width / 2,
              to->height / 2);
}

void uis_convert(const uis_bgra *from, const uis_rect *area, uis_i420 *to) {
    const uis_rect a = even_area(from, area);
    if (uis_rect_empty(a))
        return;
    convert_even(from, &a, to);
    pad(from, to);
}

typedef struct conversion {
    const uis_bgra *from;
    uis_rect area;
    uis_i420 *to;
} conversion;

#define CONVERTED_AT_ONCE 16 /* rows; even, so that each sample of chroma is made in one call */

static void convert_rows(void *context, uint32_t band, uint32_t from, uint32_t to) {
    const conversion *c = context;
    const int32_t y0 = (int32_t)from * CONVERTED_AT_ONCE, y1 = (int32_t)to * CONVERTED_AT_ONCE;
    const uis_rect part = {c->area.x, c->area.y + y0, c->area.w,
                           (y1 < c->area.h ? y1 : c->area.h) - y0};
    (void)band;
    convert_even(c->from, &part, c->to);
}

void uis_convert_shared(uis_row_pool *rows, const uis_bgra *from, const uis_rect *area,
                        uis_i420 *to) {
    conversion c = {from, even_area(from, area), to};
    if (uis_rect_empty(c.area))
        return;
    uis_rows_run(rows, ((uint32_t)c.area.h + CONVERTED_AT_ONCE - 1) / CONVERTED_AT_ONCE,
                 (size_t)c.area.w * (size_t)c.area.h / 256, convert_rows, &c);
    pad(from, to);
}

void uis_from_nv12(const uis_encoded *e, uis_i420 *to) {
    NV12ToI420(e->recon_y, (int)e->recon_y_stride, e->recon_uv, (int)e->recon_uv_stride, to->y,
               (int)to->y_stride, to->u, (int)to->c_stride, to->v, (int)to->c_stride,
               (int)to->width, (int)to->height);
}

static inline uint64_t mix(uint64_t h, uint64_t word) {
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

/* w is a multiple of 2; whole words first, the rest byte by byte. */
static uint64_t digest_block(uint64_t h, const uint8_t *p, size_t stride, uint32_t w,
                             uint32_t rows) {
    for (uint32_t y = 0; y < rows; y++, p += stride) {
        uint32_t x = 0;
        for (; x + 8 <= w; x += 8) {
            uint64_t word;
            memcpy(&word, p + x, 8);
            h = mix(h, word);
        }
        for (; x < w; x++)
            h = mix(h, p[x]);
    }
    return h;
}

uint64_t uis_digest_mb(const uis_i420 *p, uint32_t mb_x, uint32_t mb_y, uint32_t width,
                       uint32_t height) {
    uint32_t x = mb_x * 16, y = mb_y * 16;
    uint32_t w = width - x < 16 ? width - x : 16, h = height - y < 16 ? height - y : 16;
    size_t chroma = (size_t)(y / 2) * p->c_stride + x / 2;
    uint64_t d =
        digest_block(0x243f6a8885a308d3u, p->y + (size_t)y * p->y_stride + x, p->y_stride, w, h);
    d = digest_block(d, p->u + chroma, p->c_stride, w / 2, h / 2);
    return digest_block(d, p->v + chroma, p->c_stride, w / 2, h / 2);
}

/* A whole macroblock: with all its differences at hand the compiler squares and adds eight a
 * step (SSE2), which is three times as fast as row by row. */
static uint32_t sse_whole(const uint8_t *p, size_t p_stride, const uint8_t *q, size_t q_stride) {
    int16_t d[16 * 16];
    int32_t sum = 0;
    for (uint32_t y = 0; y < 16; y++, p += p_stride, q += q_stride)
        for (uint32_t x = 0; x < 16; x++)
            d[y * 16 + x] = (int16_t)(p[x] - q[x]);
    for (uint32_t i = 0; i < 16 * 16; i++)
        sum += (int32_t)d[i] * d[i];
    return (uint32_t)sum;
}

uint32_t uis_sse_mb(const uis_i420 *a, const uis_i420 *b, uint32_t mb_x, uint32_t mb_y,
                    uint32_t width, uint32_t height) {
    uint32_t x = mb_x * 16, y = mb_y * 16;
    uint32_t w = width - x < 16 ? width - x : 16, h = height - y < 16 ? height - y : 16;
    const uint8_t *p = a->y + (size_t)y * a->y_stride + x;
    const uint8_t *q = b->y + (size_t)y * b->y_stride + x;
    if (w == 16 && h == 16)
        return sse_whole(p, a->y_stride, q, b->y_stride);
    uint32_t sum = 0;
    for (uint32_t row = 0; row < h; row++, p += a->y_stride, q += b->y_stride)
        for (uint32_t i = 0; i < w; i++) {
            int32_t d = p[i] - q[i];
            sum += (uint32_t)(d * d);
        }
    return sum;
}

void uis_merge_planes(const uint8_t *g, size_t g_stride, const uint8_t *b, size_t b_stride,
                      const uint8_t *r, size_t r_stride, uint8_t *bgra, size_t bgra_stride,
                      uint32_t width, uint32_t height) {
    MergeARGBPlane(r, (int)r_stride, g, (int)g_stride, b, (int)b_stride, NULL, 0, bgra,
                   (int)bgra_stride, (int)width, (int)height);
}

void uis_digest_i420(const uint8_t *y, size_t y_stride, const uint8_t *u, size_t c_stride,
                     const uint8_t *v, uint32_t width, uint32_t height, uint64_t *out) {
    const uis_i420 picture = {.y = (uint8_t *)(uintptr_t)y,
                              .u = (uint8_t *)(uintptr_t)u,
                              .v = (uint8_t *)(uintptr_t)v,
                              .y_stride = y_stride,
                              .c_stride = c_stride,
                              .width = width,
                              .height = height};
    for (uint32_t my = 0; my < (height + 15) / 16; my++)
        for (uint32_t mx = 0; mx < (width + 15) / 16; mx++)
            *out++ = uis_digest_mb(&picture, mx, my, width, height);
}
