/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where the pixels of a captured frame are: in host memory, or on a GPU. In plain types, so
 * that neither the layer nor Python needs CUDA's headers. */
#ifndef UISPLICE_IMAGE_H
#define UISPLICE_IMAGE_H

#include "uisplice/dirty_map.h"

#pragma GCC visibility push(default)
/* cffi: begin */
/* B,G,R,A pixels in linear memory of a CUDA device, top-left origin. */
typedef struct uis_device_image {
    uint64_t address; /* CUdeviceptr, a multiple of 4 */
    size_t pitch;     /* bytes a row, a multiple of 4 */
    uint32_t width, height;
    void *context; /* CUcontext */
} uis_device_image;

/* A frame, wherever its pixels are. */
typedef struct uis_image {
    uis_bgra host;           /* pixels NULL: they are on the device */
    uis_device_image device; /* else unused */
} uis_image;

/* A frame on the GPU that was taken (uis_device_frames), until it is released. */
typedef struct uis_taken_frame {
    uis_device_image image;
    uint64_t sequence; /* ordinal of the present, as in the ring */
    uint32_t slot;     /* its owner's own */
    uint32_t reserved;
} uis_taken_frame;

/* Whoever captures frames on the GPU, as a reader in the same process sees them. Any thread may
 * call. */
typedef struct uis_device_frames {
    /* The frame of that present; its pixels are complete. 1, or 0: it is not (or no longer)
     * there. */
    int32_t (*take)(uint64_t sequence, uis_taken_frame *out);
    /* Nothing on the GPU reads it any more. */
    void (*release)(const uis_taken_frame *frame);
    /* Copies its pixels to host memory, rows `stride` bytes apart, and waits for them. 0 or -1. */
    int32_t (*download)(const uis_taken_frame *frame, uint8_t *pixels, size_t stride);
} uis_device_frames;
/* cffi: end */
#pragma GCC visibility pop
#endif
