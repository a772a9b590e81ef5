/* SPDX-License-Identifier: GPL-2.0-or-later
 * Walks the NAL units of an Annex B Baseline stream and reads each slice down to its
 * macroblocks. What the readers of whole streams share (rewrite.c, stream_check.c). */
#ifndef UIS_STREAM_WALK_H
#define UIS_STREAM_WALK_H

#include "macroblock.h"

/* One NAL unit as it was read. */
typedef struct uis_walked_nal {
    const uint8_t *nal; /* header byte first; inside the caller's stream */
    size_t nal_size;
    unsigned type;
    bool readable; /* false: parameter sets or a slice header that cannot be parsed, or
                      parameter sets that a slice needs are missing */
    /* Slices only. */
    uis_slice_header header;
    uis_slice_context context;
    size_t data_from; /* bit of the RBSP where slice_data() begins */
    size_t bits;      /* of the payload */
    int count;        /* macroblocks; -1: the reader refused them */
} uis_walked_nal;

typedef struct uis_stream_walk {
    const uint8_t *data;
    size_t size, position;
    uis_parameters parameters;     /* those read last */
    bool constrained[UIS_PPS_IDS]; /* constrained_intra_pred_flag, by pic_parameter_set_id */
    bool sps, pps;
    uis_mb_picture picture; /* what was read; a slice's macroblocks bear its number */
    uint16_t slice;         /* number of the next slice */
    bool wrapped;           /* numbers have come again */
    uint8_t *rbsp;          /* of the NAL unit walked last */
} uis_stream_walk;

/* The stream must outlive the walk. 0, or -1: no memory. */
int uis_walk_begin(uis_stream_walk *w, const uint8_t *data, size_t size);
void uis_walk_end(uis_stream_walk *w);

/* 1: *nal is filled; 0: the stream ends; -1: no memory. */
int uis_walk_next(uis_stream_walk *w, uis_walked_nal *nal);
#endif
