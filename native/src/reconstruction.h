/* SPDX-License-Identifier: GPL-2.0-or-later
 * What an encoder reconstructed, for encoders that do not tell: their own bitstream,
 * decoded by OpenH264 (libuisplice_openh264.so, loaded when it is first used). H.264
 * decoding is exact, so this is what the encoder predicts from. */
#ifndef UIS_RECONSTRUCTION_H
#define UIS_RECONSTRUCTION_H

#include "encoder.h"

typedef struct uis_reconstruction uis_reconstruction;

/* For pictures of width x height as they are coded (cropped); `headers` are the encoder's
 * SPS and PPS, Annex B. 0, or -1 with a sentence in err. */
int uis_reconstruction_open(uint32_t width, uint32_t height, const uint8_t *headers,
                            size_t header_size, uis_reconstruction **out, char *err,
                            size_t err_size);
void uis_reconstruction_close(uis_reconstruction *r); /* NULL is fine */

/* Decodes encoded->data and sets encoded->recon_*: NV12 in whole macroblocks (what lies
 * outside of width x height repeats the edge), valid until the next call. 0 or -1. */
int uis_reconstruct(uis_reconstruction *r, uis_encoded *encoded, char *err, size_t err_size);
#endif
