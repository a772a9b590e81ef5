/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mv_check.h"

typedef struct span {
    int32_t first, last; /* luma pixels, inclusive */
} span;

/* Luma: 2 pixels before and 3 behind where the vector has a fraction. Chroma's
 * bilinear filter reads one pixel more, at eighth-pixel positions, which never
 * reaches further than luma's six taps do; at whole luma vectors of odd value
 * chroma still reads its next pixel, two luma pixels on. */
static span pixels_read(int32_t position, int32_t size, int32_t vector) {
    int32_t whole = vector >> 2;
    bool fraction = (vector & 3) != 0, chroma_fraction = (vector & 7) != 0;
    span s = {position + whole - (fraction ? 2 : 0),
              position + whole + size - 1 + (fraction ? 3 : 0)};
    /* Chroma sample c covers luma pixels 2c and 2c+1. */
    int32_t chroma_first = (position / 2 + (vector >> 3)) * 2;
    int32_t chroma_last = (position / 2 + size / 2 - 1 + (vector >> 3) + chroma_fraction) * 2 + 1;
    if (chroma_first < s.first)
        s.first = chroma_first;
    if (chroma_last > s.last)
        s.last = chroma_last;
    return s;
}

uint32_t uis_mb_partitions(const uis_macroblock *mb, uis_partition out[16]) {
    switch (mb->kind) {
    case UIS_MB_SKIP:
    case UIS_MB_P16X16:
        out[0] = (uis_partition){0, 0, 4, 4};
        return 1;
    case UIS_MB_P16X8:
        out[0] = (uis_partition){0, 0, 4, 2};
        out[1] = (uis_partition){0, 2, 4, 2};
        return 2;
    case UIS_MB_P8X16:
        out[0] = (uis_partition){0, 0, 2, 4};
        out[1] = (uis_partition){2, 0, 2, 4};
        return 2;
    case UIS_MB_P8X8:
    case UIS_MB_P8X8_REF0: {
        uint32_t count = 0;
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t k = 0; k < uis_sub_count[mb->sub[i]]; k++) {
                uis_partition q = uis_sub_partition[mb->sub[i]][k];
                out[count++] = (uis_partition){(uint8_t)((i & 1) * 2 + q.x),
                                               (uint8_t)((i >> 1) * 2 + q.y), q.w, q.h};
            }
        return count;
    }
    default:
        return 0;
    }
}

static bool leaves(span s, int32_t limit, bool low_open, bool high_open) {
    return (!low_open && s.first < 0) || (!high_open && s.last >= limit);
}

bool uis_leaks(const uis_mb_picture *p, uint32_t address, uis_open_edges edge) {
    const uis_macroblock *mb = &p->mbs[address];
    const int32_t mb_x = (int32_t)(address % p->width * 16);
    const int32_t mb_y = (int32_t)(address / p->width * 16);
    uis_partition partitions[16];
    const uint32_t count = uis_mb_partitions(mb, partitions);
    for (uint32_t i = 0; i < count; i++) {
        const uis_partition *q = &partitions[i];
        const uis_vector v = mb->mv[q->y * 4 + q->x];
        if (leaves(pixels_read(mb_x + q->x * 4, q->w * 4, v.x), (int32_t)p->width * 16, edge.left,
                   edge.right) ||
            leaves(pixels_read(mb_y + q->y * 4, q->h * 4, v.y), (int32_t)p->height * 16, edge.top,
                   edge.bottom))
            return true;
    }
    return false;
}

uint32_t uis_count_leaks(const uis_mb_picture *p, uis_open_edges edge) {
    uint32_t leaks = 0;
    for (uint32_t i = 0; i < p->width * p->height; i++)
        leaks += uis_leaks(p, i, edge);
    return leaks;
}

/* First macroblock and number of macroblocks that a span reads of `count`. */
static void cover(span s, uint32_t count, uint32_t *first, uint32_t *number) {
    const int32_t most = (int32_t)count - 1;
    int32_t a = s.first >> 4, b = s.last >> 4;
    a = a < 0 ? 0 : a > most ? most : a;
    b = b < 0 ? 0 : b > most ? most : b;
    *first = (uint32_t)a;
    *number = (uint32_t)(b - a) + 1;
}

uis_mb_rect uis_predicted_from(const uis_macroblock *mb, uint32_t address, const uis_partition *q,
                               uint32_t width, uint32_t height) {
    const uis_vector v = mb->mv[q->y * 4 + q->x];
    uis_mb_rect out;
    cover(pixels_read((int32_t)(address % width * 16) + q->x * 4, q->w * 4, v.x), width, &out.x,
          &out.w);
    cover(pixels_read((int32_t)(address / width * 16) + q->y * 4, q->h * 4, v.y), height, &out.y,
          &out.h);
    return out;
}
