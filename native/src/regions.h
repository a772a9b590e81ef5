/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which encoder owns which macroblock: the regions that live, and those that the
 * videos on the page ask for. */
#ifndef UIS_REGIONS_H
#define UIS_REGIONS_H

#include "classifier.h"
#include "region.h"

typedef struct uis_wanted_region {
    uis_mb_rect at, core;
} uis_wanted_region;

/* A place that a video asks for, and for how many pictures it has done so. */
typedef struct uis_standing {
    uis_mb_rect at;
    uint32_t pictures;
} uis_standing;

typedef struct uis_regions {
    uint32_t width, height; /* of the frame, macroblocks */
    uis_region items[UIS_RING_MAX_REGIONS];
    uint32_t count;
    uint8_t *owner;                              /* by macroblock: 0 encoder 1, k + 1 items[k] */
    uis_standing standing[UIS_RING_MAX_REGIONS]; /* asked for at the last picture */
    uint32_t standing_count;
    uint32_t adopt_after;                      /* pictures that a video must have stood still for */
    uis_mb_rect blocked[UIS_RING_MAX_REGIONS]; /* not to be adopted for some pictures */
    uint32_t blocked_for[UIS_RING_MAX_REGIONS];
} uis_regions;

int uis_regions_init(uis_regions *regions, uint32_t mb_width, uint32_t mb_height); /* 0 or -1 */
void uis_regions_free(uis_regions *regions); /* a zeroed one is fine */

/* What the videos that play ask for, those without a region: each with `guard`
 * macroblocks around it, those that would overlap in one. Only what has stood still for
 * some pictures is given out. Returns how many. Call it once a picture. */
uint32_t uis_regions_want(uis_regions *regions, const uis_classification *c, uint32_t guard,
                          uis_wanted_region out[UIS_RING_MAX_REGIONS]);

/* True if a video, playing or paused, still lies within the region; its core then
 * follows. */
bool uis_region_follow(uis_region *region, const uis_regions *regions, const uis_classification *c);

/* One region around all videos that play. */
uis_wanted_region uis_regions_bounding_box(const uis_regions *regions, const uis_classification *c,
                                           uint32_t guard);

/* Keeps the place from being adopted for the next `pictures` pictures. */
void uis_regions_block(uis_regions *regions, const uis_mb_rect *at, uint32_t pictures);
const uis_region *uis_regions_find(const uis_regions *regions, const uis_mb_rect *at);

int uis_regions_add(uis_regions *regions, const uis_encoder_backend *backend,
                    const uis_encoder_config *config, const uis_wanted_region *wanted, char *err,
                    size_t err_size); /* 0 or -1 */
void uis_regions_release(uis_regions *regions, uint32_t index);
void uis_regions_release_all(uis_regions *regions);
/* Gives the first region its macroblocks, or takes all back without ending it. */
void uis_regions_own(uis_regions *regions, bool first);

/* `changed`: a clock by macroblock. True if a macroblock changed after `since`: */
bool uis_regions_outside_changed(const uis_regions *regions, const uint64_t *changed,
                                 uint64_t since); /* of encoder 1 */
/* How many macroblocks are encoder 1's, and how many of those changed. */
uint32_t uis_regions_count_outside(const uis_regions *regions, const uint64_t *changed,
                                   uint64_t since, uint32_t *how_many_changed);
uint32_t uis_regions_changed_in(const uis_regions *regions, const uis_mb_rect *at,
                                const uint64_t *changed, uint64_t since); /* how many in `at` */
bool uis_regions_ring_changed(const uis_regions *regions, const uis_mb_rect *at,
                              const uint64_t *changed, uint64_t since); /* just around `at` */
bool uis_changed_outside(const uis_mb_rect *at, const uint64_t *changed, uint64_t since,
                         uint32_t mb_width, uint32_t mb_height); /* anywhere but in `at` */

/* Marks encoder 1's macroblocks that changed after `since` with 1, others with 0. */
void uis_regions_mark_outside(const uis_regions *regions, const uint64_t *changed, uint64_t since,
                              uint8_t *marks);

/* Takes a rectangle of macroblocks that are all marked out of `marks` (width x height bytes),
 * and clears it there: called until there is none, it gives every mark once. `*from` is 0 at
 * first. False: none is left. */
bool uis_next_marked_rect(uint8_t *marks, uint32_t width, uint32_t height, uint32_t *from,
                          uis_mb_rect *out);

/* The bounding box of two. */
uis_mb_rect uis_mb_rect_united(const uis_mb_rect *a, const uis_mb_rect *b);
bool uis_mb_rect_contains(const uis_mb_rect *a, const uis_mb_rect *b); /* b lies in a */

/* `at` with `by` macroblocks more on each side, cut at the frame. */
uis_mb_rect uis_mb_rect_grown(const uis_mb_rect *at, uint32_t by, uint32_t mb_width,
                              uint32_t mb_height);
#endif
