/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which macroblocks of a frame changed: an exact compare with the frame
 * before, inside the damage. Chrome's damage is a hint that bounds the search;
 * the pixels decide. */
#ifndef UIS_DIRTY_MAP_H
#define UIS_DIRTY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uisplice/frame_ring.h"

#pragma GCC visibility push(default)
/* cffi: begin */
typedef struct uis_bgra {
    const uint8_t *pixels;
    size_t stride;
    uint32_t width, height;
} uis_bgra;

/* Sets map[mb] (raster order, ceil(width/16) a row) to 1 where a pixel of the
 * macroblock inside `damage` differs, else 0; the whole map is written. Returns
 * the number of ones and their bounding box in *box (pixels, clipped to the view). */
uint32_t uis_dirty_map(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                       uint8_t *map, uis_rect *box);
/* The same, pixel by pixel: the twin that tests compare with. */
uint32_t uis_dirty_map_plain(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                             uint8_t *map, uis_rect *box);

/* Of the dirty macroblocks of `map`, how many hold a changed pixel that no rectangle covers. */
uint32_t uis_dirty_outside(const uis_bgra *now, const uis_bgra *before, const uint8_t *map,
                           const uis_rect *rects, uint32_t count);

/* Rectangles. */
uis_rect uis_rect_intersect(uis_rect a, uis_rect b); /* w = h = 0 when disjoint */
uis_rect uis_rect_union(uis_rect a, uis_rect b);     /* bounding box; empty ones are ignored */
bool uis_rect_empty(uis_rect r);
/* cffi: end */
#pragma GCC visibility pop

/* The same of rows `from` to `to - 1` of macroblocks: only those of the map are written and read,
 * and the box is theirs. */
uint32_t uis_dirty_map_rows(const uis_bgra *now, const uis_bgra *before, const uis_rect *damage,
                            uint32_t from, uint32_t to, uint8_t *map, uis_rect *box);
uint32_t uis_dirty_outside_rows(const uis_bgra *now, const uis_bgra *before, const uint8_t *map,
                                const uis_rect *rects, uint32_t count, uint32_t from, uint32_t to);
#endif
