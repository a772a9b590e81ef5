/* SPDX-License-Identifier: GPL-2.0-or-later
 * Mutates inside the payload of one NAL unit, escapes taken off and put on again.
 * Most edits of raw bytes break a header; these reach the macroblock layer with
 * headers that still parse. Shared by the targets that take streams. */
#include "h264.h"

#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* The NAL unit to change: any, each as likely. */
static bool choose(const uint8_t *data, size_t size, uint32_t *state, const uint8_t **nal,
                   size_t *nal_size) {
    const uint8_t *at;
    size_t position = 0, at_size;
    uint32_t seen = 0;
    while (uis_next_nal(data, size, &position, &at, &at_size))
        if (at_size > 1 && next_random(state) % ++seen == 0) {
            *nal = at;
            *nal_size = at_size;
        }
    return seen != 0;
}

static size_t edit(uint8_t *rbsp, size_t size, size_t capacity, uint32_t *state) {
    size_t at = next_random(state) % size;
    switch (next_random(state) % 8) {
    case 0: /* drop bytes */
        memmove(rbsp + at, rbsp + at + 1, size - at - 1);
        return size - 1;
    case 1: /* repeat what stands there */
        if (size == capacity)
            return size;
        memmove(rbsp + at + 1, rbsp + at, size - at);
        return size + 1;
    case 2: /* cut short */
        return at;
    case 3: /* the largest code that 32 bits hold, or one near it, at any bit */
        for (size_t bit = at * 8 + next_random(state) % 8, i = 0; i < 63 && bit < size * 8;
             i++, bit++) {
            uint32_t value = i < 31 ? 0 : i < 60 ? 1 : next_random(state) & 1;
            rbsp[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
            rbsp[bit / 8] |= (uint8_t)(value << (7 - bit % 8));
        }
        return size;
    default:
        for (uint32_t i = next_random(state) % 4 + 1; i > 0; i--)
            rbsp[next_random(state) % size] ^= (uint8_t)(1u << next_random(state) % 8);
        return size;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint32_t state = seed;
    const uint8_t *nal = NULL;
    size_t nal_size = 0;
    if (next_random(&state) % 4 == 0 || !choose(data, size, &state, &nal, &nal_size))
        return LLVMFuzzerMutate(data, size, max_size);
    const size_t begin = (size_t)(nal - data), capacity = nal_size + 16;
    uint8_t *rbsp = malloc(capacity);
    uis_buffer out = {0};
    size_t new_size = 0;
    if (rbsp) {
        size_t n = uis_unescape(nal + 1, nal_size - 1, rbsp);
        n = n ? edit(rbsp, n, capacity, &state) : 0;
        uis_append_nal(&out, nal[0], rbsp, n);
        /* The start code in front stays the stream's own. */
        const size_t body = out.size - 4, tail = size - begin - nal_size;
        if (!out.failed && begin + body + tail <= max_size) {
            memmove(data + begin + body, data + begin + nal_size, tail);
            memcpy(data + begin, out.data + 4, body);
            new_size = begin + body + tail;
        }
    }
    uis_buffer_free(&out);
    free(rbsp);
    return new_size ? new_size : LLVMFuzzerMutate(data, size, max_size);
}
