/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads the slices of one coded picture of an encoder: headers parsed, slice
 * data left as bits. The first of the three steps of splicing (read a slice,
 * place macroblocks, write a picture). */
#ifndef UIS_SLICE_READER_H
#define UIS_SLICE_READER_H

#include "encoder.h"
#include "h264.h"

typedef struct uis_slice {
    uis_slice_header header;
    size_t rbsp_offset; /* into uis_slices.rbsp */
    size_t rbsp_size;
    size_t data_from, data_bits; /* slice_data() in that RBSP, trailing bits left out */
} uis_slice;

/* Owned by the caller; reused from picture to picture. */
typedef struct uis_slices {
    uis_slice *slices;
    size_t count, capacity;
    uint8_t *rbsp;
    size_t rbsp_capacity;
} uis_slices;

/* Fills *out from one access unit. 0, or -1 with a sentence in err. */
int uis_read_slices(const uint8_t *data, size_t size, const uis_parameters *p, uis_slices *out,
                    char *err, size_t err_size);
void uis_slices_free(uis_slices *s);

/* Parses SPS and PPS of an encoder (Annex B). 0, or -1 with a sentence in err. */
int uis_read_parameters(const uint8_t *data, size_t size, uis_parameters *out, char *err,
                        size_t err_size);

/* Opens an encoder and parses what its parameter sets say. 0, or -1 with a sentence in err
 * and *out NULL. */
int uis_open_encoder(const uis_encoder_backend *backend, const uis_encoder_config *config,
                     uis_encoder **out, uis_parameters *parameters, char *err, size_t err_size);
#endif
