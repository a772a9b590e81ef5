/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The spool: what the recorder took at every tick, written to a file as it goes,
 * so that a recording can be fed to the pipeline again. It is raw, because
 * there is no time to compress beside Chrome; Python makes a tape of it later.
 *
 * The file is a sequence of records, host-endian: one uis_spool_record, then
 * box.h rows of box.w pixels, B,G,R,A bytes, without gaps. */
#ifndef UISPLICE_SPOOL_H
#define UISPLICE_SPOOL_H

#include "uisplice/dirty_map.h"
#include "uisplice/frame_ring.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)
/* cffi: begin */
#define UIS_SPOOL_MAGIC 0x50534955 /* "UISP" */

typedef struct uis_spool_record {
    uint32_t magic;
    uint32_t size;       /* bytes of pixels behind this record */
    uint64_t index;      /* of the tick */
    uint64_t tick_ns;    /* as in uis_tick */
    uint64_t present_ns; /* 0 if no frame was taken */
    uint64_t sequence;   /* 0 if no frame was taken */
    uint32_t presents, coalesced, dropped;
    uint32_t region_count;
    uint32_t opaque; /* 1: every pixel of the box has alpha 255 */
    uint32_t reserved;
    uis_rect damage; /* as the classifier got it, the union over all presents of the tick */
    uis_rect box;    /* all pixels that differ from the frame before; the first frame whole */
    uis_video_region regions[UIS_RING_MAX_REGIONS];
} uis_spool_record;

typedef struct uis_spool uis_spool;

/* Starts a thread that writes to fd, which stays the caller's. The queue in
 * front of it holds up to queue_bytes of pixels, so that a disk that stalls
 * does not hold up the recorder at once. 0 or a negative errno. */
int uis_spool_open(int fd, size_t queue_bytes, uis_spool **out);

/* Queues one tick. With `now`, the box is found by comparing whole frames with
 * `before` (NULL: all of it) and its pixels are copied; both may be reused after
 * the call. Waits only while the queue is full. 0, or the negative errno of the
 * first write that failed. */
int uis_spool_add(uis_spool *spool, const uis_spool_record *record, const uis_bgra *now,
                  const uis_bgra *before);

/* Writes what is queued, ends the thread, frees. 0 or the negative errno of the
 * first write that failed. NULL is fine. */
int uis_spool_close(uis_spool *spool);

/* Planes as a tape's decoder gives them into opaque B,G,R,A pixels. Strides in bytes. */
void uis_merge_planes(const uint8_t *g, size_t g_stride, const uint8_t *b, size_t b_stride,
                      const uint8_t *r, size_t r_stride, uint8_t *bgra, size_t bgra_stride,
                      uint32_t width, uint32_t height);

/* Bounding box of the pixels that differ, wherever they are; w = h = 0 if none does. */
uis_rect uis_difference_box(const uis_bgra *now, const uis_bgra *before);
/* cffi: end */
#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
