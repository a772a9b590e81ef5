/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream_walk.h"

#include <stdlib.h>

int uis_walk_begin(uis_stream_walk *w, const uint8_t *data, size_t size) {
    *w = (uis_stream_walk){.data = data, .size = size, .rbsp = malloc(size ? size : 1)};
    return w->rbsp ? 0 : -1;
}

void uis_walk_end(uis_stream_walk *w) {
    uis_mb_picture_free(&w->picture);
    free(w->rbsp);
    *w = (uis_stream_walk){0};
}

static int take_sps(uis_stream_walk *w, size_t size, uis_walked_nal *nal) {
    uis_parameters p = w->parameters;
    if (uis_parse_sps(w->rbsp, size, &p) != 0)
        return 0;
    w->parameters = p;
    w->sps = nal->readable = true;
    if (w->picture.mbs && w->picture.width == p.mb_width && w->picture.height == p.mb_height)
        return 0;
    uis_mb_picture_free(&w->picture);
    return uis_mb_picture_alloc(&w->picture, p.mb_width, p.mb_height);
}

static void take_pps(uis_stream_walk *w, size_t size, uis_walked_nal *nal) {
    uis_parameters p = w->parameters;
    if (uis_parse_pps(w->rbsp, size, &p) != 0)
        return;
    w->parameters = p;
    w->constrained[p.pps_id] = p.constrained_intra_pred;
    w->pps = nal->readable = true;
}

static void take_slice(uis_stream_walk *w, size_t size, uis_walked_nal *nal) {
    nal->count = -1;
    if (!w->sps || !w->pps)
        return;
    uis_bit_reader r;
    uis_bit_reader_init(&r, w->rbsp, size);
    r.bits = nal->bits = uis_rbsp_payload_bits(w->rbsp, size);
    if (uis_parse_slice_header(&r, nal->nal[0], &w->parameters, &nal->header) != 0)
        return;
    nal->readable = true;
    nal->data_from = r.position;
    nal->context = (uis_slice_context){.first_mb = nal->header.first_mb,
                                       .type = nal->header.type,
                                       .num_ref = nal->header.num_ref,
                                       .qp = w->parameters.pic_init_qp + nal->header.qp_delta,
                                       .slice = w->slice,
                                       .constrained = w->constrained[nal->header.pps_id]};
    /* What older slices left is told apart by its number, until numbers come again. */
    if (w->wrapped && w->slice == 0)
        uis_mb_picture_clear(&w->picture);
    w->wrapped |= ++w->slice == 0;
    nal->count = uis_read_macroblocks(&r, &nal->context, &w->picture);
}

int uis_walk_next(uis_stream_walk *w, uis_walked_nal *nal) {
    *nal = (uis_walked_nal){0};
    if (!uis_next_nal(w->data, w->size, &w->position, &nal->nal, &nal->nal_size))
        return 0;
    nal->type = nal->nal[0] & 31;
    size_t size = uis_unescape(nal->nal + 1, nal->nal_size - 1, w->rbsp);
    if (nal->type == UIS_NAL_SPS)
        return take_sps(w, size, nal) == 0 ? 1 : -1;
    if (nal->type == UIS_NAL_PPS)
        take_pps(w, size, nal);
    else if (nal->type == UIS_NAL_SLICE || nal->type == UIS_NAL_IDR)
        take_slice(w, size, nal);
    return 1;
}
