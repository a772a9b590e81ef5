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
#define UIS_PICTURE_FULL 1    /* encoder 1's alone */
#define UIS_PICTURE_SPLICED 2 /* regions' macroblocks among P_Skip */
#define UIS_PICTURE_MERGED 3  /* encoder 1's macroblocks and regions' */

/* How regions are put into the picture.
 * SYNTAX: one slice a picture (several threads: some); while a region lives, encoder 1
 * codes what is outside only, so the video is never coded twice (merged pictures).
 * ROWS: row slices with copied bits; CHANGED pictures are encoder 1's alone.
 * SEPARATE: as few slices, CHANGED pictures encoder 1's alone.
 * The last two are kept for comparison, and hold one region (a bounding box). */
#define UIS_SPLICE_SYNTAX 0
#define UIS_SPLICE_ROWS 1
#define UIS_SPLICE_SEPARATE 2

/* What codes the frames: two encoders and the splicer, or for comparison one
 * plain encoder, for every tick or for those on which something changed. */
#define UIS_MODE_SPLICED 0
#define UIS_MODE_SINGLE 1
#define UIS_MODE_SINGLE_VFR 2

/* Which library codes. NVENC needs an NVIDIA card that has it; opening says so where not. */
#define UIS_ENCODER_X264 0
#define UIS_ENCODER_NVENC 1

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
    uint32_t threads; /* of encoder 1, 1 to 16: x264 codes as many slices; a region has its share */
    uint32_t faults;  /* UIS_FAULT_* */
    uint32_t splice;  /* UIS_SPLICE_* */
    uint32_t mode;    /* UIS_MODE_* */
    uint32_t mb_info; /* 1: tell the encoders which macroblocks did not change */
    uint32_t deblock; /* 1: deblocking where it is provably exact; 0: in full pictures only */
    uint32_t region_limit; /* percent of the view: larger regions are encoder 1's to code */
    uint32_t adopt_after;  /* pictures that a video must have stood still before it gets a region */
    uint32_t keyframe_interval; /* ticks between keyframes; 0: only the first */
    uint32_t measure;           /* 1: SSIM too, about 2 ms at 720p */
    uint32_t encoder;           /* UIS_ENCODER_* */
    char preset[16];            /* libx264's preset names; NVENC's P1 to P7 are mapped to them */
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
    uint32_t region_idr;   /* 1: a region was coded as I slices */
    uint32_t region_leaks; /* macroblocks whose prediction left their region, so that it was coded
                              again as I slices */
    uint32_t patched_mbs;  /* macroblocks that could not be expressed and went out as I_PCM */
    uint32_t fallback;     /* 1: the parts did not fit together: a keyframe instead */
    uint32_t deblocked;    /* 1: the picture uses the deblocking filter */
    uint32_t dirty_mbs;
    uint32_t dirty_outside_mbs; /* dirty macroblocks with a changed pixel outside all regions */
    uis_rect dirty;             /* bounding box of the dirty macroblocks, pixels */
    uis_rect region;            /* bounding box of the regions transplanted, guard included, pixels;
                                   empty if none */
    uint32_t regions;           /* how many */
    uis_rect region_rects[UIS_RING_MAX_REGIONS]; /* the first `regions`: each of them */
    uint32_t region_count;                       /* playing regions known at this tick */
    uint32_t slices;
    uint32_t frame_num;
    uint32_t mbs;          /* macroblocks of a picture = entries of digests */
    double sse_y;          /* luma squared error against the captured frame, whole view */
    double sse_video;      /* of that, in macroblocks that the playing videos cover */
    uint32_t video_mbs;    /* how many those are */
    uint32_t copied_bytes; /* of the frame's planes, from the GPU to the host to measure all that */
    double ssim;           /* of the view, with config.measure */
    uint64_t diff_ns, convert_ns, encode_ns;
    uint64_t read_ns;  /* reading the parts' macroblocks */
    uint64_t check_ns; /* looking for leaks, and placing the parts in the picture */
    uint64_t splice_ns, digest_ns;
    uint64_t cpu_ns;     /* processor time of encoders and splicer */
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

/* Keeps what every tick took in the file fd (see spool.h), for a tape. Call it
 * before start; fd stays the caller's and must outlive the recording. A write
 * that fails ends the recording with an error. 0 or a negative errno. */
int uis_recorder_spool(uis_recorder *recorder, int fd);

/* Starts the thread. Tick 0 takes the frame standing at origin_ns (0: now).
 * Also sets the ring's pacing so that Chrome presents on the same beat.
 * Returns 0 or a negative errno. */
int uis_recorder_start(uis_recorder *recorder, uint64_t origin_ns);

/* The time of tick 0, CLOCK_MONOTONIC; 0 before start. */
uint64_t uis_recorder_origin(const uis_recorder *recorder);

/* The next tick's picture shall be a keyframe, whether anything changed or not. */
void uis_recorder_request_keyframe(uis_recorder *recorder);

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

/* The version of the package that this was built from: who loads the library compares it. */
const char *uis_version(void);
/* What the x264 library linked says of itself (X264_POINTVER). */
const char *uis_x264_version(void);
/* cffi: end */
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
