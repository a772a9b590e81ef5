/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whole streams through the macroblock reader and writer; see bitstream.h. */
#include "uisplice/bitstream.h"

#include "mv_check.h"
#include "stream_walk.h"
#include "uisplice/frame_ring.h"

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

/* Walks on to the next slice. 1: *nal holds it; 0: the stream ends; -1: it cannot be
 * walked (no memory, or no parameter sets that can be read). */
static int next_slice(uis_stream_walk *w, uis_walked_nal *nal) {
    int rc;
    while ((rc = uis_walk_next(w, nal)) == 1) {
        bool slice = nal->type == UIS_NAL_SLICE || nal->type == UIS_NAL_IDR;
        if (slice)
            return w->sps && w->pps ? 1 : -1;
        if (!nal->readable && (nal->type == UIS_NAL_SPS || nal->type == UIS_NAL_PPS))
            return -1;
    }
    return rc;
}

/* The picture to write into, as large as the one read. 0 or -1. */
static int prepare(uis_mb_picture *written, const uis_mb_picture *read, uint16_t slice) {
    if (written->width != read->width || written->height != read->height) {
        uis_mb_picture_free(written);
        return uis_mb_picture_alloc(written, read->width, read->height);
    }
    if (slice == 0) /* numbers come again: see stream_walk.c */
        uis_mb_picture_clear(written);
    return 0;
}

int uis_rewrite_stream(const uint8_t *data, size_t size, uis_rewrite_result *result) {
    *result = (uis_rewrite_result){0};
    uis_stream_walk w;
    uis_mb_picture written = {0};
    uis_bit_writer out = {0};
    uis_walked_nal s;
    uint64_t begin = uis_now_ns();
    int rc = uis_walk_begin(&w, data, size);
    while (rc == 0 && (rc = next_slice(&w, &s)) == 1) {
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
        if ((uint32_t)s.count == w.picture.width * w.picture.height) {
            result->leaks += uis_count_leaks(&w.picture, (uis_open_edges){false});
            begin = middle;
            middle = uis_now_ns();
            result->check_seconds += (double)(middle - begin) / 1e9;
        }
        const uis_macroblock *mbs = &w.picture.mbs[s.header.first_mb];
        result->macroblocks += (uint32_t)s.count;
        for (int i = 0; i < s.count; i++)
            result->kinds[mbs[i].kind]++;
        if (prepare(&written, &w.picture, s.context.slice) != 0) {
            rc = -1;
            break;
        }
        /* The header's bits in front as in the source, so that I_PCM's alignment
         * comes out alike. */
        uis_bit_writer_reset(&out);
        uis_write_copy(&out, w.rbsp, 0, s.data_from);
        uis_mb_writer writer;
        uis_mb_writer_begin(&writer, &out, &s.context, &written);
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
    uis_mb_picture_free(&written);
    uis_walk_end(&w);
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
    uis_partition partitions[16];
    const uint32_t count = uis_mb_partitions(mb, partitions);
    for (uint32_t i = 0; i < count; i++) {
        const uis_partition q = partitions[i];
        emit(s, mb, address % p->width, address / p->width, q.x, q.y, q.w, q.h);
    }
}

int64_t uis_read_motion(const uint8_t *data, size_t size, uis_motion_record *out, size_t capacity) {
    uis_stream_walk w;
    motion_sink sink = {.out = out, .capacity = capacity};
    uis_walked_nal s;
    bool any = false;
    int rc = uis_walk_begin(&w, data, size) == 0 ? 1 : -1;
    while (rc == 1 && (rc = next_slice(&w, &s)) == 1) {
        if (s.count < 0) {
            rc = -1;
            break;
        }
        if (s.header.first_mb == 0 && any)
            sink.picture++;
        any = true;
        for (int i = 0; i < s.count; i++)
            emit_macroblock(&sink, &w.picture, s.header.first_mb + (uint32_t)i);
    }
    uis_walk_end(&w);
    return rc == 0 && any ? (int64_t)sink.count : -1;
}
