/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "splicer.h"

#include <stdio.h>
#include <string.h>

enum { LTR_FULL = 0, LTR_SPLICED = 1 };
/* nal_ref_idc 3: every picture is a reference. */
enum { NAL_HEADER_SLICE = 3 << 5 | UIS_NAL_SLICE, NAL_HEADER_IDR = 3 << 5 | UIS_NAL_IDR };

void uis_splicer_init(uis_splicer *s, const uis_stream_format *format,
                      const uis_parameters *encoder, uint32_t faults) {
    *s = (uis_splicer){.format = *format, .parameters = *encoder, .faults = faults};
    /* Small enough to wrap within seconds, so that wrapping is always tested. */
    s->parameters.log2_max_frame_num = 8;
    s->parameters.num_ref_frames = 2;
    s->parameters.deblocking_control = 1;
}

void uis_splicer_free(uis_splicer *s) {
    uis_slices_free(&s->slices);
    uis_bit_writer_free(&s->writer);
    uis_mb_picture_free(&s->region);
    uis_mb_picture_free(&s->placed);
}

int uis_splicer_compatible(const uis_splicer *s, const uis_parameters *o, char *err,
                           size_t err_size) {
    const uis_parameters *p = &s->parameters;
    const char *field =
        p->pic_init_qp != o->pic_init_qp                         ? "pic_init_qp"
        : p->chroma_qp_index_offset != o->chroma_qp_index_offset ? "chroma_qp_index_offset"
        : p->constrained_intra_pred != o->constrained_intra_pred ? "constrained_intra_pred_flag"
        : p->entropy_coding != o->entropy_coding                 ? "entropy_coding_mode_flag"
                                                                 : NULL;
    if (!field)
        return 0;
    snprintf(err, err_size, "the two encoders differ in %s, so one PPS cannot serve both", field);
    return -1;
}

static void begin_picture(uis_splicer *s, bool idr) {
    if (idr) {
        s->frame_num = 0;
        if (s->started) /* two IDR pictures in a row must differ in it (7.4.3) */
            s->idr_pic_id = (s->idr_pic_id + 1) & 0xffff;
    }
}

static void end_picture(uis_splicer *s) {
    s->last_frame_num = s->frame_num;
    s->frame_num = (s->frame_num + 1) & ((1u << s->parameters.log2_max_frame_num) - 1);
    s->started = true;
}

static void finish_slice(uis_splicer *s, bool idr, uis_buffer *out) {
    uis_write_trailing(&s->writer);
    if (s->writer.failed)
        out->failed = true;
    else
        uis_append_nal(out, idr ? NAL_HEADER_IDR : NAL_HEADER_SLICE, s->writer.data,
                       s->writer.bytes);
    uis_bit_writer_reset(&s->writer);
}

/* What all slices of the next picture have in common. */
static uis_slice_header picture_header(const uis_splicer *s, uint32_t long_term_index) {
    return (uis_slice_header){.type = UIS_SLICE_P,
                              .num_ref = 1,
                              .frame_num = s->frame_num,
                              .idr_pic_id = s->idr_pic_id,
                              .long_term_index = long_term_index,
                              .disable_deblocking = 1,
                              .leave_out_mmco4 = (s->faults & UIS_FAULT_NO_MMCO4) != 0};
}

static void write_copied_slice(uis_splicer *s, const uis_slice *from, const uis_slice_header *h,
                               uis_buffer *out) {
    uis_write_slice_header(&s->writer, &s->parameters, h);
    uis_write_copy(&s->writer, s->slices.rbsp + from->rbsp_offset, from->data_from,
                   from->data_bits);
    finish_slice(s, h->idr, out);
}

static int out_of_memory(char *err, size_t err_size) {
    snprintf(err, err_size, "out of memory while writing an access unit");
    return -1;
}

int uis_splice_full(uis_splicer *s, const uis_encoded *picture, const uis_parameters *encoder,
                    uis_buffer *out, uint32_t *slices, char *err, size_t err_size) {
    if (uis_read_slices(picture->data, picture->size, encoder, &s->slices, err, err_size) != 0)
        return -1;
    begin_picture(s, picture->idr);
    if (picture->idr)
        uis_append_parameter_sets(out, &s->format, &s->parameters);
    for (size_t i = 0; i < s->slices.count; i++) {
        const uis_slice *from = &s->slices.slices[i];
        uis_slice_header h = picture_header(s, LTR_FULL);
        h.first_mb = from->header.first_mb;
        h.type = from->header.type;
        h.idr = picture->idr;
        h.reference[0] = LTR_FULL;
        h.qp_delta = from->header.qp_delta;
        h.disable_deblocking = from->header.disable_deblocking;
        h.alpha_offset_div2 = from->header.alpha_offset_div2;
        h.beta_offset_div2 = from->header.beta_offset_div2;
        write_copied_slice(s, from, &h, out);
    }
    *slices = (uint32_t)s->slices.count;
    end_picture(s);
    return out->failed ? out_of_memory(err, err_size) : 0;
}

/* A slice of `count` P_Skip macroblocks: their inferred vector is zero, because
 * at a slice's start no neighbour is available and every later one follows a
 * zero vector with reference 0 (8.4.1.1). */
static void write_skip_slice(uis_splicer *s, uint32_t first_mb, uint32_t count, uis_buffer *out) {
    uis_slice_header h = picture_header(s, LTR_SPLICED);
    h.first_mb = first_mb;
    h.reference[0] = s->faults & UIS_FAULT_WRONG_LTR ? LTR_SPLICED : LTR_FULL;
    uis_write_slice_header(&s->writer, &s->parameters, &h);
    uis_write_ue(&s->writer, count); /* mb_skip_run */
    finish_slice(s, false, out);
}

int uis_splice_read_region(uis_splicer *s, const uis_encoded *picture,
                           const uis_parameters *encoder, const uis_mb_rect *where, uint32_t *leaks,
                           char *err, size_t err_size) {
    if (uis_read_slices(picture->data, picture->size, encoder, &s->slices, err, err_size) != 0)
        return -1;
    if (s->region.width != where->w || s->region.height != where->h) {
        uis_mb_picture_free(&s->region);
        if (uis_mb_picture_alloc(&s->region, where->w, where->h) != 0)
            return out_of_memory(err, err_size);
    }
    /* What is left of the last picture is never looked at: neighbours come before,
     * and are of the same slice. */
    uint32_t total = 0;
    for (size_t i = 0; i < s->slices.count; i++) {
        const uis_slice *from = &s->slices.slices[i];
        uis_bit_reader r = {.data = s->slices.rbsp + from->rbsp_offset,
                            .bits = from->data_from + from->data_bits,
                            .position = from->data_from};
        const uis_slice_context context = {.first_mb = from->header.first_mb,
                                           .type = from->header.type,
                                           .num_ref = from->header.num_ref,
                                           .qp = encoder->pic_init_qp + from->header.qp_delta,
                                           .slice = (uint16_t)i};
        int count = from->header.disable_deblocking == 1 && from->header.first_mb == total
                        ? uis_read_macroblocks(&r, &context, &s->region)
                        : -1;
        if (count < 0) {
            snprintf(err, err_size, "encoder 2's slice %zu cannot be spliced", i);
            return -1;
        }
        total += (uint32_t)count;
    }
    if (total != where->w * where->h) {
        snprintf(err, err_size, "encoder 2 coded %u of %u macroblocks", total, where->w * where->h);
        return -1;
    }
    const uis_open_edges frame_edges = {
        .left = where->x == 0,
        .top = where->y == 0,
        .right = where->x + where->w == s->parameters.mb_width,
        .bottom = where->y + where->h == s->parameters.mb_height,
    };
    *leaks = uis_count_leaks(&s->region, frame_edges);
    return 0;
}

/* Moves the region's macroblocks to another list entry. */
static void set_reference(uis_mb_picture *region, int8_t ref) {
    for (uint32_t i = 0; ref != 0 && i < region->width * region->height; i++)
        if (!uis_mb_is_intra(&region->mbs[i]))
            memset(region->mbs[i].ref, ref, sizeof region->mbs[i].ref);
}

int uis_splice_syntax(uis_splicer *s, const uis_mb_rect *where, uis_splice_references references,
                      uis_buffer *out, uint32_t *slices, char *err, size_t err_size) {
    const uint32_t width = s->parameters.mb_width, height = s->parameters.mb_height;
    if (s->slices.count != 1) {
        snprintf(err, err_size, "encoder 2 must code its region in one slice, not %zu",
                 s->slices.count);
        return -1;
    }
    if (!s->placed.mbs && uis_mb_picture_alloc(&s->placed, width, height) != 0)
        return out_of_memory(err, err_size);
    begin_picture(s, false);
    const uis_slice *from = &s->slices.slices[0];
    const uint8_t *rbsp = s->slices.rbsp + from->rbsp_offset;
    const uint32_t surroundings = s->faults & UIS_FAULT_WRONG_LTR ? LTR_SPLICED : LTR_FULL;
    uis_slice_header h = picture_header(s, LTR_SPLICED);
    h.num_ref = references == UIS_REFERENCES_BOTH ? 2 : 1;
    h.reference[0] = references == UIS_REFERENCES_SAME ? LTR_SPLICED : surroundings;
    h.reference[1] = LTR_SPLICED;
    h.qp_delta = from->header.qp_delta;
    uis_write_slice_header(&s->writer, &s->parameters, &h);
    const uis_slice_context context = {
        .type = UIS_SLICE_P, .num_ref = h.num_ref, .qp = s->parameters.pic_init_qp + h.qp_delta};
    set_reference(&s->region, references == UIS_REFERENCES_BOTH ? 1 : 0);
    uis_mb_writer w;
    uis_mb_writer_begin(&w, &s->writer, &context, &s->placed);
    w.mvd_error = (s->faults & UIS_FAULT_WRONG_MVD) != 0;
    int rc = 0;
    for (uint32_t y = 0; y < height && rc == 0; y++)
        for (uint32_t x = 0; x < width && rc == 0; x++) {
            if (x - where->x < where->w && y - where->y < where->h) {
                rc = uis_mb_writer_put(&w, &s->region.mbs[(y - where->y) * where->w + x - where->x],
                                       rbsp);
            } else {
                rc = uis_mb_writer_put_static(&w);
            }
        }
    uis_mb_writer_end(&w);
    finish_slice(s, false, out);
    *slices = 1;
    end_picture(s);
    if (rc != 0) {
        snprintf(err, err_size, "a macroblock of encoder 2 does not fit the spliced slice");
        return -1;
    }
    return out->failed ? out_of_memory(err, err_size) : 0;
}

int uis_splice_rows(uis_splicer *s, const uis_mb_rect *where, uis_buffer *out, uint32_t *slices,
                    char *err, size_t err_size) {
    const uint32_t mb_width = s->parameters.mb_width;
    begin_picture(s, false);
    *slices = 0;
    uint32_t next = 0; /* first macroblock not yet written */
    for (size_t i = 0; i < s->slices.count; i++) {
        const uis_slice *from = &s->slices.slices[i];
        uint32_t row = from->header.first_mb / where->w;
        if (from->header.disable_deblocking != 1 ||
            (from->header.first_mb % where->w != 0 && where->w != mb_width)) {
            snprintf(err, err_size,
                     "encoder 2 must code one slice a macroblock row, without deblocking");
            return -1;
        }
        uis_slice_header h = picture_header(s, LTR_SPLICED);
        h.first_mb = (where->y + row) * mb_width + where->x + from->header.first_mb % where->w;
        h.type = from->header.type;
        h.reference[0] = LTR_SPLICED;
        h.qp_delta = from->header.qp_delta;
        if (h.first_mb > next) {
            write_skip_slice(s, next, h.first_mb - next, out);
            ++*slices;
        }
        write_copied_slice(s, from, &h, out);
        ++*slices;
        /* A region as wide as the frame may come in taller slices. */
        uint32_t end =
            i + 1 < s->slices.count ? s->slices.slices[i + 1].header.first_mb : where->w * where->h;
        next = where->w == mb_width ? where->y * mb_width + end
                                    : (where->y + row) * mb_width + where->x + where->w;
    }
    uint32_t total = mb_width * s->parameters.mb_height;
    if (next < total) {
        write_skip_slice(s, next, total - next, out);
        ++*slices;
    }
    end_picture(s);
    return out->failed ? out_of_memory(err, err_size) : 0;
}
