/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mv_check.h"

/* Luma: 2 pixels before and 3 behind where the vector has a fraction. Chroma's
 * bilinear filter reads one pixel more, at eighth-pixel positions, which never
 * reaches further than luma's six taps do; at whole luma vectors of odd value
 * chroma still reads its next pixel, two luma pixels on. */
static bool axis_leaves(int32_t position, int32_t size, int32_t vector, int32_t limit,
                        bool low_open, bool high_open) {
    int32_t whole = vector >> 2;
    bool fraction = (vector & 3) != 0, chroma_fraction = (vector & 7) != 0;
    int32_t first = position + whole - (fraction ? 2 : 0);
    int32_t last = position + whole + size - 1 + (fraction ? 3 : 0);
    /* Chroma sample c covers luma pixels 2c and 2c+1. */
    int32_t chroma_first = (position / 2 + (vector >> 3)) * 2;
    int32_t chroma_last = (position / 2 + size / 2 - 1 + (vector >> 3) + chroma_fraction) * 2 + 1;
    if (chroma_first < first)
        first = chroma_first;
    if (chroma_last > last)
        last = chroma_last;
    return (!low_open && first < 0) || (!high_open && last >= limit);
}

static bool leaves(const uis_mb_picture *p, uint32_t address, uint32_t x, uint32_t y, uint32_t w,
                   uint32_t h, uis_open_edges edge) {
    uis_vector v = p->mbs[address].mv[y * 4 + x];
    int32_t px = (int32_t)(address % p->width * 16 + x * 4);
    int32_t py = (int32_t)(address / p->width * 16 + y * 4);
    return axis_leaves(px, (int32_t)w * 4, v.x, (int32_t)p->width * 16, edge.left, edge.right) ||
           axis_leaves(py, (int32_t)h * 4, v.y, (int32_t)p->height * 16, edge.top, edge.bottom);
}

static bool macroblock_leaks(const uis_mb_picture *p, uint32_t address, uis_open_edges edge) {
    const uis_macroblock *mb = &p->mbs[address];
    switch (mb->kind) {
    case UIS_MB_SKIP:
    case UIS_MB_P16X16:
        return leaves(p, address, 0, 0, 4, 4, edge);
    case UIS_MB_P16X8:
        return leaves(p, address, 0, 0, 4, 2, edge) || leaves(p, address, 0, 2, 4, 2, edge);
    case UIS_MB_P8X16:
        return leaves(p, address, 0, 0, 2, 4, edge) || leaves(p, address, 2, 0, 2, 4, edge);
    case UIS_MB_P8X8:
    case UIS_MB_P8X8_REF0:
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t k = 0; k < uis_sub_count[mb->sub[i]]; k++) {
                uis_partition q = uis_sub_partition[mb->sub[i]][k];
                if (leaves(p, address, (i & 1) * 2 + q.x, (i >> 1) * 2 + q.y, q.w, q.h, edge))
                    return true;
            }
        return false;
    default:
        return false;
    }
}

uint32_t uis_count_leaks(const uis_mb_picture *p, uis_open_edges edge) {
    uint32_t leaks = 0;
    for (uint32_t i = 0; i < p->width * p->height; i++)
        leaks += macroblock_leaks(p, i, edge);
    return leaks;
}
