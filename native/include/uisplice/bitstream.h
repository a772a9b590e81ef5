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
    uint32_t leaks;      /* macroblocks that predict from outside of the picture, of pictures
                            in one slice */
    double read_seconds, write_seconds;
    double check_seconds; /* looking for those */
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

/* What the sequence parameter set read last says. */
typedef struct uis_sequence {
    uint32_t profile_idc; /* 0: there is none that can be read */
    uint32_t constraint_flags, level_idc;
    uint32_t log2_max_frame_num, poc_type, num_ref_frames;
    uint32_t mb_width, mb_height;
    uint32_t crop_left, crop_right, crop_top, crop_bottom; /* pixels */
} uis_sequence;

#define UIS_NAL_COMMANDS 8

/* One NAL unit. The fields below `readable` are filled where it is 1 and the type has
 * them; slices are parsed under the parameter sets read last, whatever they name. */
typedef struct uis_nal_record {
    uint64_t offset, size; /* bytes in the stream; from the header byte on */
    uint32_t type, ref_idc;
    int32_t readable;        /* 0: it cannot be parsed */
    int32_t macroblocks;     /* of a slice; -1: its data cannot be read */
    uint32_t sps_id, pps_id; /* its own, or the one that it names */
    uint32_t first_mb, slice_type, frame_num, idr_pic_id, num_ref;
    int32_t qp; /* SliceQP_Y */
    uint32_t disable_deblocking;
    uint32_t long_term_reference; /* IDR: long_term_reference_flag */
    uint32_t adaptive_marking;
    /* May count more than UIS_NAL_COMMANDS; only so many are held. */
    uint32_t modification_count, marking_count;
    uint32_t modifications[UIS_NAL_COMMANDS][2]; /* modification_of_pic_nums_idc, value */
    uint32_t markings[UIS_NAL_COMMANDS][3];      /* MMCO, its value, its second value */
} uis_nal_record;

/* Describes every NAL unit of an Annex B Baseline stream. Fills at most `capacity`
 * records and returns how many there are, or -1: no memory. */
int64_t uis_describe_stream(const uint8_t *data, size_t size, uis_sequence *sequence,
                            uis_nal_record *out, size_t capacity);

/* Of uis_mb_record.reference. */
#define UIS_REFERENCE_NONE -1    /* intra */
#define UIS_REFERENCE_SEVERAL -2 /* its partitions differ */
#define UIS_REFERENCE_UNNAMED -3 /* the slice header names no long-term reference for it */

/* How one macroblock was coded. */
typedef struct uis_mb_record {
    uint8_t kind;     /* as in uis_rewrite_result.kinds; 0: no slice that can be read has it */
    uint8_t qp;       /* QP_Y; of one without residual that of the macroblock before it */
    int8_t reference; /* LongTermPicNum that it predicts from, or UIS_REFERENCE_* */
} uis_mb_record;

/* Reads the macroblocks of one picture: `data` is an Annex B access unit behind the
 * parameter sets that it needs. Fills `out` in raster order, at most `capacity` records, and
 * returns how many macroblocks the picture has, or -1: no parameter sets, or no memory. */
int64_t uis_read_map(const uint8_t *data, size_t size, uis_mb_record *out, size_t capacity);
/* cffi: end */
#pragma GCC visibility pop
#endif
