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

/* A slice as it was read. */
typedef struct walked_slice {
    uis_slice_header header;
    uis_slice_context context;
    size_t data_from; /* bit where slice_data() begins in the walk's RBSP */
    size_t bits;      /* of the payload */
    int count;        /* macroblocks; -1: the reader refused it */
} walked_slice;

static void read_slice(walk *w, uint8_t nal_header, size_t size, walked_slice *s) {
    uis_bit_reader r;
    uis_bit_reader_init(&r, w->rbsp, size);
    r.bits = s->bits = uis_rbsp_payload_bits(w->rbsp, size);
    s->count = -1;
    if (uis_parse_slice_header(&r, nal_header, &w->parameters, &s->header) != 0)
        return;
    s->data_from = r.position;
    if (s->header.first_mb == 0) {
        uis_mb_picture_clear(&w->read);
        uis_mb_picture_clear(&w->written);
    }
    s->context = (uis_slice_context){.first_mb = s->header.first_mb,
                                     .type = s->header.type,
                                     .num_ref = s->header.num_ref,
                                     .qp = w->parameters.pic_init_qp + s->header.qp_delta,
                                     .slice = w->slice++};
    s->count = uis_read_macroblocks(&r, &s->context, &w->read);
}

/* Reads on to the next slice and through it; parameter sets on the way are taken
 * in. 1: *s is filled; 0: the stream ends; -1: it cannot be walked. */
static int next_slice(walk *w, const uint8_t *data, size_t size, size_t *position,
                      walked_slice *s) {
    size_t nal_size;
    const uint8_t *nal;
    while (uis_next_nal(data, size, position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        size_t n = uis_unescape(nal + 1, nal_size - 1, w->rbsp);
        if (type == UIS_NAL_SPS || type == UIS_NAL_PPS) {
            if (take_parameters(w, type, n) != 0)
                return -1;
        } else if (type == UIS_NAL_SLICE || type == UIS_NAL_IDR) {
            if (!w->sps || !w->pps)
                return -1;
            read_slice(w, nal[0], n, s);
            return 1;
        }
    }
    return 0;
}

int uis_rewrite_stream(const uint8_t *data, size_t size, uis_rewrite_result *result) {
    *result = (uis_rewrite_result){0};
    walk w = {.rbsp = malloc(size ? size : 1)};
    uis_bit_writer out = {0};
    walked_slice s;
    size_t position = 0;
    uint64_t begin = uis_now_ns();
    int rc = w.rbsp ? 0 : -1;
    while (rc == 0 && (rc = next_slice(&w, data, size, &position, &s)) == 1) {
        rc = 0;
        uint64_t middle = uis_now_ns();
        result->read_seconds += (double)(middle - begin) / 1e9;
        result->slices++;
        result->pictures += s.count >= 0 && s.header.first_mb == 0;
        if (s.count < 0) {
            result->unreadable++;
            begin = middle;
            continue;
        }
        const uis_macroblock *mbs = &w.read.mbs[s.header.first_mb];
        result->macroblocks += (uint32_t)s.count;
        for (int i = 0; i < s.count; i++)
            result->kinds[mbs[i].kind]++;
        /* The header's bits in front as in the source, so that I_PCM's alignment
         * comes out alike. */
        uis_bit_writer_reset(&out);
        uis_write_copy(&out, w.rbsp, 0, s.data_from);
        uis_mb_writer writer;
        uis_mb_writer_begin(&writer, &out, &s.context, &w.written);
        for (int i = 0; i < s.count; i++)
            if (uis_mb_writer_put(&writer, &mbs[i], w.rbsp) != 0)
                break;
        uis_mb_writer_end(&writer);
        size_t bits = uis_bits_written(&out);
        uis_write_trailing(&out);
        begin = uis_now_ns();
        result->write_seconds += (double)(begin - middle) / 1e9;
        if (out.failed)
            rc = -1;
        else if (bits != s.bits || !same_bits(out.data, 0, w.rbsp, 0, bits))
            result->different++;
    }
    uis_bit_writer_free(&out);
    walk_end(&w);
    return rc == 0 && result->slices ? 0 : -1;
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
    walked_slice s;
    size_t position = 0;
    bool any = false;
    int rc = w.rbsp ? 1 : -1;
    while (rc == 1 && (rc = next_slice(&w, data, size, &position, &s)) == 1) {
        if (s.count < 0) {
            rc = -1;
            break;
        }
        if (s.header.first_mb == 0 && any)
            sink.picture++;
        any = true;
        for (int i = 0; i < s.count; i++)
            emit_macroblock(&sink, &w.read, s.header.first_mb + (uint32_t)i);
    }
    walk_end(&w);
    return rc == 0 && any ? (int64_t)sink.count : -1;
}
