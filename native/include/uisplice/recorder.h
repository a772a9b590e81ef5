/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The recorder: one native thread that reads the frame ring on a clock, tells
 * what changed, encodes, splices, and queues one record a tick. Python starts
 * it, drains it and stops it; nothing here holds the GIL.
 */
#ifndef UISPLICE_RECORDER_H
#define UISPLICE_RECORDER_H

#include "uisplice/frame_ring.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)
/* cffi: begin */
/* What a tick of the frame clock saw. */
#define UIS_UNCHANGED 0
#define UIS_VIDEO_ONLY 1
#define UIS_CHANGED 2

/* What was written for it. Apart from the class: a VIDEO_ONLY tick is coded as
 * a full picture when what surrounds the region is not in LTR 0. */
#define UIS_PICTURE_NONE 0
#define UIS_PICTURE_FULL 1
#define UIS_PICTURE_SPLICED 2

/* How a region is put into the picture: one slice, or row slices. */
#define UIS_SPLICE_SYNTAX 0
#define UIS_SPLICE_ROWS 1

/* Faults for tests: break one thing on purpose and see the check fail. */
#define UIS_FAULT_NO_GUARD 1   /* region without guard, mvrange and check */
#define UIS_FAULT_WRONG_LTR 2  /* skip slices point at LTR 1 */
#define UIS_FAULT_NO_MMCO4 4   /* MMCO 4 left out */
#define UIS_FAULT_BAD_SHARES 8 /* every VIDEO_ONLY tick is called CHANGED */
#define UIS_FAULT_WRONG_MVD 16 /* a spliced picture's first vector is a quarter pixel off */

typedef struct uis_recorder_config {
    uint32_t width, height; /* of the view; even */
    uint32_t fps_num, fps_den;
    uint32_t qp;        /* 0..51, for I and P alike */
    uint32_t guard_mbs; /* macroblocks of UI around a region, not at a frame edge */
    uint32_t threads;   /* of encoder 1; encoder 2 codes on the recorder's thread */
    uint32_t faults;    /* UIS_FAULT_* */
    uint32_t splice;    /* UIS_SPLICE_* */
    char preset[16];    /* libx264's preset names */
} uis_recorder_config;

typedef struct uis_tick {
    uint64_t index;        /* tick number, from 0 */
    uint64_t tick_ns;      /* end of the tick's interval, on the recording's clock */
    uint64_t present_ns;   /* present time of the frame taken; 0 if none was */
    uint64_t sequence;     /* the layer's ordinal of that frame; 0 if none */
    uint32_t tick_class;   /* UIS_UNCHANGED, ... */
    uint32_t picture;      /* UIS_PICTURE_* */
    uint32_t presents;     /* frames taken from the ring for this tick */
    uint32_t coalesced;    /* of those, superseded by a newer one of the same tick */
    uint32_t identical;    /* 1: the newest one had no changed pixel */
    uint32_t dropped;      /* presents lost before this tick, from gaps in sequence */
    uint32_t keyframe;     /* 1: IDR picture */
    uint32_t region_idr;   /* 1: the region was coded as I slices */
    uint32_t region_leaks; /* macroblocks whose prediction left the region, so that it was coded
                              again as I slices */
    uint32_t dirty_mbs;
    uint32_t dirty_outside_mbs; /* dirty macroblocks with a changed pixel outside all regions */
    uis_rect dirty;             /* bounding box of the dirty macroblocks, pixels */
    uis_rect region;            /* transplanted rectangle, guard included, pixels; empty if none */
    uint32_t region_count;      /* playing regions known at this tick */
    uint32_t slices;
    uint32_t frame_num;
    uint32_t mbs; /* macroblocks of a picture = entries of digests */
    double sse_y; /* luma squared error against the captured frame, whole view */
    uint64_t diff_ns, convert_ns, encode_ns, check_ns, splice_ns, digest_ns;
    uint64_t latency_ns; /* from present to access unit; 0 if none */
    const uint8_t *au;   /* Annex B access unit, NULL if none; valid until the next call */
    uint64_t au_size;
    const uint64_t *digests; /* per macroblock digest of the composite of both encoders' own
                                reconstructions; NULL if no picture */
} uis_tick;

typedef struct uis_recorder uis_recorder;

/* Checks the configuration and opens encoder 1. The ring must outlive the recorder. */
int uis_recorder_create(const uis_recorder_config *config, uis_ring *ring, uis_recorder **out,
                        char *err, size_t err_size);

/* Starts the thread. Tick 0 takes the frame standing at origin_ns (0: now).
 * Also sets the ring's pacing so that Chrome presents on the same beat.
 * Returns 0 or a negative errno. */
int uis_recorder_start(uis_recorder *recorder, uint64_t origin_ns);

/* The time of tick 0, CLOCK_MONOTONIC; 0 before start. */
uint64_t uis_recorder_origin(const uis_recorder *recorder);

/* Number of ticks finished so far. */
uint64_t uis_recorder_ticks(const uis_recorder *recorder);

/* The recording ends with the last tick whose time is not after end_ns (0:
 * now). Returns at once; drain until next() says it is over. */
void uis_recorder_stop(uis_recorder *recorder, uint64_t end_ns);

/* 1: *tick filled; 0: nothing within timeout_ms; -1: over, all drained;
 * -2: the thread failed, see uis_recorder_error. One caller at a time. */
int uis_recorder_next(uis_recorder *recorder, int timeout_ms, uis_tick *tick);
const char *uis_recorder_error(const uis_recorder *recorder);

/* Presents that the layer counted as lost since the start and that no gap in
 * the sequence has shown (the last ones of a recording). Ask right after next()
 * said that it is over. */
uint64_t uis_recorder_unseen_drops(const uis_recorder *recorder);

/* Stops at once, joins, frees. NULL is fine. */
void uis_recorder_destroy(uis_recorder *recorder);

/* Digests of a decoded I420 picture, macroblock by macroblock in raster order,
 * to be compared with uis_tick.digests. width and height are those of the
 * planes; edge macroblocks cut by the view digest their visible part only. */
void uis_digest_i420(const uint8_t *y, size_t y_stride, const uint8_t *u, size_t c_stride,
                     const uint8_t *v, uint32_t width, uint32_t height, uint64_t *out);

const char *uis_version(void);
/* What the x264 library linked says of itself (X264_POINTVER). */
const char *uis_x264_version(void);
/* cffi: end */
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
