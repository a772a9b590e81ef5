/* SPDX-License-Identifier: GPL-2.0-or-later
 * Tells whether any inter prediction of a region's picture leaves the region,
 * the six-tap filter's support included (clause 8.4.2.2). */
#ifndef UIS_MV_CHECK_H
#define UIS_MV_CHECK_H

#include "macroblock.h"

/* Which edges of the region are edges of the real frame: there encoder and
 * decoder repeat the same pixels, so reaching over them is no leak. */
typedef struct uis_open_edges {
    bool left, top, right, bottom;
} uis_open_edges;

/* Number of macroblocks with a prediction that leaves the picture over an edge that
 * is not a frame edge. */
uint32_t uis_count_leaks(const uis_mb_picture *picture, uis_open_edges frame_edges);
#endif
