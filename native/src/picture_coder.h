/* SPDX-License-Identifier: GPL-2.0-or-later
 * Both encoders, the splicer, and what they reconstructed: codes one frame and
 * tells what a decoder must show. Used by the recorder's thread only. */
#ifndef UIS_PICTURE_CODER_H
#define UIS_PICTURE_CODER_H

#include "classifier.h"
#include "pixels.h"

typedef struct uis_picture_coder uis_picture_coder;

int uis_picture_coder_open(const uis_recorder_config *config, uis_picture_coder **out, char *err,
                           size_t err_size);
void uis_picture_coder_close(uis_picture_coder *coder); /* NULL is fine */

/* Where frames go in: its owner takes and compares them there. */
uis_source *uis_picture_coder_source(uis_picture_coder *coder);

/* The CUDA context in which encoders take frames of the device; NULL: they take none. */
void *uis_picture_coder_context(const uis_picture_coder *coder);

/* Before the first frame: they come on the device of that context from now on. 0, or -1 with a
 * sentence, and they stay in host memory; the other way round it takes that back. */
int uis_picture_coder_use_device(uis_picture_coder *coder, char *err, size_t err_size);
int uis_picture_coder_use_host(uis_picture_coder *coder, char *err, size_t err_size);

/* Takes in the frame that the source took: what `map` (one byte a macroblock) and c->dirty say
 * is new is converted and noted. Nothing of the frame is needed after it. 0 or -1. */
int uis_picture_coder_feed(uis_picture_coder *coder, const uis_classification *c,
                           const uint8_t *map, uis_tick *tick, char *err, size_t err_size);

/* Codes what was fed last: fills the picture's fields of *tick and appends the
 * access unit. 0 or -1. The digests of the result are asked for after it. */
int uis_picture_coder_code(uis_picture_coder *coder, const uis_classification *c, uis_tick *tick,
                           uis_buffer *au, char *err, size_t err_size);

/* The next picture shall be a keyframe. */
void uis_picture_coder_request_keyframe(uis_picture_coder *coder);

/* True if a picture is due on this tick even if nothing changed. */
bool uis_picture_coder_must_code(const uis_picture_coder *coder, uint64_t tick);

/* Digests (one a macroblock, into `digests`), squared error and SSIM of the picture just coded,
 * from the encoders' own reconstructions. 0, or -1: its source could not be copied from the GPU. */
int uis_picture_coder_account(uis_picture_coder *coder, uis_tick *tick, uint64_t *digests,
                              char *err, size_t err_size);

/* What really codes, for reports; valid while the coder lives. */
const char *uis_picture_coder_encoder(const uis_picture_coder *coder);

/* Before the first frame: see uis_pipeline_share_rows. */
void uis_picture_coder_share_rows(uis_picture_coder *coder, uint32_t helpers, uint32_t shared_from);

uint32_t uis_picture_coder_mbs(const uis_picture_coder *coder);
#endif
