/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Captured frames on the GPU: a pool of linear B,G,R,A buffers in CUDA memory and what an
 * encoder in the layer's process does to get at them. The ring's twin: same life of a slot
 * (FREE -> WRITING -> READY -> READING -> FREE), same numbering of presents, and the writer
 * never waits: with no slot FREE it takes the oldest READY one and counts it superseded.
 *
 * One pool a process, on the GPU of the main window; made with the first frame that is copied,
 * freed with the last VkDevice that wrote to it, or when the last frame is released after that.
 * Slots are as large as the ring's view (max_width x max_height); a smaller window's frame fills
 * the top left. Any thread may call; writers are the devices' readback workers.
 *
 * A reader:
 *     uis_device_frame frame;
 *     if (uis_device_frame_take(0, &frame)) {   // or the sequence of a slot of the ring
 *         cuCtxPushCurrent(frame.context);
 *         ... reads frame.pitch * frame.height bytes at frame.address, on any stream: the
 *             pixels are there, nothing needs to be waited for ...
 *         cuCtxPopCurrent(NULL);
 *         uis_device_frame_release(&frame);     // once the GPU has read it
 *     }
 */
#ifndef UIS_DEVICE_FRAME_H
#define UIS_DEVICE_FRAME_H

#include "capture.h"
#include "cuda.h"

/* As many frames as there can be at a time: three that a reader holds (the standing, the newest,
 * the next), one being written, two on their way. */
#define UIS_DEVICE_SLOTS 6

typedef struct uis_device_frame {
    CUdeviceptr address; /* B,G,R,A, top-left origin */
    size_t pitch;        /* bytes a row */
    uint32_t width, height;
    CUcontext context; /* the GPU's primary context */
    CUdevice device;
    uint64_t sequence; /* ordinal of the present, as in the ring */
    uint64_t present_ns;
    uint64_t ready_ns;
    uis_damage damage;
    uint32_t slot; /* the pool's own */
} uis_device_frame;

/* --- the reader's side --- */

/* The frame of that present; sequence 0: the oldest. False: it is not (or no longer) there. */
bool uis_device_frame_take(uint64_t sequence, uis_device_frame *out);
/* The newest; those before it that nobody has taken are given up (superseded). */
bool uis_device_frame_take_newest(uis_device_frame *out);
void uis_device_frame_release(const uis_device_frame *frame);
/* Waits until a frame later than `sequence` is READY or timeout_ns has passed: true if one is. */
bool uis_device_frame_wait(uint64_t sequence, uint64_t timeout_ns);
/* Copies the pixels of a taken frame to host memory, rows `stride` bytes apart; for whoever asks
 * for pixels. Waits for the GPU. */
bool uis_device_frame_download(const uis_device_frame *frame, uint8_t *pixels, size_t stride);

/* --- the writer's side --- */

/* Counts CUDA as a user of the pool and makes it, for frames up to width x height, unless it is
 * there. False with a sentence: out of memory, or the pool is another GPU's. */
bool uis_device_frame_open(uis_cuda *cuda, uint32_t width, uint32_t height, char *why,
                           size_t why_size);
void uis_device_frame_close(uis_cuda *cuda);
/* A slot for FRAME with everything filled in but ready_ns. False: all are read or written. */
bool uis_device_frame_begin(const uis_frame *frame, uis_device_frame *out);
/* The GPU has written it. */
void uis_device_frame_publish(const uis_device_frame *frame);
/* It never will. */
void uis_device_frame_cancel(const uis_device_frame *frame);

#endif
