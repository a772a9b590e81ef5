/* SPDX-License-Identifier: GPL-2.0-or-later
 * From a frame to an access unit, without clock, ring or thread: what the
 * recorder runs on every tick, and what replays and tests drive themselves. */
#ifndef UISPLICE_PIPELINE_H
#define UISPLICE_PIPELINE_H

#include "uisplice/dirty_map.h"
#include "uisplice/image.h"
#include "uisplice/recorder.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)
/* cffi: begin */
typedef struct uis_pipeline uis_pipeline;

/* Checks the configuration, as far as that goes without opening an encoder. */
int uis_pipeline_check(const uis_recorder_config *config, char *err, size_t err_size);

/* Checks the configuration and opens encoder 1. 0 or a negative errno. */
int uis_pipeline_open(const uis_recorder_config *config, uis_pipeline **out, char *err,
                      size_t err_size);

/* Classifies `now` against `before` (NULL: the first frame) inside `damage`, and
 * codes it if it changed, or if a picture is due anyway (a keyframe; the single
 * encoder of every tick). `now` NULL: nothing was presented; the first tick must
 * bring a frame. tick->index must be set. Fills the tick's class, picture and measures; tick->au
 * and tick->digests stay valid until the next call. Both frames must have the
 * view's size, and are not used after the call. 0 or -1. */
int uis_pipeline_tick(uis_pipeline *pipeline, const uis_image *now, const uis_image *before,
                      const uis_rect *damage, const uis_video_region *regions,
                      uint32_t region_count, uint64_t present_ns, uis_tick *tick, char *err,
                      size_t err_size);

/* The CUDA context (CUcontext) that frames of the device must belong to; NULL: they must be in
 * host memory, because the encoder takes them from there. */
void *uis_pipeline_context(const uis_pipeline *pipeline);

/* Before the first tick, where there is such a context: frames stay on the device from now on;
 * what comes in host memory all the same is uploaded. The luma of what changed is copied to the
 * host to be measured, for SSIM the chroma, too. 0, or -1 with a sentence: everything is as
 * before. */
int uis_pipeline_use_device(uis_pipeline *pipeline, char *err, size_t err_size);

/* Takes that back, before the first tick. 0 or -1. */
int uis_pipeline_use_host(uis_pipeline *pipeline, char *err, size_t err_size);

/* The next tick's picture shall be a keyframe, whether anything changed or not. */
void uis_pipeline_request_keyframe(uis_pipeline *pipeline);

/* Before the first tick (tests, benchmarks): `helpers` threads beside the caller's, at most 7,
 * compare, convert and digest rows where that is at least `shared_from` macroblocks of work.
 * Without a call: 3 where there are four processors, else none, in pictures larger than 1920x1080.
 * What comes out is the same with any number. */
void uis_pipeline_share_rows(uis_pipeline *pipeline, uint32_t helpers, uint32_t shared_from);

/* The conversion that the pipeline makes, alone (tests, benchmarks): the pixels of `area`,
 * widened to even coordinates, as I420 (BT.601, limited range) into planes whose sides
 * are the view's, rounded up to whole macroblocks, and which have no gaps between rows. */
void uis_bgra_to_i420(const uis_bgra *from, const uis_rect *area, uint8_t *y, uint8_t *u,
                      uint8_t *v);

/* What really codes, for reports: library, version, device. Valid while the pipeline is open. */
const char *uis_pipeline_encoder(const uis_pipeline *pipeline);

/* Opens a pipeline and closes it again: whether its encoder is to be had here. 0 and what it
 * is, or a negative errno and why not, in `text`. */
int uis_probe_encoder(const uis_recorder_config *config, char *text, size_t text_size);

/* Macroblocks of a picture. */
uint32_t uis_pipeline_mbs(const uis_pipeline *pipeline);

void uis_pipeline_close(uis_pipeline *pipeline); /* NULL is fine */
/* cffi: end */
#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
