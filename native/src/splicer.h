/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes the spliced stream: takes coded pictures of the two encoders and
 * gives access units of one Constrained Baseline stream whose references are
 * LTR 0 (the last full picture) and LTR 1 (the last spliced picture).
 *
 * Syntax: one slice, or with encoders of several threads some. The parts' macroblocks are written
 * again among P_Skip macroblocks, with everything that depends on neighbours recomputed; what
 * cannot be was mended before (placement.h). Where a region starts, the picture uses the PPS with
 * constrained intra prediction, so that the inter macroblocks around stay as unavailable
 * to it as its encoder's edge was.
 *
 * Rows: encoder 2 codes one slice a macroblock row of the region; its slice data
 * is copied bit for bit behind a new header. What lies right of one region row
 * and left of the next is one slice of P_Skip. Kept for comparison.
 */
#ifndef UIS_SPLICER_H
#define UIS_SPLICER_H

#include "placement.h"
#include "uisplice/recorder.h"

/* The two long-term references of the stream. */
enum {
    UIS_LTR_FULL = 0,   /* the last picture that was encoder 1's alone */
    UIS_LTR_SPLICED = 1 /* the last spliced or merged picture */
};

typedef struct uis_splicer {
    uis_stream_format format;
    uis_parameters parameters; /* of the stream written */
    uint32_t faults;           /* UIS_FAULT_* */
    uint32_t frame_num;        /* of the next picture */
    uint32_t idr_pic_id;
    uint32_t last_frame_num; /* of the picture written last */
    bool started;
    uis_slices slices; /* of encoder 1's picture, when it is copied */
    uis_bit_writer writer;
    uis_mb_picture placed; /* the picture written, as far as written */
} uis_splicer;

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

/* How a picture of parts is written. */
typedef struct uis_picture_form {
    uint32_t num_ref;
    uint32_t reference[2];    /* LongTermPicNum of each list entry */
    uint32_t long_term_index; /* what the picture becomes */
    uint8_t region_reference; /* list entry of the regions; encoder 1's are in its part */
} uis_picture_form;

/* Appends a picture of parts that uis_place has placed. 0 or -1. */
int uis_splice_parts(uis_splicer *s, const uis_placement *placement, const uis_picture_form *form,
                     uis_buffer *out, uint32_t *slices, char *err, size_t err_size);

/* One region in row slices: P_Skip points at LTR 0, the region at LTR 1. 0 or -1. */
int uis_splice_rows(uis_splicer *s, const uis_part *region, uis_buffer *out, uint32_t *slices,
                    char *err, size_t err_size);
#endif
