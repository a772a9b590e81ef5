/* SPDX-License-Identifier: GPL-2.0-or-later
 * The bitstream reader and writer for whole streams: for tests and tools. */
#ifndef UISPLICE_BITSTREAM_H
#define UISPLICE_BITSTREAM_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
/* cffi: begin */
typedef struct uis_rewrite_result {
    uint32_t pictures, slices, macroblocks;
    uint32_t kinds[10];  /* macroblocks by kind: -, skip, 16x16, 16x8, 8x16, 8x8, 8x8ref0,
                            intra 4x4, intra 16x16, I_PCM */
    uint32_t different;  /* slices that did not come back bit for bit */
    uint32_t unreadable; /* slices that the reader refused */
    double read_seconds, write_seconds;
} uis_rewrite_result;

/* Reads every slice of an Annex B Baseline stream down to the macroblock layer,
 * writes it again, and compares the slice data bit by bit. 0, or -1: no parameter
 * sets that can be read, or no memory. */
int uis_rewrite_stream(const uint8_t *data, size_t size, uis_rewrite_result *result);

/* Vectors of one partition, as read. */
typedef struct uis_motion_record {
    uint32_t picture;
    int16_t x, y, w, h; /* pixels */
    int16_t mv_x, mv_y; /* quarter pixels */
    int16_t ref;
} uis_motion_record;

/* Reads all motion vectors of an Annex B Baseline stream. Fills at most `capacity`
 * records and returns how many there are, or -1. */
int64_t uis_read_motion(const uint8_t *data, size_t size, uis_motion_record *out, size_t capacity);
/* cffi: end */
#pragma GCC visibility pop
#endif
