/* SPDX-License-Identifier: GPL-2.0-or-later
 * What macroblocks take from their neighbours; see macroblock.h. */
#include "macroblock.h"

#include <stdlib.h>
#include <string.h>

const uint8_t uis_sub_count[4] = {1, 2, 2, 4};
const uis_partition uis_sub_partition[4][4] = {
    {{0, 0, 2, 2}},
    {{0, 0, 2, 1}, {0, 1, 2, 1}},
    {{0, 0, 1, 2}, {1, 0, 1, 2}},
    {{0, 0, 1, 1}, {1, 0, 1, 1}, {0, 1, 1, 1}, {1, 1, 1, 1}},
};

int uis_mb_picture_alloc(uis_mb_picture *p, uint32_t width, uint32_t height) {
    p->width = width;
    p->height = height;
    p->mbs = calloc((size_t)width * height, sizeof *p->mbs);
    return p->mbs ? 0 : -1;
}

void uis_mb_picture_free(uis_mb_picture *p) {
    free(p->mbs);
    *p = (uis_mb_picture){0};
}

void uis_mb_picture_clear(uis_mb_picture *p) {
    for (size_t i = 0; i < (size_t)p->width * p->height; i++)
        p->mbs[i].kind = p->mbs[i].still = UIS_MB_NONE;
}

void uis_fill_vectors(uis_macroblock *mb, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                      uis_vector v) {
    for (uint32_t j = y; j < y + h; j++)
        for (uint32_t i = x; i < x + w; i++)
            mb->mv[j * 4 + i] = v;
}

void uis_mb_enter(uis_mb_picture *p, uint32_t address) {
    const uis_macroblock *mb = &p->mbs[address];
    const uint32_t x = address % p->width, before = address - p->first, width = p->width;
    p->near = (uis_neighbours){.left = x > 0 && before >= 1 ? mb - 1 : NULL,
                               .up = before >= width ? mb - width : NULL,
                               .up_right = x + 1 < width && before >= width - 1 && address >= width
                                               ? mb - width + 1
                                               : NULL,
                               .up_left = x > 0 && before >= width + 1 ? mb - width - 1 : NULL};
}

typedef struct motion {
    bool available;
    int ref; /* -1: intra, or not available */
    uis_vector mv;
} motion;

/* Decoding order of 4x4 blocks inside a macroblock. */
static uint32_t order(uint32_t x, uint32_t y) {
    return (x & 1) | (y & 1) << 1 | (x & 2) << 1 | (y & 2) << 2;
}

/* Motion at 4x4 position (x, y) relative to a macroblock; -1 and 4 reach over
 * its edges. `before`: decoding order of the partition that asks. */
static motion motion_at(const uis_mb_picture *p, uint32_t address, int x, int y, uint32_t before) {
    const uis_macroblock *mb;
    if (x >= 0 && x < 4 && y >= 0) {
        if (order((uint32_t)x, (uint32_t)y) >= before)
            return (motion){false, -1, {0, 0}};
        mb = &p->mbs[address];
    } else if (y >= 0 && x >= 4) {
        return (motion){false, -1, {0, 0}}; /* the macroblock to the right comes later */
    } else {
        mb = y >= 0   ? p->near.left
             : x < 0  ? p->near.up_left
             : x >= 4 ? p->near.up_right
                      : p->near.up;
        if (!mb)
            return (motion){false, -1, {0, 0}};
    }
    uint32_t bx = (uint32_t)x & 3, by = (uint32_t)y & 3;
    int ref = mb->ref[(by >> 1) * 2 + (bx >> 1)];
    return (motion){true, ref, ref < 0 ? (uis_vector){0, 0} : mb->mv[by * 4 + bx]};
}

static int16_t median(int16_t a, int16_t b, int16_t c) {
    int16_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

static bool same_ref(motion m, int ref) {
    return m.available && m.ref == ref;
}

/* Median prediction (8.4.1.3.1). */
static uis_vector predict(motion a, motion b, motion c, int ref) {
    if (!b.available && !c.available && a.available)
        return a.mv;
    bool ra = same_ref(a, ref), rb = same_ref(b, ref), rc = same_ref(c, ref);
    if (ra + rb + rc == 1)
        return ra ? a.mv : rb ? b.mv : c.mv;
    return (uis_vector){median(a.mv.x, b.mv.x, c.mv.x), median(a.mv.y, b.mv.y, c.mv.y)};
}

static motion of_block(const uis_macroblock *mb, uint32_t block) {
    if (!mb)
        return (motion){false, -1, {0, 0}};
    const int ref = mb->ref[(block >> 3) * 2 + (block >> 1 & 1)];
    return (motion){true, ref, ref < 0 ? (uis_vector){0, 0} : mb->mv[block]};
}

uis_vector uis_predict_vector(const uis_mb_picture *p, uint32_t address, uint32_t bx, uint32_t by,
                              uint32_t bw, int ref, int shape) {
    if (bw == 4 && shape == 0) { /* 16x16, by far the most frequent */
        const motion l = of_block(p->near.left, 3), u = of_block(p->near.up, 12);
        const motion c =
            p->near.up_right ? of_block(p->near.up_right, 12) : of_block(p->near.up_left, 15);
        return predict(l, u, c, ref);
    }
    const uint32_t before = order(bx, by);
    const int x = (int)bx, y = (int)by;
    motion a = motion_at(p, address, x - 1, y, before);
    motion b = motion_at(p, address, x, y - 1, before);
    motion c = motion_at(p, address, x + (int)bw, y - 1, before);
    if (!c.available)
        c = motion_at(p, address, x - 1, y - 1, before);
    if (shape == 1 && same_ref(b, ref))
        return b.mv;
    if ((shape == 2 || shape == 3) && same_ref(a, ref))
        return a.mv;
    if (shape == 4 && same_ref(c, ref))
        return c.mv;
    return predict(a, b, c, ref);
}

bool uis_skip_is_still(const uis_mb_picture *p) {
    const uis_macroblock *a = p->near.left, *b = p->near.up;
    return !a || !b || (a->ref[1] == 0 && a->mv[3].x == 0 && a->mv[3].y == 0) ||
           (b->ref[2] == 0 && b->mv[12].x == 0 && b->mv[12].y == 0);
}

uis_vector uis_predict_skip(const uis_mb_picture *p, uint32_t address) {
    if (uis_skip_is_still(p))
        return (uis_vector){0, 0};
    return uis_predict_vector(p, address, 0, 0, 4, 0, 0);
}

enum { MODE_DC = 2 };

/* Not available, or taken to be so, for the prediction of modes. */
static bool has_no_mode(const uis_mb_picture *p, const uis_macroblock *mb) {
    return !mb || (p->constrained && !uis_mb_is_intra(mb));
}

static uint8_t i4_mode_of(const uis_macroblock *mb, uint32_t x, uint32_t y) {
    return mb->kind == UIS_MB_I4X4 ? mb->i4_mode[y * 4 + x] : MODE_DC;
}

uint8_t uis_predict_i4_mode(const uis_mb_picture *p, uint32_t address, uint32_t x, uint32_t y) {
    const uis_macroblock *self = &p->mbs[address];
    const uis_macroblock *left = x > 0 ? self : p->near.left;
    const uis_macroblock *up = y > 0 ? self : p->near.up;
    if (has_no_mode(p, left) || has_no_mode(p, up))
        return MODE_DC;
    const uint8_t a = i4_mode_of(left, x > 0 ? x - 1 : 3, y);
    const uint8_t b = i4_mode_of(up, x, y > 0 ? y - 1 : 3);
    return a < b ? a : b;
}

int uis_predict_nc(const uis_mb_picture *p, uint32_t address, int plane, uint32_t x, uint32_t y) {
    const uint32_t side = plane == 0 ? 4 : 2, base = plane == 0 ? 0 : plane == 1 ? 16 : 20;
    const uis_macroblock *self = &p->mbs[address];
    const uis_macroblock *left = x > 0 ? self : p->near.left;
    const uis_macroblock *up = y > 0 ? self : p->near.up;
    uint32_t lx = x > 0 ? x - 1 : side - 1, uy = y > 0 ? y - 1 : side - 1;
    int na = left ? left->nonzero[base + y * side + lx] : 0;
    int nb = up ? up->nonzero[base + uy * side + x] : 0;
    if (left && up)
        return (na + nb + 1) >> 1;
    return left ? na : nb;
}
