/* SPDX-License-Identifier: GPL-2.0-or-later
 * Bit reader and writer over raw byte sequence payloads (H.264 clause 7.2 and
 * 9.1: u(n), ue(v), se(v)) and the emulation prevention of clause 7.4.1. */
#ifndef UIS_BITS_H
#define UIS_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads an RBSP that the caller owns. A read past the end gives zeros and sets
 * `overrun`, so a parser may check once at the end. */
typedef struct uis_bit_reader {
    const uint8_t *data;
    size_t bits;     /* length in bits */
    size_t position; /* next bit */
    bool overrun;
} uis_bit_reader;

void uis_bit_reader_init(uis_bit_reader *r, const uint8_t *data, size_t bytes);
uint32_t uis_read_bits(uis_bit_reader *r, unsigned count); /* 0..32 */
uint32_t uis_peek32_near_end(const uis_bit_reader *r);

/* The next 32 bits without moving; zeros behind the last byte. */
static inline uint32_t uis_peek32(const uis_bit_reader *r) {
    const size_t byte = r->position >> 3;
    if (byte + 8 > (r->bits + 7) >> 3)
        return uis_peek32_near_end(r);
    uint64_t word;
    memcpy(&word, r->data + byte, sizeof word);
    return (uint32_t)(__builtin_bswap64(word) << (r->position & 7) >> 32);
}

/* Moves on; past the end sets `overrun`. */
static inline void uis_skip_bits(uis_bit_reader *r, size_t count) {
    if (count > r->bits - r->position) {
        r->position = r->bits;
        r->overrun = true;
    } else {
        r->position += count;
    }
}
uint32_t uis_read_ue(uis_bit_reader *r);
int32_t uis_read_se(uis_bit_reader *r);

/* Position of the rbsp_stop_one_bit, i.e. the number of payload bits; 0 if
 * there is none. */
size_t uis_rbsp_payload_bits(const uint8_t *data, size_t bytes);

/* A growing buffer of bits. When memory runs out `failed` is set and further
 * writes do nothing. */
typedef struct uis_bit_writer {
    uint8_t *data;
    size_t capacity; /* bytes */
    size_t bytes;    /* complete bytes */
    uint64_t cache;  /* bits not yet in `data`, right aligned */
    unsigned cached; /* 0..31 between calls */
    bool failed;
} uis_bit_writer;

void uis_bit_writer_free(uis_bit_writer *w);
void uis_bit_writer_reset(uis_bit_writer *w);
/* Makes room for `more` bytes. */
bool uis_bit_writer_reserve(uis_bit_writer *w, size_t more);
/* Moves whole bytes from the cache into `data`: 0..7 bits stay. */
void uis_bit_writer_flush(uis_bit_writer *w);

/* Bits written so far. */
static inline size_t uis_bits_written(const uis_bit_writer *w) {
    return w->bytes * 8 + w->cached;
}

static inline void uis_write_bits(uis_bit_writer *w, uint32_t value, unsigned count) { /* 0..32 */
    if (w->bytes + 8 > w->capacity && !uis_bit_writer_reserve(w, 8))
        return;
    w->cache = w->cache << count | (value & (uint32_t)((1ull << count) - 1));
    w->cached += count;
    if (w->cached >= 32) {
        w->cached -= 32;
        const uint32_t word = __builtin_bswap32((uint32_t)(w->cache >> w->cached));
        memcpy(w->data + w->bytes, &word, sizeof word);
        w->bytes += sizeof word;
    }
}
void uis_write_ue(uis_bit_writer *w, uint32_t value);
void uis_write_se(uis_bit_writer *w, int32_t value);
/* Copies `count` bits of `data` from bit `from` on. */
void uis_write_copy(uis_bit_writer *w, const uint8_t *data, size_t from, size_t count);
/* rbsp_trailing_bits(): a one, then zeros to the byte boundary; flushes. */
void uis_write_trailing(uis_bit_writer *w);

/* A growing byte buffer for access units. Same failure rule. */
typedef struct uis_buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
} uis_buffer;

bool uis_buffer_reserve(uis_buffer *b, size_t more);
void uis_buffer_free(uis_buffer *b);

/* Appends start code, NAL header byte and the escaped RBSP. */
void uis_append_nal(uis_buffer *out, uint8_t nal_header, const uint8_t *rbsp, size_t size);

/* Removes emulation prevention bytes. `out` must hold `size` bytes. Returns the RBSP's size. */
size_t uis_unescape(const uint8_t *nal, size_t size, uint8_t *out);
#endif
