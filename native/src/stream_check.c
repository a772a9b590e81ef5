/* SPDX-License-Identifier: GPL-2.0-or-later
 * Tells what every NAL unit of a stream says; see bitstream.h. */
#include "stream_walk.h"
#include "uisplice/bitstream.h"

_Static_assert(UIS_COMMANDS == UIS_NAL_COMMANDS, "a record holds what a header holds");

static void describe_slice(const uis_walked_nal *nal, uis_nal_record *record) {
    const uis_slice_header *h = &nal->header;
    record->pps_id = h->pps_id;
    record->first_mb = h->first_mb;
    record->slice_type = h->type;
    record->frame_num = h->frame_num;
    record->idr_pic_id = h->idr_pic_id;
    record->num_ref = h->num_ref;
    record->qp = nal->context.qp;
    record->disable_deblocking = h->disable_deblocking;
    record->macroblocks = nal->count;
    record->long_term_reference = h->long_term_reference;
    record->adaptive_marking = h->adaptive_marking;
    record->modification_count = h->modification_count;
    record->marking_count = h->marking_count;
    for (int i = 0; i < UIS_COMMANDS; i++) {
        record->modifications[i][0] = h->modifications[i].idc;
        record->modifications[i][1] = h->modifications[i].value;
        record->markings[i][0] = h->markings[i].operation;
        record->markings[i][1] = h->markings[i].value;
        record->markings[i][2] = h->markings[i].second;
    }
}

int64_t uis_describe_stream(const uint8_t *data, size_t size, uis_sequence *sequence,
                            uis_nal_record *out, size_t capacity) {
    *sequence = (uis_sequence){0};
    uis_stream_walk w;
    uis_walked_nal nal;
    size_t count = 0;
    int rc = uis_walk_begin(&w, data, size);
    while (rc == 0 && (rc = uis_walk_next(&w, &nal)) == 1) {
        rc = 0;
        if (count++ >= capacity)
            continue;
        uis_nal_record *record = &out[count - 1];
        *record = (uis_nal_record){.offset = (uint64_t)(nal.nal - data),
                                   .size = nal.nal_size,
                                   .type = nal.type,
                                   .ref_idc = nal.nal[0] >> 5 & 3,
                                   .readable = nal.readable,
                                   .macroblocks = -1};
        if (!nal.readable)
            continue;
        if (nal.type == UIS_NAL_SPS)
            record->sps_id = w.parameters.sps_id;
        else if (nal.type == UIS_NAL_PPS) {
            record->pps_id = w.parameters.pps_id;
            record->sps_id = w.parameters.pps_sps_id;
        } else if (nal.type == UIS_NAL_SLICE || nal.type == UIS_NAL_IDR)
            describe_slice(&nal, record);
    }
    if (w.sps) {
        const uis_parameters *p = &w.parameters;
        *sequence = (uis_sequence){.profile_idc = p->profile_idc,
                                   .constraint_flags = p->constraint_flags,
                                   .level_idc = p->level_idc,
                                   .log2_max_frame_num = p->log2_max_frame_num,
                                   .poc_type = p->poc_type,
                                   .num_ref_frames = p->num_ref_frames,
                                   .mb_width = p->mb_width,
                                   .mb_height = p->mb_height,
                                   .crop_left = p->crop_left,
                                   .crop_right = p->crop_right,
                                   .crop_top = p->crop_top,
                                   .crop_bottom = p->crop_bottom};
    }
    uis_walk_end(&w);
    return rc == 0 ? (int64_t)count : -1;
}
