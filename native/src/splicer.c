/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "splicer.h"

#include <stdio.h>
#include <string.h>

/* nal_ref_idc 3: every picture is a reference. */
enum { NAL_HEADER_SLICE = 3 << 5 | UIS_NAL_SLICE, NAL_HEADER_IDR = 3 << 5 | UIS_NAL_IDR };

void uis_splicer_init(uis_splicer *s, const uis_stream_format *format,
                      const uis_parameters *encoder, uint32_t faults) {
    *s = (uis_splicer){.format = *format, .parameters = *encoder, .faults = faults};
    /* Small enough to wrap within seconds, so that wrapping is always tested. */
    s->parameters.log2_max_frame_num = 8;
    s->parameters.num_ref_frames = 2;
    s->parameters.deblocking_control = 1;
    s->parameters.constrained_intra_pred = 0;
}

void uis_splicer_free(uis_splicer *s) {
    uis_slices_free(&s->slices);
    uis_bit_writer_free(&s->writer);
    uis_mb_picture_free(&s->placed);
}

int uis_splicer_compatible(const uis_splicer *s, const uis_parameters *o, char *err,
                           size_t err_size) {
    const uis_parameters *p = &s->parameters;
    const char *field = p->pic_init_qp != o->pic_init_qp ? "pic_init_qp"
                        : p->chroma_qp_index_offset != o->chroma_qp_index_offset
                            ? "chroma_qp_index_offset"
                        : p->entropy_coding != o->entropy_coding ? "entropy_coding_mode_flag"
                        : o->constrained_intra_pred              ? "constrained_intra_pred_flag"
                                                                 : NULL;
    if (!field)
        return 0;
    snprintf(err, err_size,
             "an encoder differs from the stream in %s, so one PPS cannot serve both", field);
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

static void write_copied_slice(uis_splicer *s, const uis_slices *slices, const uis_slice *from,
                               const uis_slice_header *h, uis_buffer *out) {
    uis_write_slice_header(&s->writer, &s->parameters, h);
    uis_write_copy(&s->writer, slices->rbsp + from->rbsp_offset, from->data_from, from->data_bits);
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
        uis_slice_header h = picture_header(s, UIS_LTR_FULL);
        h.first_mb = from->header.first_mb;
        h.type = from->header.type;
        h.idr = picture->idr;
        h.reference[0] = UIS_LTR_FULL;
        h.qp_delta = from->header.qp_delta;
        h.disable_deblocking = from->header.disable_deblocking;
        h.alpha_offset_div2 = from->header.alpha_offset_div2;
        h.beta_offset_div2 = from->header.beta_offset_div2;
        write_copied_slice(s, &s->slices, from, &h, out);
    }
    *slices = (uint32_t)s->slices.count;
    end_picture(s);
    return out->failed ? out_of_memory(err, err_size) : 0;
}

/* A slice of `count` P_Skip macroblocks: their inferred vector is zero, because
 * at a slice's start no neighbour is available and every later one follows a
 * zero vector with reference 0 (8.4.1.1). */
static void write_skip_slice(uis_splicer *s, uint32_t first_mb, uint32_t count, uis_buffer *out) {
    uis_slice_header h = picture_header(s, UIS_LTR_SPLICED);
    h.first_mb = first_mb;
    h.reference[0] = s->faults & UIS_FAULT_WRONG_LTR ? UIS_LTR_SPLICED : UIS_LTR_FULL;
    uis_write_slice_header(&s->writer, &s->parameters, &h);
    uis_write_ue(&s->writer, count); /* mb_skip_run */
    finish_slice(s, false, out);
}

/* Encoder 1's macroblocks carry their own references (see placement.h). */
static void set_reference(uis_part *part, uint8_t ref) {
    for (uint32_t i = 0; ref != 0 && i < part->mbs.width * part->mbs.height; i++) {
        uis_macroblock *mb = &part->mbs.mbs[i];
        if (!uis_mb_is_intra(mb))
            memset(mb->ref, (int8_t)ref, sizeof mb->ref);
        mb->still = 0;
    }
}

/* True if the macroblock at (x, y) has the neighbours that it had in its part; `slice` begins the
 * slice that it is written to. */
static bool is_inside(const uis_placement *p, const uis_part *part, uint32_t slice, uint32_t x,
                      uint32_t y) {
    const uint32_t address = y * p->width + x;
    if (slice > 0 && address - slice <= p->width)
        return false; /* those above are of another slice */
    if (part->slices.count > 1) {
        const uint32_t at = (y - part->where.y) * part->where.w + x - part->where.x;
        if (at - uis_part_slice_start(part, at) <= part->where.w)
            return false; /* or were */
    }
    const uint8_t *o = &p->owner[address];
    const bool up = y > 0, left = x > 0, right = x + 1 < p->width;
    return (!left || o[-1] == *o) && (!up || *(o - p->width) == *o) &&
           (!up || !left || *(o - p->width - 1) == *o) &&
           (!up || !right || *(o - p->width + 1) == *o);
}

/* One slice's macroblocks, from the writer's next one to `end`; `copies`: their reference indices
 * and intra modes are coded as in the parts. 0, or -1: one does not fit. */
static int write_macroblocks(uis_mb_writer *w, const uis_placement *p, uint32_t end, bool copies) {
    const uint32_t slice = w->next;
    int rc = 0;
    for (uint32_t i = slice; i < end && rc == 0;) {
        const uint32_t y = i / p->width, row = y * p->width;
        const uint32_t stop = row + p->width < end ? row + p->width : end;
        const uis_macroblock *mb = NULL;
        const uis_part *part = NULL;
        const uint32_t begin = i;
        for (; i < stop; i++) {
            part = p->parts[p->owner[i]];
            mb = part ? uis_part_at(part, i - row, y) : NULL;
            if (mb && !mb->still)
                break;
        }
        rc = uis_mb_writer_put_static(w, i - begin);
        if (rc == 0 && i < stop) {
            const bool as_read = copies && part->patched == 0 &&
                                 part->slices.slices[0].header.type == UIS_SLICE_P &&
                                 is_inside(p, part, slice, i - row, y);
            rc = (as_read ? uis_mb_writer_put_as_read : uis_mb_writer_put)(w, mb,
                                                                           uis_part_bits(part, mb));
            i++;
        }
    }
    uis_mb_writer_end(w);
    return rc;
}

int uis_splice_parts(uis_splicer *s, const uis_placement *p, const uis_picture_form *form,
                     uis_buffer *out, uint32_t *slices, char *err, size_t err_size) {
    if (!s->placed.mbs && uis_mb_picture_alloc(&s->placed, p->width, p->height) != 0)
        return out_of_memory(err, err_size);
    const uis_slice_header *from = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        if (!p->parts[i])
            continue;
        from = &p->parts[i]->slices.slices[0].header;
        if (i > 0)
            set_reference(p->parts[i], form->region_reference);
    }
    begin_picture(s, false);
    uis_slice_header h = picture_header(s, form->long_term_index);
    h.num_ref = form->num_ref;
    h.reference[0] = form->reference[0];
    h.reference[1] = form->reference[1];
    if (s->faults & UIS_FAULT_WRONG_LTR)
        h.reference[0] = h.reference[0] == UIS_LTR_FULL ? UIS_LTR_SPLICED : UIS_LTR_FULL;
    h.disable_deblocking = !p->deblock ? 1 : p->cut_count ? 2 : 0; /* 2: not across slices */
    h.pps_id = p->constrained ? UIS_PPS_CONSTRAINED : UIS_PPS_PLAIN;
    h.qp_delta = from ? from->qp_delta : 0;
    if (from && p->deblock) {
        h.alpha_offset_div2 = from->alpha_offset_div2;
        h.beta_offset_div2 = from->beta_offset_div2;
    }
    const bool copies = form->num_ref == 1 && !p->constrained;
    int32_t mvd_error = (s->faults & UIS_FAULT_WRONG_MVD) != 0;
    int rc = 0;
    for (uint32_t i = 0; i <= p->cut_count && rc == 0; i++) {
        h.first_mb = i == 0 ? 0 : p->cuts[i - 1];
        uis_write_slice_header(&s->writer, &s->parameters, &h);
        const uis_slice_context context = {.first_mb = h.first_mb,
                                           .type = UIS_SLICE_P,
                                           .num_ref = h.num_ref,
                                           .qp = s->parameters.pic_init_qp + h.qp_delta,
                                           .constrained = p->constrained};
        uis_mb_writer w;
        uis_mb_writer_begin(&w, &s->writer, &context, &s->placed);
        w.mvd_error = mvd_error;
        rc = write_macroblocks(&w, p, i < p->cut_count ? p->cuts[i] : p->width * p->height, copies);
        mvd_error = w.mvd_error;
        finish_slice(s, false, out);
    }
    *slices = p->cut_count + 1;
    end_picture(s);
    if (rc != 0) {
        snprintf(err, err_size, "a macroblock does not fit the spliced slice");
        return -1;
    }
    return out->failed ? out_of_memory(err, err_size) : 0;
}

int uis_splice_rows(uis_splicer *s, const uis_part *region, uis_buffer *out, uint32_t *slices,
                    char *err, size_t err_size) {
    const uint32_t mb_width = s->parameters.mb_width;
    const uis_mb_rect *where = &region->where;
    begin_picture(s, false);
    *slices = 0;
    uint32_t next = 0; /* first macroblock not yet written */
    for (size_t i = 0; i < region->slices.count; i++) {
        const uis_slice *from = &region->slices.slices[i];
        uint32_t row = from->header.first_mb / where->w;
        if (from->header.disable_deblocking != 1 ||
            (from->header.first_mb % where->w != 0 && where->w != mb_width)) {
            snprintf(err, err_size,
                     "encoder 2 must code one slice a macroblock row, without deblocking");
            return -1;
        }
        uis_slice_header h = picture_header(s, UIS_LTR_SPLICED);
        h.first_mb = (where->y + row) * mb_width + where->x + from->header.first_mb % where->w;
        h.type = from->header.type;
        h.reference[0] = UIS_LTR_SPLICED;
        h.qp_delta = from->header.qp_delta;
        if (h.first_mb > next) {
            write_skip_slice(s, next, h.first_mb - next, out);
            ++*slices;
        }
        write_copied_slice(s, &region->slices, from, &h, out);
        ++*slices;
        /* A region as wide as the frame may come in taller slices. */
        uint32_t end = i + 1 < region->slices.count ? region->slices.slices[i + 1].header.first_mb
                                                    : where->w * where->h;
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
