/* SPDX-License-Identifier: GPL-2.0-or-later
 * Tells which pixels inter predictions read, the six-tap filter's support
 * included (clause 8.4.2.2), and whether any leaves a region. */
#ifndef UIS_MV_CHECK_H
#define UIS_MV_CHECK_H

#include "part.h"

/* Which edges of the region are edges of the real frame: there encoder and
 * decoder repeat the same pixels, so reaching over them is no leak. */
typedef struct uis_open_edges {
    bool left, top, right, bottom;
} uis_open_edges;

/* True if the macroblock has a prediction that leaves the picture over an edge that is
 * not a frame edge. */
bool uis_leaks(const uis_mb_picture *picture, uint32_t address, uis_open_edges frame_edges);

/* Number of macroblocks for which that is so. */
uint32_t uis_count_leaks(const uis_mb_picture *picture, uis_open_edges frame_edges);

/* The partitions of an inter macroblock with vectors of their own (at most 16).
 * Returns how many; 0 for intra. */
uint32_t uis_mb_partitions(const uis_macroblock *mb, uis_partition out[16]);

/* The macroblocks of the reference picture (width x height macroblocks) that a
 * partition of the macroblock at `address` reads, cut at the picture's edges. */
uis_mb_rect uis_predicted_from(const uis_macroblock *mb, uint32_t address,
                               const uis_partition *partition, uint32_t width, uint32_t height);
#endif
