/* SPDX-License-Identifier: GPL-2.0-or-later
 * A part of a picture: what one encoder coded, read down to macroblocks, and
 * where it lies. The first of the three steps of splicing (read parts, place
 * them, write a picture). */
#ifndef UIS_PART_H
#define UIS_PART_H

#include "macroblock.h"
#include "slice_reader.h"

/* In macroblocks. */
typedef struct uis_mb_rect {
    uint32_t x, y, w, h;
} uis_mb_rect;

static inline bool uis_mb_inside(const uis_mb_rect *r, uint32_t x, uint32_t y) {
    return x - r->x < r->w && y - r->y < r->h; /* unsigned: left of it is far right of it */
}

static inline bool uis_mb_rect_same(const uis_mb_rect *a, const uis_mb_rect *b) {
    return a->x == b->x && a->y == b->y && a->w == b->w && a->h == b->h;
}

static inline bool uis_mb_rect_meet(const uis_mb_rect *a, const uis_mb_rect *b) {
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

/* Zeroed before first use; owned by the caller and reused from picture to picture. */
typedef struct uis_part {
    uis_mb_rect where;
    uis_encoded picture; /* as its encoder gave it; valid until that codes again */
    uis_slices slices;
    uis_mb_picture mbs;
    uint8_t *samples; /* of macroblocks patched with I_PCM, 384 bytes each */
    uint32_t samples_capacity, patched;
} uis_part;

/* Reads a coded picture's slices and macroblocks. 0, or -1 (sentence in err). */
int uis_part_read(uis_part *part, const uis_mb_rect *where, const uis_encoded *picture,
                  const uis_parameters *encoder, char *err, size_t err_size);

/* The macroblock at a place of the picture that the part covers. */
static inline uis_macroblock *uis_part_at(const uis_part *part, uint32_t x, uint32_t y) {
    return &part->mbs.mbs[(y - part->where.y) * part->where.w + x - part->where.x];
}

/* The first macroblock of the slice that the macroblock at this address of the part lies in. */
uint32_t uis_part_slice_start(const uis_part *part, uint32_t address);

/* Makes the macroblock at (x, y) of the picture an I_PCM macroblock that holds what
 * the encoder reconstructed there. 0 or -1 (no memory). */
int uis_part_patch(uis_part *part, uint32_t x, uint32_t y);

/* The bits that a macroblock of the part refers to. */
const uint8_t *uis_part_bits(const uis_part *part, const uis_macroblock *mb);

void uis_part_free(uis_part *part);
#endif
