/* SPDX-License-Identifier: GPL-2.0-or-later
 * Planes: allocation, colour conversion, digests, squared error. */
#ifndef UIS_PIXELS_H
#define UIS_PIXELS_H

#include "uisplice/dirty_map.h"
#include "encoder.h"
#include "row_pool.h"

/* Planes of width x height, both multiples of 16. 0 or -1 (no memory). */
int uis_i420_alloc(uis_i420 *picture, uint32_t width, uint32_t height);
void uis_i420_free(uis_i420 *picture);

/* A view into a picture; x, y, w, h even. */
uis_i420 uis_i420_crop(const uis_i420 *picture, uint32_t x, uint32_t y, uint32_t w, uint32_t h);

void uis_i420_copy(const uis_i420 *from, uis_i420 *to);

/* BGRA to I420 (BT.601, limited range) inside `area` widened to even
 * coordinates; the strip that pads the view to whole macroblocks repeats the
 * view's last row and column. */
void uis_convert(const uis_bgra *from, const uis_rect *area, uis_i420 *to);
/* The same, its rows shared with a pool. */
void uis_convert_shared(uis_row_pool *rows, const uis_bgra *from, const uis_rect *area,
                        uis_i420 *to);

/* An encoder's NV12 reconstruction into planes. */
void uis_from_nv12(const uis_encoded *encoded, uis_i420 *to);

/* Digest of one macroblock of a picture whose visible size is width x height. */
uint64_t uis_digest_mb(const uis_i420 *picture, uint32_t mb_x, uint32_t mb_y, uint32_t width,
                       uint32_t height);

/* SSIM of two pictures, at most 16384 wide: 0.8 of luma's and 0.1 of each chroma plane's, as
 * libyuv weighs them; visible part. See ssim.c. */
double uis_ssim(const uis_i420 *a, const uis_i420 *b, uint32_t width, uint32_t height);

/* Squared luma error of one macroblock, visible pixels only. */
uint32_t uis_sse_mb(const uis_i420 *a, const uis_i420 *b, uint32_t mb_x, uint32_t mb_y,
                    uint32_t width, uint32_t height);
#endif
