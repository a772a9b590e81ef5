/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uisplice/dirty_map.h"

#include <string.h>

bool uis_rect_empty(uis_rect r) {
    return r.w <= 0 || r.h <= 0;
}

uis_rect uis_rect_intersect(uis_rect a, uis_rect b) {
    /* 64 bits: rectangles come from the page, and x + w may pass INT32_MAX. */
    int64_t x0 = a.x > b.x ? a.x : b.x, y0 = a.y > b.y ? a.y : b.y;
    int64_t ax = (int64_t)a.x + a.w, bx = (int64_t)b.x + b.w;
    int64_t ay = (int64_t)a.y + a.h, by = (int64_t)b.y + b.h;
    int64_t x1 = ax < bx ? ax : bx, y1 = ay < by ? ay : by;
    if (x1 <= x0 || y1 <= y0)
        return (uis_rect){0, 0, 0, 0};
    return (uis_rect){(int32_t)x0, (int32_t)y0, (int32_t)(x1 - x0), (int32_t)(y1 - y0)};
}

uis_rect uis_rect_union(uis_rect a, uis_rect b) {
    if (uis_rect_empty(a))
        return b;
    if (uis_rect_empty(b))
        return a;
    int32_t x0 = a.x < b.x ? a.x : b.x, y0 = a.y < b.y ? a.y : b.y;
    int32_t x1 = a.x + a.w > b.x + b.w ? a.x + a.w : b.x + b.w;
    int32_t y1 = a.y + a.h > b.y + b.h ? a.y + a.h : b.y + b.h;
    return (uis_rect){x0, y0, x1 - x0, y1 - y0};
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* 16 pixels = 64 bytes; or-ing xors keeps it free of branches, so the compiler
 * turns it into four vector compares. */
static inline bool differ64(const uint8_t *a, const uint8_t *b) {
    uint64_t d = 0;
    for (int i = 0; i < 64; i += 8)
        d |= load64(a + i) ^ load64(b + i);
    return d != 0;
}

typedef bool (*span_differs)(const uint8_t *a, const uint8_t *b, size_t bytes);

static bool span_fast(const uint8_t *a, const uint8_t *b, size_t bytes) {
    return bytes == 64 ? differ64(a, b) : memcmp(a, b, bytes) != 0;
}

static bool span_plain(const uint8_t *a, const uint8_t *b, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (a[i] != b[i])
            return true;
    return false;
}

/* Of rows `from` to `to - 1` of macroblocks. */
static inline uint32_t build_map(const uis_bgra *now, const uis_bgra *before,
                                 const uis_rect *damage, uint32_t from, uint32_t to, uint8_t *map,
                                 uis_rect *box, span_differs differs) {
    const uint32_t mb_width = (now->width + 15) / 16;
    memset(map + (size_t)from * mb_width, 0, (size_t)(to - from) * mb_width);
    *box = (uis_rect){0, 0, 0, 0};
    const uis_rect view = {0, 0, (int32_t)now->width, (int32_t)now->height};
    const uis_rect band = {0, (int32_t)from * 16, view.w, (int32_t)(to - from) * 16};
    const uis_rect area = uis_rect_intersect(*damage, uis_rect_intersect(band, view));
    if (uis_rect_empty(area))
        return 0;
    const int32_t right = area.x + area.w, bottom = area.y + area.h;
    uint32_t dirty = 0;
    for (int32_t row = area.y / 16; row <= (bottom - 1) / 16; row++) {
        uint8_t *line = map + (size_t)row * mb_width;
        int32_t y0 = row * 16 > area.y ? row * 16 : area.y;
        int32_t y1 = row * 16 + 16 < bottom ? row * 16 + 16 : bottom;
        for (int32_t col = area.x / 16; col <= (right - 1) / 16; col++) {
            int32_t x0 = col * 16 > area.x ? col * 16 : area.x;
            int32_t x1 = col * 16 + 16 < right ? col * 16 + 16 : right;
            for (int32_t y = y0; y < y1; y++) {
                if (!differs(now->pixels + (size_t)y * now->stride + (size_t)x0 * 4,
                             before->pixels + (size_t)y * before->stride + (size_t)x0 * 4,
                             (size_t)(x1 - x0) * 4))
                    continue;
                line[col] = 1;
                dirty++;
                *box = uis_rect_union(*box, (uis_rect){col * 16, row * 16, 16, 16});
                break;
            }
        }
    }
    *box = uis_rect_intersect(*box, view);
    return dirty;
}

static uint32_t mb_rows(const uis_bgra *picture) {
    return (picture->height + 15) / 16;
}

uint32_t uis_dirty_map_rows(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                            uint32_t from, uint32_t to, uint8_t *map, uis_rect *box) {
    return build_map(now, before, damage, from, to, map, box, span_fast);
}

uint32_t uis_dirty_map(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                       uint8_t *map, uis_rect *box) {
    return build_map(now, before, damage, 0, mb_rows(now), map, box, span_fast);
}

uint32_t uis_dirty_map_plain(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                             uint8_t *map, uis_rect *box) {
    return build_map(now, before, damage, 0, mb_rows(now), map, box, span_plain);
}

static bool covered(int32_t x, int32_t y, const uis_rect *rects, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (x >= rects[i].x && y >= rects[i].y && x - rects[i].x < rects[i].w &&
            y - rects[i].y < rects[i].h)
            return true;
    return false;
}

/* True if the macroblock at (x0, y0) holds a changed pixel outside every rectangle. */
static bool changed_outside(const uis_bgra *now, const uis_bgra *before, int32_t x0, int32_t y0,
                            const uis_rect *rects, uint32_t count) {
    const uis_rect view = {0, 0, (int32_t)now->width, (int32_t)now->height};
    const uis_rect mb = uis_rect_intersect((uis_rect){x0, y0, 16, 16}, view);
    for (uint32_t i = 0; i < count; i++) {
        uis_rect common = uis_rect_intersect(mb, rects[i]);
        if (common.w == mb.w && common.h == mb.h)
            return false; /* the usual case: wholly inside one video */
    }
    for (int32_t y = mb.y; y < mb.y + mb.h; y++)
        for (int32_t x = mb.x; x < mb.x + mb.w; x++)
            if (memcmp(now->pixels + (size_t)y * now->stride + (size_t)x * 4,
                       before->pixels + (size_t)y * before->stride + (size_t)x * 4, 4) != 0 &&
                !covered(x, y, rects, count))
                return true;
    return false;
}

uint32_t uis_dirty_outside_rows(const uis_bgra *now, const uis_bgra *before, const uint8_t *map,
                                const uis_rect *rects, uint32_t count, uint32_t from, uint32_t to) {
    const uint32_t mb_width = (now->width + 15) / 16;
    uint32_t outside = 0;
    for (uint32_t row = from; row < to; row++)
        for (uint32_t col = 0; col < mb_width; col++)
            if (map[(size_t)row * mb_width + col] &&
                changed_outside(now, before, (int32_t)col * 16, (int32_t)row * 16, rects, count))
                outside++;
    return outside;
}

uint32_t uis_dirty_outside(const uis_bgra *now, const uis_bgra *before, const uint8_t *map,
                           const uis_rect *rects, uint32_t count) {
    return uis_dirty_outside_rows(now, before, map, rects, count, 0, mb_rows(now));
}
