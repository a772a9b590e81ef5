/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes the spliced stream: takes coded pictures of the two encoders and
 * gives access units of one Constrained Baseline stream whose references are
 * LTR 0 (the last full picture) and LTR 1 (the last spliced picture).
 *
 * A spliced picture is made in one of two ways:
 *
 * Syntax: one slice. Encoder 2's macroblocks are read and written again among
 * P_Skip macroblocks, with everything that depends on neighbours recomputed. With
 * constrained intra prediction the inter macroblocks around stay unavailable to
 * intra prediction, as the region's edge was, so the modes' bits keep their meaning.
 *
 * Rows: encoder 2 codes one slice a macroblock row of the region; its slice data
 * is copied bit for bit behind a new header. What lies right of one region row
 * and left of the next is one slice of P_Skip. Kept for comparison.
 */
#ifndef UIS_SPLICER_H
#define UIS_SPLICER_H

#include "macroblock.h"
#include "mv_check.h"
#include "slice_reader.h"
#include "uisplice/recorder.h"

typedef struct uis_splicer {
    uis_stream_format format;
    uis_parameters parameters; /* of the stream written */
    uint32_t faults;           /* UIS_FAULT_* */
    uint32_t frame_num;        /* of the next picture */
    uint32_t idr_pic_id;
    uint32_t last_frame_num; /* of the picture written last */
    bool started;
    uis_slices slices;
    uis_bit_writer writer;
    uis_mb_picture region; /* encoder 2's picture, as read */
    uis_mb_picture placed; /* the picture written, as far as written */
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

/* Reads encoder 2's picture down to its macroblocks and counts those with a
 * prediction that leaves the region at `where`. 0 or -1. To be called before one
 * of the functions below, with the same picture. */
int uis_splice_read_region(uis_splicer *s, const uis_encoded *picture,
                           const uis_parameters *encoder, const uis_mb_rect *where, uint32_t *leaks,
                           char *err, size_t err_size);

/* What the spliced picture's surroundings and region predict from. */
typedef enum uis_splice_references {
    UIS_REFERENCES_INTRA, /* the region is intra: only LTR 0 is needed */
    UIS_REFERENCES_SAME,  /* the last picture was spliced at the same place: LTR 1 has it all */
    UIS_REFERENCES_BOTH,  /* surroundings from LTR 0, region from LTR 1 */
} uis_splice_references;

/* Appends a spliced picture in one slice: the region read last at `where`,
 * P_Skip elsewhere. 0 or -1. */
int uis_splice_syntax(uis_splicer *s, const uis_mb_rect *where, uis_splice_references references,
                      uis_buffer *out, uint32_t *slices, char *err, size_t err_size);

/* The same in row slices. */
int uis_splice_rows(uis_splicer *s, const uis_mb_rect *where, uis_buffer *out, uint32_t *slices,
                    char *err, size_t err_size);
#endif
