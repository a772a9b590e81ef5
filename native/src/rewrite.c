/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whole streams through the macroblock reader and writer; see bitstream.h. */
#include "uisplice/bitstream.h"

#include "macroblock.h"
#include "uisplice/frame_ring.h"

#include <stdlib.h>
#include <string.h>

/* Compares `count` bits of two buffers, each from its own position. */
static bool same_bits(const uint8_t *a, size_t from_a, const uint8_t *b, size_t from_b,
                      size_t count) {
    uis_bit_reader x = {.data = a, .bits = from_a + count, .position = from_a};
    uis_bit_reader y = {.data = b, .bits = from_b + count, .position = from_b};
    for (; count >= 32; count -= 32)
        if (uis_read_bits(&x, 32) != uis_read_bits(&y, 32))
            return false;
    return uis_read_bits(&x, (unsigned)count) == uis_read_bits(&y, (unsigned)count);
}

typedef struct walk {
    uis_parameters parameters;
    bool sps, pps;
    uis_mb_picture read, written;
    uint16_t slice; /* number of the next slice; pictures never share one */
    uint8_t *rbsp;
} walk;

static void walk_end(walk *w) {
    uis_mb_picture_free(&w->read);
    uis_mb_picture_free(&w->written);
    free(w->rbsp);
}

static int take_parameters(walk *w, unsigned type, size_t size) {
    if (type == UIS_NAL_SPS) {
        if (uis_parse_sps(w->rbsp, size, &w->parameters) != 0)
            return -1;
        w->sps = true;
        uis_mb_picture_free(&w->read);
        uis_mb_picture_free(&w->written);
        return uis_mb_picture_alloc(&w->read, w->parameters.mb_width, w->parameters.mb_height) |
               uis_mb_picture_alloc(&w->written, w->parameters.mb_width, w->parameters.mb_height);
    }
    if (uis_parse_pps(w->rbsp, size, &w->parameters) != 0)
        return -1;
    w->pps = true;
    return 0;
}

/* Reads the slice in w->rbsp into w->read. Returns the macroblocks, or -1. */
static int read_slice(walk *w, uint8_t nal_header, size_t size, uis_slice_header *h,
                      uis_slice_context *context, uis_bit_reader *r) {
    uis_bit_reader_init(r, w->rbsp, size);
    r->bits = uis_rbsp_payload_bits(w->rbsp, size);
    if (uis_parse_slice_header(r, nal_header, &w->parameters, h) != 0)
        return -1;
    if (h->first_mb == 0) {
        uis_mb_picture_clear(&w->read);
        uis_mb_picture_clear(&w->written);
    }
    *context = (uis_slice_context){.first_mb = h->first_mb,
                                   .type = h->type,
                                   .num_ref = h->num_ref,
                                   .qp = w->parameters.pic_init_qp + h->qp_delta,
                                   .slice = w->slice++};
    return uis_read_macroblocks(r, context, &w->read);
}

int uis_rewrite_stream(const uint8_t *data, size_t size, uis_rewrite_result *result) {
    *result = (uis_rewrite_result){0};
    walk w = {.rbsp = malloc(size ? size : 1)};
    uis_bit_writer out = {0};
    int rc = w.rbsp ? 0 : -1;
    size_t position = 0, nal_size;
    const uint8_t *nal;
    while (rc == 0 && uis_next_nal(data, size, &position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        size_t n = uis_unescape(nal + 1, nal_size - 1, w.rbsp);
        if (type == UIS_NAL_SPS || type == UIS_NAL_PPS) {
            rc = take_parameters(&w, type, n);
            continue;
        }
        if (type != UIS_NAL_SLICE && type != UIS_NAL_IDR)
            continue;
        if (!w.sps || !w.pps) {
            rc = -1;
            break;
        }
        uis_slice_header h;
        uis_slice_context context;
        uis_bit_reader r;
        uint64_t begin = uis_now_ns();
        int count = read_slice(&w, nal[0], n, &h, &context, &r);
        uint64_t middle = uis_now_ns();
        result->slices++;
        result->pictures += count >= 0 && h.first_mb == 0;
        if (count < 0) {
            result->unreadable++;
            continue;
        }
        result->macroblocks += (uint32_t)count;
        for (int i = 0; i < count; i++)
            result->kinds[w.read.mbs[h.first_mb + (uint32_t)i].kind]++;
        /* The same number of bits in front as in the source, so that I_PCM's
         * alignment comes out alike. */
        uis_bit_reader head;
        uis_bit_reader_init(&head, w.rbsp, n);
        uis_slice_header again;
        (void)uis_parse_slice_header(&head, nal[0], &w.parameters, &again);
        uis_bit_writer_reset(&out);
        uis_write_copy(&out, w.rbsp, 0, head.position);
        uis_mb_writer writer;
        uis_mb_writer_begin(&writer, &out, &context, &w.written);
        for (int i = 0; i < count; i++)
            if (uis_mb_writer_put(&writer, &w.read.mbs[h.first_mb + (uint32_t)i], w.rbsp) != 0)
                break;
        uis_mb_writer_end(&writer);
        size_t bits = out.bytes * 8 + out.cached;
        uis_write_trailing(&out);
        result->read_seconds += (double)(middle - begin) / 1e9;
        result->write_seconds += (double)(uis_now_ns() - middle) / 1e9;
        if (out.failed)
            rc = -1;
        else if (bits != r.bits || !same_bits(out.data, 0, w.rbsp, 0, bits))
            result->different++;
    }
    if (rc == 0 && result->slices == 0)
        rc = -1;
    uis_bit_writer_free(&out);
    walk_end(&w);
    return rc;
}

typedef struct motion_sink {
    uis_motion_record *out;
    size_t capacity, count;
    uint32_t picture;
} motion_sink;

static void emit(motion_sink *s, const uis_macroblock *mb, uint32_t mb_x, uint32_t mb_y, uint32_t x,
                 uint32_t y, uint32_t w, uint32_t h) {
    if (s->count < s->capacity) {
        uis_vector v = mb->mv[y * 4 + x];
        s->out[s->count] = (uis_motion_record){.picture = s->picture,
                                               .x = (int16_t)(mb_x * 16 + x * 4),
                                               .y = (int16_t)(mb_y * 16 + y * 4),
                                               .w = (int16_t)(w * 4),
                                               .h = (int16_t)(h * 4),
                                               .mv_x = v.x,
                                               .mv_y = v.y,
                                               .ref = mb->ref[(y >> 1) * 2 + (x >> 1)]};
    }
    s->count++;
}

static void emit_macroblock(motion_sink *s, const uis_mb_picture *p, uint32_t address) {
    const uis_macroblock *mb = &p->mbs[address];
    uint32_t x = address % p->width, y = address / p->width;
    switch (mb->kind) {
    case UIS_MB_SKIP:
    case UIS_MB_P16X16:
        emit(s, mb, x, y, 0, 0, 4, 4);
        break;
    case UIS_MB_P16X8:
        emit(s, mb, x, y, 0, 0, 4, 2);
        emit(s, mb, x, y, 0, 2, 4, 2);
        break;
    case UIS_MB_P8X16:
        emit(s, mb, x, y, 0, 0, 2, 4);
        emit(s, mb, x, y, 2, 0, 2, 4);
        break;
    case UIS_MB_P8X8:
    case UIS_MB_P8X8_REF0:
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t k = 0; k < uis_sub_count[mb->sub[i]]; k++) {
                uis_partition q = uis_sub_partition[mb->sub[i]][k];
                emit(s, mb, x, y, (i & 1) * 2 + q.x, (i >> 1) * 2 + q.y, q.w, q.h);
            }
        break;
    default:
        break;
    }
}

int64_t uis_read_motion(const uint8_t *data, size_t size, uis_motion_record *out, size_t capacity) {
    walk w = {.rbsp = malloc(size ? size : 1)};
    motion_sink sink = {.out = out, .capacity = capacity};
    int rc = w.rbsp ? 0 : -1;
    bool any = false;
    size_t position = 0, nal_size;
    const uint8_t *nal;
    while (rc == 0 && uis_next_nal(data, size, &position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        size_t n = uis_unescape(nal + 1, nal_size - 1, w.rbsp);
        if (type == UIS_NAL_SPS || type == UIS_NAL_PPS) {
            rc = take_parameters(&w, type, n);
            continue;
        }
        if (type != UIS_NAL_SLICE && type != UIS_NAL_IDR)
            continue;
        uis_slice_header h;
        uis_slice_context context;
        uis_bit_reader r;
        int count = w.sps && w.pps ? read_slice(&w, nal[0], n, &h, &context, &r) : -1;
        if (count < 0) {
            rc = -1;
            break;
        }
        if (h.first_mb == 0 && any)
            sink.picture++;
        any = true;
        for (int i = 0; i < count; i++)
            emit_macroblock(&sink, &w.read, h.first_mb + (uint32_t)i);
    }
    walk_end(&w);
    return rc == 0 && any ? (int64_t)sink.count : -1;
}
