/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bits.h"

#include <stdlib.h>
#include <string.h>

void uis_bit_reader_init(uis_bit_reader *r, const uint8_t *data, size_t bytes) {
    *r = (uis_bit_reader){.data = data, .bits = bytes * 8};
}

uint32_t uis_read_bits(uis_bit_reader *r, unsigned count) {
    if (count == 0)
        return 0;
    const uint32_t next = uis_peek32(r);
    uis_skip_bits(r, count);
    return r->overrun ? 0 : next >> (32 - count);
}

uint32_t uis_peek32_near_end(const uis_bit_reader *r) {
    const size_t byte = r->position >> 3, bytes = (r->bits + 7) >> 3;
    uint64_t word = 0;
    for (size_t i = 0; i < 5; i++)
        word = word << 8 | (byte + i < bytes ? r->data[byte + i] : 0);
    return (uint32_t)(word >> (8 - (r->position & 7)));
}

uint32_t uis_read_ue(uis_bit_reader *r) {
    uint32_t next = uis_peek32(r);
    /* No ue(v) of a picture has more than 31 zeros; 15 is the usual limit. */
    unsigned zeros = next ? (unsigned)__builtin_clz(next) : 32;
    if (zeros <= 15) {
        uis_skip_bits(r, 2 * zeros + 1);
        return r->overrun ? 0 : (next >> (31 - 2 * zeros)) - 1;
    }
    uis_skip_bits(r, zeros);
    if (zeros > 31 || r->overrun) {
        r->overrun = true;
        return 0;
    }
    uis_skip_bits(r, 1);
    return ((1u << zeros) - 1) + uis_read_bits(r, zeros);
}

int32_t uis_read_se(uis_bit_reader *r) {
    uint32_t k = uis_read_ue(r);
    return k & 1 ? (int32_t)((k + 1) / 2) : -(int32_t)(k / 2);
}

size_t uis_rbsp_payload_bits(const uint8_t *data, size_t bytes) {
    while (bytes > 0 && data[bytes - 1] == 0)
        bytes--;
    if (bytes == 0)
        return 0;
    unsigned zeros = 0;
    while (!((data[bytes - 1] >> zeros) & 1))
        zeros++;
    return bytes * 8 - zeros - 1;
}

static bool grow(uint8_t **data, size_t *capacity, size_t need) {
    if (need <= *capacity)
        return true;
    size_t size = *capacity ? *capacity : 4096;
    while (size < need)
        size *= 2;
    uint8_t *bigger = realloc(*data, size);
    if (!bigger)
        return false;
    *data = bigger;
    *capacity = size;
    return true;
}

void uis_bit_writer_free(uis_bit_writer *w) {
    free(w->data);
    *w = (uis_bit_writer){0};
}

void uis_bit_writer_reset(uis_bit_writer *w) {
    w->bytes = 0;
    w->cache = 0;
    w->cached = 0;
    w->failed = false;
}

bool uis_bit_writer_reserve(uis_bit_writer *w, size_t more) {
    if (!w->failed && grow(&w->data, &w->capacity, w->bytes + more))
        return true;
    w->failed = true;
    return false;
}

void uis_bit_writer_flush(uis_bit_writer *w) {
    if (!uis_bit_writer_reserve(w, 8))
        return;
    while (w->cached >= 8) {
        w->cached -= 8;
        w->data[w->bytes++] = (uint8_t)(w->cache >> w->cached);
    }
}

void uis_write_ue(uis_bit_writer *w, uint32_t value) {
    if (value < 0xffff) { /* the usual case: in one piece */
        const unsigned length = 31 - (unsigned)__builtin_clz(value + 1);
        uis_write_bits(w, value + 1, 2 * length + 1);
        return;
    }
    const unsigned length = 63 - (unsigned)__builtin_clzll((uint64_t)value + 1);
    uis_write_bits(w, 0, length);
    uis_write_bits(w, (uint32_t)(((uint64_t)value + 1) >> 1), length);
    uis_write_bits(w, value + 1, 1);
}

void uis_write_se(uis_bit_writer *w, int32_t value) {
    uis_write_ue(w, value > 0 ? (uint32_t)value * 2 - 1 : (uint32_t)(-(int64_t)value) * 2);
}

void uis_write_copy(uis_bit_writer *w, const uint8_t *data, size_t from, size_t count) {
    if (!uis_bit_writer_reserve(w, count / 8 + 16))
        return;
    uis_bit_reader r = {.data = data, .bits = from + count, .position = from};
    if (count >= 64 && ((w->cached | from) & 7) == 0) { /* both aligned */
        uis_bit_writer_flush(w);
        memcpy(w->data + w->bytes, data + from / 8, count / 8);
        w->bytes += count / 8;
        r.position += count / 8 * 8;
        count &= 7;
    }
    for (; count >= 32; count -= 32) {
        uis_write_bits(w, uis_peek32(&r), 32);
        r.position += 32;
    }
    if (count)
        uis_write_bits(w, uis_peek32(&r) >> (32 - count), (unsigned)count);
}

void uis_write_trailing(uis_bit_writer *w) {
    uis_write_bits(w, 1, 1);
    if (w->cached & 7)
        uis_write_bits(w, 0, 8 - (w->cached & 7));
    uis_bit_writer_flush(w);
}

bool uis_buffer_reserve(uis_buffer *b, size_t more) {
    if (b->failed || !grow(&b->data, &b->capacity, b->size + more))
        b->failed = true;
    return !b->failed;
}

void uis_buffer_free(uis_buffer *b) {
    free(b->data);
    *b = (uis_buffer){0};
}

void uis_append_nal(uis_buffer *out, uint8_t nal_header, const uint8_t *rbsp, size_t size) {
    /* Worst case: an escape after every second byte. */
    if (!uis_buffer_reserve(out, 5 + size + size / 2 + 1))
        return;
    uint8_t *p = out->data + out->size;
    memcpy(p, (const uint8_t[]){0, 0, 0, 1}, 4);
    p += 4;
    *p++ = nal_header;
    unsigned zeros = 0;
    for (size_t i = 0; i < size; i++) {
        if (zeros == 2 && rbsp[i] <= 3) {
            *p++ = 3;
            zeros = 0;
        }
        *p++ = rbsp[i];
        zeros = rbsp[i] == 0 ? zeros + 1 : 0;
    }
    out->size = (size_t)(p - out->data);
}

size_t uis_unescape(const uint8_t *nal, size_t size, uint8_t *out) {
    size_t n = 0;
    unsigned zeros = 0;
    for (size_t i = 0; i < size; i++) {
        if (zeros == 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        out[n++] = nal[i];
        zeros = nal[i] == 0 ? zeros + 1 : 0;
    }
    return n;
}
