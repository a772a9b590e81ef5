/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes the spliced stream: takes coded pictures of the two encoders and
 * gives access units of one Constrained Baseline stream whose references are
 * LTR 0 (the last full picture) and LTR 1 (the last spliced picture).
 *
 * Row slices: encoder 2 codes one slice a macroblock row of the region; its
 * slice data is copied bit for bit behind a new header, so CAVLC contexts,
 * intra and motion vector prediction see the neighbours they were coded with.
 * What lies right of one region row and left of the next is one slice of
 * P_Skip. */
#ifndef UIS_SPLICER_H
#define UIS_SPLICER_H

#include "slice_reader.h"
#include "uisplice/recorder.h"

typedef struct uis_splicer {
    uis_stream_format format;
    uis_parameters parameters; /* of the stream written */
    uint32_t faults;           /* UIS_FAULT_* */
    uint32_t frame_num;        /* of the next picture */
    uint32_t idr_pic_id;
    uint32_t last_frame_num;   /* of the picture written last */
    bool started;
    uis_slices slices;
    uis_bit_writer writer;
} uis_splicer;

/* In macroblocks. */
typedef struct uis_mb_rect {
    uint32_t x, y, w, h;
} uis_mb_rect;

/* `encoder` are encoder 1's parameters: QP, chroma offset and so on are its. */
void uis_splicer_init(uis_splicer *s, const uis_stream_format *format,
                      const uis_parameters *encoder, uint32_t faults);
void uis_splicer_free(uis_splicer *s);

/* 0 if slice data coded under `other` means the same under the stream's PPS, else
 * -1 with the field that differs in err. */
int uis_splicer_compatible(const uis_splicer *s, const uis_parameters *other, char *err,
                           size_t err_size);

/* Appends a full picture: encoder 1's slices. An IDR picture brings the
 * parameter sets with it. 0 or -1 (sentence in err; nothing usable appended). */
int uis_splice_full(uis_splicer *s, const uis_encoded *picture, const uis_parameters *encoder,
                    uis_buffer *out, uint32_t *slices, char *err, size_t err_size);

/* Appends a spliced picture: encoder 2's row slices at `where`, P_Skip elsewhere. */
int uis_splice_region(uis_splicer *s, const uis_encoded *picture, const uis_parameters *encoder,
                      const uis_mb_rect *where, uis_buffer *out, uint32_t *slices, char *err,
                      size_t err_size);
#endif
