/* SPDX-License-Identifier: GPL-2.0-or-later
 * H.264 high-level syntax of the streams read (an encoder's) and written (the
 * spliced one): parameter sets and slice headers (clauses 7.3.2 and 7.3.3).
 * Baseline only: no FMO, no ASO, no redundant pictures, frame macroblocks. */
#ifndef UIS_H264_H
#define UIS_H264_H

#include "bits.h"

enum { UIS_NAL_SLICE = 1, UIS_NAL_IDR = 5, UIS_NAL_SEI = 6, UIS_NAL_SPS = 7, UIS_NAL_PPS = 8 };

/* slice_type modulo 5 (table 7-6). */
enum { UIS_SLICE_P = 0, UIS_SLICE_I = 2 };

enum { UIS_PPS_IDS = 256 }; /* pic_parameter_set_id is less (7.4.2.2) */

/* What a slice header needs to know of the parameter sets, and what two
 * encoders must share for their slice data to mean the same. */
typedef struct uis_parameters {
    uint32_t profile_idc, constraint_flags, level_idc; /* flags: set 0 is the top bit of 8 */
    uint32_t sps_id, pps_id, pps_sps_id;
    uint32_t crop_left, crop_right, crop_top, crop_bottom; /* pixels */
    uint32_t log2_max_frame_num;
    uint32_t poc_type;
    uint32_t log2_max_poc_lsb;      /* POC type 0 */
    uint32_t poc_delta_always_zero; /* POC type 1 */
    uint32_t pic_order_present;
    uint32_t num_ref_frames;
    uint32_t mb_width, mb_height;
    uint32_t entropy_coding; /* 0: CAVLC */
    uint32_t num_ref_idx_l0_default;
    uint32_t weighted_pred;
    int32_t pic_init_qp;
    int32_t chroma_qp_index_offset;
    uint32_t deblocking_control;
    uint32_t constrained_intra_pred;
} uis_parameters;

/* Parses an SPS or PPS RBSP into *p. 0, or -1 if it is cut short or uses a
 * feature that is not Baseline. */
int uis_parse_sps(const uint8_t *rbsp, size_t size, uis_parameters *p);
int uis_parse_pps(const uint8_t *rbsp, size_t size, uis_parameters *p);

/* The written stream's two PPS; all slices of a picture use the same one. They differ in
 * constrained_intra_pred_flag alone: set where a region's first picture, all intra, lies
 * among inter macroblocks that its encoder did not have. */
enum { UIS_PPS_PLAIN = 0, UIS_PPS_CONSTRAINED = 1 };

/* ref_pic_list_modification() and dec_ref_pic_marking(), command by command. */
enum { UIS_COMMANDS = 8 };
typedef struct uis_list_modification {
    uint32_t idc, value;
} uis_list_modification;
typedef struct uis_marking {
    uint32_t operation, value, second; /* second: LongTermFrameIdx of operation 3 */
} uis_marking;

typedef struct uis_slice_header {
    uint32_t first_mb;
    uint32_t type; /* UIS_SLICE_P or UIS_SLICE_I */
    bool idr;
    int32_t qp_delta;
    uint32_t disable_deblocking;
    int32_t alpha_offset_div2, beta_offset_div2;
    uint32_t num_ref;      /* P: num_ref_idx_l0_active */
    bool list_modified;    /* P: list 0 is reordered */
    bool adaptive_marking; /* MMCOs are there */
    uint32_t frame_num;
    uint32_t pps_id; /* in written streams UIS_PPS_* */
    uint32_t idr_pic_id;
    /* Read streams only. */
    bool long_term_reference;                   /* IDR: long_term_reference_flag */
    uint32_t modification_count, marking_count; /* may be more than are held */
    uis_list_modification modifications[UIS_COMMANDS];
    uis_marking markings[UIS_COMMANDS];
    /* Written streams only. */
    uint32_t reference[2];    /* P: LongTermPicNum of each list entry */
    uint32_t long_term_index; /* LongTermFrameIdx this picture becomes */
    bool leave_out_mmco4;     /* a fault for tests: MMCO 6 without MMCO 4 */
} uis_slice_header;

/* Reads a slice header of Baseline; the reader is left at slice_data(). 0 or -1. */
int uis_parse_slice_header(uis_bit_reader *r, uint8_t nal_header, const uis_parameters *p,
                           uis_slice_header *h);

/* Writes a slice header of the spliced stream: list modification idc 2 to
 * `reference` (num_ref entries), and MMCO 4(2), MMCO 6(long_term_index), or for an IDR picture
 * long_term_reference_flag = 1 (clauses 7.3.3.1, 7.3.3.3, 8.2.5). */
void uis_write_slice_header(uis_bit_writer *w, const uis_parameters *p, const uis_slice_header *h);

typedef struct uis_stream_format {
    uint32_t width, height; /* view, pixels; cropping is derived */
    uint32_t fps_num, fps_den;
} uis_stream_format;

/* Appends SPS and both PPS NAL units of the spliced stream: Constrained Baseline,
 * two reference frames, POC type 2, BT.601 matrix with sRGB primaries. */
void uis_append_parameter_sets(uis_buffer *out, const uis_stream_format *format,
                               const uis_parameters *p);

/* Lowest level (table A-1) that allows this picture size and rate with two
 * reference frames; as level_idc. Bitrate is left out: QP is constant. */
uint32_t uis_level_idc(uint32_t mb_width, uint32_t mb_height, double fps);

/* Walks NAL units of an Annex B buffer. Start with *position = 0; each call
 * sets nal and size (header byte included); false at the end. */
bool uis_next_nal(const uint8_t *data, size_t size, size_t *position, const uint8_t **nal,
                  size_t *nal_size);
#endif
