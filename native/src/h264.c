/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "h264.h"

#include <string.h>

int uis_parse_sps(const uint8_t *rbsp, size_t size, uis_parameters *p) {
    uis_bit_reader r;
    uis_bit_reader_init(&r, rbsp, size);
    p->profile_idc = uis_read_bits(&r, 8);
    p->constraint_flags = uis_read_bits(&r, 8);
    p->level_idc = uis_read_bits(&r, 8);
    p->sps_id = uis_read_ue(&r);
    if (p->profile_idc != 66)
        return -1;
    p->log2_max_frame_num = uis_read_ue(&r) + 4;
    p->poc_type = uis_read_ue(&r);
    if (p->poc_type > 2 || p->log2_max_frame_num > 16)
        return -1;
    if (p->poc_type == 0) {
        p->log2_max_poc_lsb = uis_read_ue(&r) + 4;
        if (p->log2_max_poc_lsb > 16)
            return -1;
    } else if (p->poc_type == 1) {
        p->poc_delta_always_zero = uis_read_bits(&r, 1);
        uis_read_se(&r);
        uis_read_se(&r);
        uint32_t cycle = uis_read_ue(&r);
        if (cycle > 255)
            return -1;
        for (uint32_t i = 0; i < cycle; i++)
            uis_read_se(&r);
    }
    p->num_ref_frames = uis_read_ue(&r);
    uis_read_bits(&r, 1); /* gaps_in_frame_num_value_allowed_flag */
    p->mb_width = uis_read_ue(&r) + 1;
    p->mb_height = uis_read_ue(&r) + 1;
    if (uis_read_bits(&r, 1) != 1) /* frame_mbs_only_flag */
        return -1;
    /* Level 6.2's MaxFS of 139264 allows a side of sqrt(8 * MaxFS) (A.3.1). */
    if (p->mb_width > 1055 || p->mb_height > 1055 || p->mb_width * p->mb_height > 139264)
        return -1;
    uis_read_bits(&r, 1); /* direct_8x8_inference_flag */
    p->crop_left = p->crop_right = p->crop_top = p->crop_bottom = 0;
    if (uis_read_bits(&r, 1)) { /* in units of two luma samples (4:2:0) */
        uint32_t crop[4];
        for (int i = 0; i < 4; i++) {
            crop[i] = uis_read_ue(&r);
            if (crop[i] > 16 * 1055 / 2)
                return -1;
        }
        p->crop_left = crop[0] * 2;
        p->crop_right = crop[1] * 2;
        p->crop_top = crop[2] * 2;
        p->crop_bottom = crop[3] * 2;
        if (p->crop_left + p->crop_right >= p->mb_width * 16 ||
            p->crop_top + p->crop_bottom >= p->mb_height * 16)
            return -1;
    }
    return r.overrun ? -1 : 0;
}

int uis_parse_pps(const uint8_t *rbsp, size_t size, uis_parameters *p) {
    uis_bit_reader r;
    uis_bit_reader_init(&r, rbsp, size);
    p->pps_id = uis_read_ue(&r);
    if (p->pps_id >= UIS_PPS_IDS)
        return -1;
    p->pps_sps_id = uis_read_ue(&r);
    p->entropy_coding = uis_read_bits(&r, 1);
    p->pic_order_present = uis_read_bits(&r, 1);
    if (uis_read_ue(&r) != 0) /* slice groups */
        return -1;
    p->num_ref_idx_l0_default = uis_read_ue(&r) + 1;
    uis_read_ue(&r);
    p->weighted_pred = uis_read_bits(&r, 1);
    uis_read_bits(&r, 2);
    int32_t pic_init_qp_minus26 = uis_read_se(&r);
    if (pic_init_qp_minus26 < -26 || pic_init_qp_minus26 > 25)
        return -1;
    p->pic_init_qp = 26 + pic_init_qp_minus26;
    uis_read_se(&r);
    p->chroma_qp_index_offset = uis_read_se(&r);
    p->deblocking_control = uis_read_bits(&r, 1);
    p->constrained_intra_pred = uis_read_bits(&r, 1);
    if (uis_read_bits(&r, 1) != 0) /* redundant_pic_cnt_present_flag */
        return -1;
    /* Anything behind this bit is High profile's (8x8 transform, matrices). */
    if (r.overrun || uis_rbsp_payload_bits(rbsp, size) != r.position)
        return -1;
    return 0;
}

/* ref_pic_list_modification() of list 0 (7.3.3.1). */
static int read_list_modification(uis_bit_reader *r, uis_slice_header *h) {
    for (uint32_t i = 0; i < 66 && !r->overrun; i++) {
        uis_list_modification m = {.idc = uis_read_ue(r)};
        h->modification_count = i;
        if (m.idc == 3)
            return 0;
        if (m.idc > 2)
            return -1;
        m.value = uis_read_ue(r);
        if (i < UIS_COMMANDS)
            h->modifications[i] = m;
    }
    return -1;
}

/* The MMCOs of dec_ref_pic_marking() (7.3.3.3). */
static int read_marking(uis_bit_reader *r, uis_slice_header *h) {
    for (uint32_t i = 0; i < 66 && !r->overrun; i++) {
        uis_marking m = {.operation = uis_read_ue(r)};
        h->marking_count = i;
        if (m.operation == 0)
            return 0;
        if (m.operation > 6)
            return -1;
        if (m.operation != 5)
            m.value = uis_read_ue(r);
        if (m.operation == 3)
            m.second = uis_read_ue(r);
        if (i < UIS_COMMANDS)
            h->markings[i] = m;
    }
    return -1;
}

int uis_parse_slice_header(uis_bit_reader *r, uint8_t nal_header, const uis_parameters *p,
                           uis_slice_header *h) {
    *h = (uis_slice_header){.idr = (nal_header & 31) == UIS_NAL_IDR};
    bool reference = (nal_header >> 5) != 0;
    h->first_mb = uis_read_ue(r);
    h->type = uis_read_ue(r) % 5;
    if (h->type != UIS_SLICE_P && h->type != UIS_SLICE_I)
        return -1;
    h->pps_id = uis_read_ue(r);
    if (h->pps_id >= UIS_PPS_IDS)
        return -1;
    h->frame_num = uis_read_bits(r, p->log2_max_frame_num);
    if (h->idr)
        h->idr_pic_id = uis_read_ue(r);
    if (p->poc_type == 0) {
        uis_read_bits(r, p->log2_max_poc_lsb);
        if (p->pic_order_present)
            uis_read_se(r);
    } else if (p->poc_type == 1 && !p->poc_delta_always_zero) {
        uis_read_se(r);
        if (p->pic_order_present)
            uis_read_se(r);
    }
    if (h->type == UIS_SLICE_P) {
        h->num_ref = uis_read_bits(r, 1) ? uis_read_ue(r) + 1 : p->num_ref_idx_l0_default;
        h->list_modified = uis_read_bits(r, 1);
        if (h->num_ref > 32 || (h->list_modified && read_list_modification(r, h) != 0))
            return -1;
    }
    if (reference) {
        if (h->idr) {
            uis_read_bits(r, 1); /* no_output_of_prior_pics_flag */
            h->long_term_reference = uis_read_bits(r, 1);
        } else if ((h->adaptive_marking = uis_read_bits(r, 1)) && read_marking(r, h) != 0) {
            return -1;
        }
    }
    h->qp_delta = uis_read_se(r);
    int32_t qp = h->qp_delta < -51 || h->qp_delta > 51 ? -1 : p->pic_init_qp + h->qp_delta;
    if (qp < 0 || qp > 51)
        return -1;
    if (p->deblocking_control) {
        h->disable_deblocking = uis_read_ue(r);
        if (h->disable_deblocking > 2)
            return -1;
        if (h->disable_deblocking != 1) {
            h->alpha_offset_div2 = uis_read_se(r);
            h->beta_offset_div2 = uis_read_se(r);
        }
    }
    return r->overrun ? -1 : 0;
}

void uis_write_slice_header(uis_bit_writer *w, const uis_parameters *p, const uis_slice_header *h) {
    uis_write_ue(w, h->first_mb);
    uis_write_ue(w, h->type);
    uis_write_ue(w, h->pps_id);
    uis_write_bits(w, h->frame_num, p->log2_max_frame_num);
    if (h->idr)
        uis_write_ue(w, h->idr_pic_id);
    if (h->type == UIS_SLICE_P) {
        uis_write_bits(w, h->num_ref != 1, 1); /* num_ref_idx_active_override_flag */
        if (h->num_ref != 1)
            uis_write_ue(w, h->num_ref - 1);
        uis_write_bits(w, 1, 1); /* ref_pic_list_modification_flag_l0 */
        for (uint32_t i = 0; i < h->num_ref; i++) {
            uis_write_ue(w, 2); /* long_term_pic_num follows */
            uis_write_ue(w, h->reference[i]);
        }
        uis_write_ue(w, 3); /* end */
    }
    if (h->idr) {
        uis_write_bits(w, 0, 1); /* no_output_of_prior_pics_flag */
        uis_write_bits(w, 1, 1); /* long_term_reference_flag */
    } else {
        uis_write_bits(w, 1, 1); /* adaptive_ref_pic_marking_mode_flag */
        if (!h->leave_out_mmco4) {
            uis_write_ue(w, 4); /* max_long_term_frame_idx_plus1 ... */
            uis_write_ue(w, 2); /* ... = 2 */
        }
        uis_write_ue(w, 6); /* this picture becomes ... */
        uis_write_ue(w, h->long_term_index);
        uis_write_ue(w, 0);
    }
    uis_write_se(w, h->qp_delta);
    if (p->deblocking_control) {
        uis_write_ue(w, h->disable_deblocking);
        if (h->disable_deblocking != 1) {
            uis_write_se(w, h->alpha_offset_div2);
            uis_write_se(w, h->beta_offset_div2);
        }
    }
}

uint32_t uis_level_idc(uint32_t mb_width, uint32_t mb_height, double fps) {
    /* level_idc, MaxMBPS, MaxFS, MaxDpbMbs (table A-1) */
    static const uint32_t levels[][4] = {
        {10, 1485, 99, 396},          {11, 3000, 396, 900},        {12, 6000, 396, 2376},
        {13, 11880, 396, 2376},       {20, 11880, 396, 2376},      {21, 19800, 792, 4752},
        {22, 20250, 1620, 8100},      {30, 40500, 1620, 8100},     {31, 108000, 3600, 18000},
        {32, 216000, 5120, 20480},    {40, 245760, 8192, 32768},   {42, 522240, 8704, 34816},
        {50, 589824, 22080, 110400},  {51, 983040, 36864, 184320}, {52, 2073600, 36864, 184320},
        {60, 4177920, 139264, 696320}};
    const size_t count = sizeof levels / sizeof levels[0];
    uint32_t mbs = mb_width * mb_height;
    for (size_t i = 0; i < count; i++)
        if (mbs * fps <= levels[i][1] && mbs <= levels[i][2] && mbs * 2 <= levels[i][3] &&
            mb_width * mb_width <= levels[i][2] * 8 && mb_height * mb_height <= levels[i][2] * 8)
            return levels[i][0];
    return 62;
}

static void append_rbsp(uis_buffer *out, uint8_t nal_header, uis_bit_writer *w) {
    uis_write_trailing(w);
    if (w->failed)
        out->failed = true;
    else
        uis_append_nal(out, nal_header, w->data, w->bytes);
    uis_bit_writer_reset(w);
}

void uis_append_parameter_sets(uis_buffer *out, const uis_stream_format *format,
                               const uis_parameters *p) {
    uis_bit_writer w = {0};
    uint32_t level =
        uis_level_idc(p->mb_width, p->mb_height, (double)format->fps_num / format->fps_den);
    uis_write_bits(&w, 66, 8);   /* profile_idc: Baseline */
    uis_write_bits(&w, 0xc0, 8); /* constraint sets 0 and 1: Constrained Baseline */
    uis_write_bits(&w, level, 8);
    uis_write_ue(&w, 0);
    uis_write_ue(&w, p->log2_max_frame_num - 4);
    uis_write_ue(&w, 2); /* pic_order_cnt_type: output order is decoding order */
    uis_write_ue(&w, 2); /* max_num_ref_frames: LTR 0 and LTR 1 */
    uis_write_bits(&w, 0, 1);
    uis_write_ue(&w, p->mb_width - 1);
    uis_write_ue(&w, p->mb_height - 1);
    uis_write_bits(&w, 1, 1); /* frame_mbs_only_flag */
    uis_write_bits(&w, 1, 1); /* direct_8x8_inference_flag */
    uint32_t right = p->mb_width * 16 - format->width, bottom = p->mb_height * 16 - format->height;
    uis_write_bits(&w, right || bottom, 1);
    if (right || bottom) { /* in units of two luma samples (4:2:0) */
        uis_write_ue(&w, 0);
        uis_write_ue(&w, right / 2);
        uis_write_ue(&w, 0);
        uis_write_ue(&w, bottom / 2);
    }
    uis_write_bits(&w, 1, 1);  /* vui_parameters_present_flag (annex E) */
    uis_write_bits(&w, 1, 1);  /* aspect_ratio_info_present_flag */
    uis_write_bits(&w, 1, 8);  /* square */
    uis_write_bits(&w, 0, 1);  /* overscan_info_present_flag */
    uis_write_bits(&w, 1, 1);  /* video_signal_type_present_flag */
    uis_write_bits(&w, 5, 3);  /* unspecified video_format */
    uis_write_bits(&w, 0, 1);  /* limited range */
    uis_write_bits(&w, 1, 1);  /* colour_description_present_flag */
    uis_write_bits(&w, 1, 8);  /* BT.709 primaries, which are sRGB's */
    uis_write_bits(&w, 13, 8); /* sRGB transfer */
    uis_write_bits(&w, 6, 8);  /* BT.601 matrix: what the conversion uses */
    uis_write_bits(&w, 0, 1);  /* chroma_loc_info_present_flag */
    uis_write_bits(&w, 1, 1);  /* timing_info_present_flag: the clock, not a constant rate */
    uis_write_bits(&w, format->fps_den, 32);
    uis_write_bits(&w, format->fps_num * 2, 32);
    uis_write_bits(&w, 0, 1); /* fixed_frame_rate_flag */
    uis_write_bits(&w, 0, 2); /* no HRD */
    uis_write_bits(&w, 0, 1); /* pic_struct_present_flag */
    uis_write_bits(&w, 1, 1); /* bitstream_restriction_flag */
    uis_write_bits(&w, 1, 1); /* motion vectors may cross the picture's edges */
    uis_write_ue(&w, 0);
    uis_write_ue(&w, 0);
    uis_write_ue(&w, 16);
    uis_write_ue(&w, 16);
    uis_write_ue(&w, 0); /* max_num_reorder_frames: a decoder may show at once */
    uis_write_ue(&w, 2); /* max_dec_frame_buffering */
    append_rbsp(out, 0x67, &w);

    for (uint32_t id = UIS_PPS_PLAIN; id <= UIS_PPS_CONSTRAINED; id++) {
        uis_write_ue(&w, id);
        uis_write_ue(&w, 0);
        uis_write_bits(&w, 0, 1); /* CAVLC */
        uis_write_bits(&w, 0, 1);
        uis_write_ue(&w, 0); /* one slice group */
        uis_write_ue(&w, 0); /* one reference active by default */
        uis_write_ue(&w, 0);
        uis_write_bits(&w, 0, 3); /* no weighted prediction */
        uis_write_se(&w, p->pic_init_qp - 26);
        uis_write_se(&w, 0);
        uis_write_se(&w, p->chroma_qp_index_offset);
        uis_write_bits(&w, p->deblocking_control, 1);
        uis_write_bits(&w, id == UIS_PPS_CONSTRAINED, 1);
        uis_write_bits(&w, 0, 1);
        append_rbsp(out, 0x68, &w);
    }
    uis_bit_writer_free(&w);
}

/* Offset of the next 00 00 01 at or after `from`, or size. */
static size_t find_start_code(const uint8_t *data, size_t size, size_t from) {
    for (size_t i = from; i + 3 <= size; i++)
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
            return i;
    return size;
}

bool uis_next_nal(const uint8_t *data, size_t size, size_t *position, const uint8_t **nal,
                  size_t *nal_size) {
    size_t start = find_start_code(data, size, *position);
    if (start + 3 >= size)
        return false;
    start += 3;
    size_t end = find_start_code(data, size, start);
    *position = end;
    while (end > start && data[end - 1] == 0) /* trailing zeros, or the long start code's */
        end--;
    *nal = data + start;
    *nal_size = end - start;
    return end > start;
}
