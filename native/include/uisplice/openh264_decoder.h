/* SPDX-License-Identifier: GPL-2.0-or-later
 * OpenH264 as a decoder without error concealment: the second judge. */
#ifndef UISPLICE_OPENH264_DECODER_H
#define UISPLICE_OPENH264_DECODER_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
/* cffi: begin */
typedef struct uis_openh264 uis_openh264;

typedef struct uis_openh264_picture {
    const uint8_t *planes[3]; /* I420; valid until the next call */
    int32_t strides[3];       /* luma, chroma, chroma */
    int32_t width, height;
} uis_openh264_picture;

uis_openh264 *uis_openh264_open(char *err, size_t err_size);
/* One access unit (Annex B). 1: *picture filled; 0: no picture; negative: the
 * decoder's error state, as a negative DECODING_STATE. */
int uis_openh264_decode(uis_openh264 *decoder, const uint8_t *data, size_t size,
                        uis_openh264_picture *picture);
void uis_openh264_close(uis_openh264 *decoder);
const char *uis_openh264_version(void);
/* cffi: end */
#pragma GCC visibility pop
#endif
