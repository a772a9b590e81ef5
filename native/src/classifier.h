/* SPDX-License-Identifier: GPL-2.0-or-later
 * The class of a tick, from the pixels that changed and the videos that play. */
#ifndef UIS_CLASSIFIER_H
#define UIS_CLASSIFIER_H

#include "uisplice/dirty_map.h"
#include "part.h"
#include "source.h"
#include "uisplice/recorder.h"

typedef struct uis_classification {
    uint32_t tick_class; /* UIS_UNCHANGED, ... */
    uint32_t dirty_mbs;
    uint32_t outside_mbs;                  /* dirty ones with a changed pixel outside all videos */
    uis_rect dirty;                        /* bounding box, pixels */
    uis_rect videos[UIS_RING_MAX_REGIONS]; /* those that play, cut to the view, pixels */
    uint32_t video_count;
    uis_rect paused[UIS_RING_MAX_REGIONS]; /* those that do not */
    uint32_t paused_count;
} uis_classification;

/* Compares the two frames that `source` took, of the size of `view`, inside `damage`, fills
 * `map` (see uis_dirty_map) and tells the class: UNCHANGED without a changed pixel, VIDEO_ONLY
 * when every changed pixel lies in the rectangle of a video that plays, else CHANGED. 0, or -1
 * with a sentence in err: they cannot be compared. */
int uis_classify(uis_source *source, const uis_rect *view, const uis_rect *damage,
                 const uis_video_region *regions, uint32_t region_count, uint64_t present_ns,
                 uint8_t *map, uis_classification *out, char *err, size_t err_size);

/* Macroblocks that cover a rectangle, and those with `guard` more on each side;
 * both cut at the picture's edges. */
uis_mb_rect uis_mb_cover(const uis_rect *rect, uint32_t guard, uint32_t mb_width,
                         uint32_t mb_height);
#endif
