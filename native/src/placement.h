/* SPDX-License-Identifier: GPL-2.0-or-later
 * Places parts in one picture: tells which of their macroblocks would mean
 * something else there, and mends those. The second of the three steps of
 * splicing (read parts, place them, write a picture).
 *
 * A macroblock means the same in the picture as in its encoder's when
 *  - every prediction reads pixels that the decoder has as the encoder had them.
 *    Encoder 1 has the regions' places as they were before the video came; the
 *    decoder has them so in LTR 0. So a partition that reads there predicts from
 *    LTR 0, if all else that it reads is the same in LTR 0 too;
 *  - no intra macroblock predicts from a neighbour of another part or slice: its
 *    encoder had other samples there, or the edge of its picture. Where a region is
 *    all intra (its first picture), constrained intra prediction hides the inter
 *    macroblocks around it; where an encoder's slice begins, a slice of the picture can
 *    begin, too, and hide what is above;
 *  - with the deblocking filter on, nothing at a part's border is filtered, because
 *    both sides are static (boundary strength 0, clause 8.7.2.1), and the picture has the slices
 *    of the one part that has several: across them x264 does not filter.
 * What does not is patched: I_PCM with the encoder's own reconstruction. */
#ifndef UIS_PLACEMENT_H
#define UIS_PLACEMENT_H

#include "mv_check.h"

enum {
    UIS_MAX_PARTS = 9, /* encoder 1 and eight regions */
    UIS_MAX_CUTS = 63
};

typedef struct uis_placement {
    uint32_t width, height; /* of the picture, macroblocks */
    /* parts[0] is encoder 1's and covers the picture; NULL: it coded nothing, all
     * that no other part owns is P_Skip. The others are regions; NULL: this one
     * coded nothing and is P_Skip too. */
    uis_part *parts[UIS_MAX_PARTS];
    uint32_t leaks[UIS_MAX_PARTS]; /* of regions: macroblocks to patch, see uis_count_leaks */
    uis_open_edges open[UIS_MAX_PARTS];
    uint32_t count;
    const uint8_t *owner; /* index into parts by macroblock */
    /* Where encoder 1's last picture differs from the stream's: the regions and what
     * has just ceased to be one. */
    uis_mb_rect foreign[4 * UIS_MAX_PARTS];
    uint32_t foreign_count;
    const uint8_t *in_ltr0; /* 1: encoder 1 has this macroblock as LTR 0 has it */
    bool deblock;
    bool constrained;     /* the picture uses constrained intra prediction */
    uint32_t patch_limit; /* macroblocks; more than these do not fit */

    /* Results. */
    uint32_t cuts[UIS_MAX_CUTS]; /* macroblocks that begin another slice, in order */
    uint32_t cut_count;
    bool uses_ltr0;   /* list entry 1 is needed: LTR 0 */
    uint32_t patched; /* macroblocks */
} uis_placement;

/* True for what the deblocking filter leaves alone beside another such: one vector of
 * zero, nothing coded. */
bool uis_mb_is_static(const uis_macroblock *mb);

/* 0: the parts fit, patched where needed; 1: they do not; -1: no memory. */
int uis_place(uis_placement *p);
#endif
