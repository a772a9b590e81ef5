/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the pipeline asks of pixels, for frames that lie on the GPU: which macroblocks changed
 * (dirty_map.h) and BGRA to NV12 (uis_convert in pixels.h), bit for bit what the CPU computes.
 *
 * Ownership: a uis_device_pixels belongs to one CUDA context and one frame size; it holds the
 * kernels, a stream and a map on the GPU. Threads: one at a time. Every call makes the context
 * current itself and waits until the GPU is done: frames may be released after it.
 *
 * The kernels are in device_pixels.cu; device_pixels.ptx, compiled from it, is part of the
 * library and compiled for the GPU by its driver.
 */
#ifndef UIS_DEVICE_PIXELS_H
#define UIS_DEVICE_PIXELS_H

#include <ffnvcodec/dynlink_cuda.h>

#include "uisplice/dirty_map.h"

struct CudaFunctions;
typedef struct uis_device_pixels uis_device_pixels;

/* B,G,R,A pixels on the GPU, of the size that the uis_device_pixels was made for. */
typedef struct uis_device_bgra {
    CUdeviceptr pixels; /* 4-byte aligned */
    size_t pitch;       /* bytes a row, a multiple of 4 */
} uis_device_bgra;

/* Planes of whole macroblocks: luma, and chroma as U,V pairs. */
typedef struct uis_device_nv12 {
    CUdeviceptr luma, chroma;
    size_t luma_pitch, chroma_pitch; /* bytes a row */
} uis_device_nv12;

/* For frames of width x height, both even. `functions` are the driver's, as ffnvcodec's loader
 * gives them, and outlive what is made. 0, or -1 with a sentence in err. */
int uis_device_pixels_create(struct CudaFunctions *functions, CUcontext context, uint32_t width,
                             uint32_t height, uis_device_pixels **out, char *err, size_t err_size);
void uis_device_pixels_destroy(uis_device_pixels *pixels); /* NULL is fine */

/* As uis_dirty_map: fills the map in host memory and the box, returns the number of dirty
 * macroblocks; -1 when the GPU failed. */
int64_t uis_device_dirty_map(uis_device_pixels *pixels, uis_device_bgra now, uis_device_bgra before,
                             const uis_rect *damage, uint8_t *map, uis_rect *box);
/* As uis_dirty_outside, with the map of the last call and at most UIS_RING_MAX_REGIONS
 * rectangles. */
int64_t uis_device_dirty_outside(uis_device_pixels *pixels, uis_device_bgra now,
                                 uis_device_bgra before, const uis_rect *rects, uint32_t count);
/* As uis_convert; 0 or -1. */
int uis_device_convert(uis_device_pixels *pixels, uis_device_bgra from, const uis_rect *area,
                       uis_device_nv12 to);

#endif
