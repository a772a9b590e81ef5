/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "placement.h"

#include <stdlib.h>

static uis_macroblock *at(const uis_placement *p, uint32_t x, uint32_t y) {
    uis_part *part = p->parts[p->owner[y * p->width + x]];
    return part ? uis_part_at(part, x, y) : NULL;
}

static bool intra_at(const uis_placement *p, uint32_t x, uint32_t y) {
    const uis_macroblock *mb = at(p, x, y);
    return mb && uis_mb_is_intra(mb);
}

enum { LEFT = 1, UP = 2, UP_LEFT = 4, UP_RIGHT = 8 };

/* Which neighbouring macroblocks' samples an intra macroblock takes (8.3). */
static unsigned samples_taken(const uis_macroblock *mb) {
    /* By Intra4x4PredMode 0..8, Intra16x16PredMode, intra_chroma_pred_mode. */
    static const uint8_t by_i4[9] = {UP,
                                     LEFT,
                                     LEFT | UP,
                                     UP | UP_RIGHT,
                                     LEFT | UP | UP_LEFT,
                                     LEFT | UP | UP_LEFT,
                                     LEFT | UP | UP_LEFT,
                                     UP | UP_RIGHT,
                                     LEFT};
    static const uint8_t by_i16[4] = {UP, LEFT, LEFT | UP, LEFT | UP | UP_LEFT};
    static const uint8_t by_chroma[4] = {LEFT | UP, LEFT, UP, LEFT | UP | UP_LEFT};
    unsigned taken = by_chroma[mb->chroma_mode & 3];
    if (mb->kind == UIS_MB_I16X16)
        return taken | by_i16[mb->i16_type & 3];
    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t x = i & 3, y = i >> 2;
        const unsigned t = by_i4[mb->i4_mode[i] < 9 ? mb->i4_mode[i] : 2];
        if (x == 0)
            taken |= t & LEFT;
        if (y == 0)
            taken |= t & UP;
        /* Corners: of the first and last block of the row above; of blocks beside the
         * left edge further down the corner is in the left macroblock. */
        if (t & UP_LEFT)
            taken |= x == 0 && y == 0 ? UP_LEFT : x == 0 ? LEFT : y == 0 ? UP : 0;
        if (t & UP_RIGHT && y == 0)
            taken |= x == 3 ? UP_RIGHT : UP;
    }
    return taken;
}

/* The first macroblock of the picture's slice that this one lies in. */
static uint32_t slice_start(const uis_placement *p, uint32_t address) {
    uint32_t start = 0;
    for (uint32_t i = 0; i < p->cut_count && p->cuts[i] <= address; i++)
        start = p->cuts[i];
    return start;
}

/* Intra, and not just samples. */
static bool predicts_intra(const uis_macroblock *mb) {
    return uis_mb_is_intra(mb) && mb->kind != UIS_MB_PCM;
}

/* True if patching `mb` changes what an intra macroblock `user` takes from it (`side`: where it
 * lies). Its samples stay; but with constrained intra prediction an inter macroblock was not
 * there at all. */
static bool notices(const uis_placement *p, const uis_macroblock *mb, const uis_macroblock *user,
                    unsigned side) {
    return p->constrained && !uis_mb_is_intra(mb) && user && predicts_intra(user) &&
           samples_taken(user) & side;
}

/* Places still to be patched. */
typedef struct waiting {
    uint32_t *places;
    uint32_t count, capacity;
} waiting;

static bool wait_for(waiting *w, uint32_t place) {
    if (w->count == w->capacity) {
        const uint32_t capacity = w->capacity ? w->capacity * 2 : 32;
        uint32_t *bigger = realloc(w->places, capacity * sizeof *bigger);
        if (!bigger)
            return false;
        w->places = bigger;
        w->capacity = capacity;
    }
    w->places[w->count++] = place;
    return true;
}

static int patch_all(uis_placement *p, waiting *w) {
    static const int8_t users[4][2] = {{1, 0}, {0, 1}, {-1, 1}, {1, 1}};
    static const unsigned sides[4] = {LEFT, UP, UP_RIGHT, UP_LEFT};
    while (w->count) {
        const uint32_t place = w->places[--w->count];
        const uint32_t x = place % p->width, y = place / p->width;
        const uis_macroblock *mb = at(p, x, y);
        if (mb->kind == UIS_MB_PCM)
            continue;
        if (p->deblock || p->patched >= p->patch_limit)
            return 1;
        for (int i = 0; i < 4; i++) {
            const uint32_t ux = x + (uint32_t)users[i][0], uy = y + (uint32_t)users[i][1];
            if (ux < p->width && uy < p->height && notices(p, mb, at(p, ux, uy), sides[i]) &&
                !wait_for(w, uy * p->width + ux))
                return -1;
        }
        if (uis_part_patch(p->parts[p->owner[place]], x, y) != 0)
            return -1;
        p->patched++;
    }
    return 0;
}

/* Patches (x, y) and what that takes along. */
static int patch(uis_placement *p, uint32_t x, uint32_t y) {
    waiting w = {0};
    int rc = wait_for(&w, y * p->width + x) ? patch_all(p, &w) : -1;
    free(w.places);
    return rc;
}

/* What a partition of encoder 1 predicts from. */
typedef enum source {
    FROM_LAST, /* the picture before */
    FROM_LTR0,
    FROM_NEITHER
} source;

/* True if encoder 1 has all of `reads` as LTR 0 has it. */
static bool all_in_ltr0(const uis_placement *p, const uis_mb_rect *reads) {
    for (uint32_t y = reads->y; y < reads->y + reads->h; y++)
        for (uint32_t x = reads->x; x < reads->x + reads->w; x++)
            if (!p->in_ltr0[y * p->width + x])
                return false;
    return true;
}

static source source_of(const uis_placement *p, const uis_mb_rect *reads) {
    bool foreign = false;
    for (uint32_t i = 0; i < p->foreign_count && !foreign; i++)
        foreign = uis_mb_rect_meet(reads, &p->foreign[i]);
    if (!foreign)
        return FROM_LAST;
    return all_in_ltr0(p, reads) ? FROM_LTR0 : FROM_NEITHER;
}

/* Chooses the references of one macroblock of encoder 1. False: it has none. */
static bool choose_references(uis_placement *p, uis_macroblock *mb, uint32_t address) {
    uis_partition partitions[16];
    uint32_t count = uis_mb_partitions(mb, partitions);
    for (uint32_t i = 0; i < count; i++) {
        const uis_partition *q = &partitions[i];
        uis_mb_rect reads = uis_predicted_from(mb, address, q, p->width, p->height);
        source from = source_of(p, &reads);
        if (from == FROM_NEITHER)
            return false;
        if (from == FROM_LAST)
            continue;
        /* Sub-partitions share their 8x8's reference. */
        for (uint32_t y = q->y & 2; y < q->y + q->h; y += 2)
            for (uint32_t x = q->x & 2; x < q->x + q->w; x += 2)
                mb->ref[y + x / 2] = 1;
        mb->still = 0;
        p->uses_ltr0 = true;
    }
    if (mb->kind < UIS_MB_P8X8)
        return true;
    /* One 8x8's sub-partitions may have wanted different ones. */
    for (uint32_t i = 0; i < count; i++) {
        const uis_partition *q = &partitions[i];
        if (mb->ref[(q->y & 2) + q->x / 2] == 0)
            continue;
        uis_mb_rect reads = uis_predicted_from(mb, address, q, p->width, p->height);
        if (!all_in_ltr0(p, &reads))
            return false;
    }
    return true;
}

bool uis_mb_is_static(const uis_macroblock *mb) {
    return (mb->kind == UIS_MB_SKIP || mb->kind == UIS_MB_P16X16) && mb->cbp == 0 &&
           mb->ref[0] == 0 && mb->mv[0].x == 0 && mb->mv[0].y == 0;
}

static bool is_static(const uis_macroblock *mb) {
    return !mb || uis_mb_is_static(mb);
}

static bool borders_are_static(const uis_placement *p) {
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++) {
            const uint8_t *o = &p->owner[y * p->width + x];
            if (x + 1 < p->width && o[0] != o[1] &&
                !(is_static(at(p, x, y)) && is_static(at(p, x + 1, y))))
                return false;
            if (y + 1 < p->height && o[0] != o[p->width] &&
                !(is_static(at(p, x, y)) && is_static(at(p, x, y + 1))))
                return false;
        }
    return true;
}

/* True if the neighbour at (nx, ny), of the same part, was there for the encoder of (x, y): in
 * the same slice. What comes before it in another one was not. */
static bool same_slice(const uis_placement *p, uint32_t x, uint32_t y, uint32_t nx, uint32_t ny) {
    const uis_part *part = p->parts[p->owner[y * p->width + x]];
    if (part->slices.count == 1)
        return true;
    const uint32_t w = part->where.w, left = part->where.x, top = part->where.y;
    return (ny - top) * w + nx - left >= uis_part_slice_start(part, (y - top) * w + x - left);
}

/* True if the intra macroblock at (x, y) takes samples from a neighbour that its encoder had
 * otherwise: available or not, or with other samples. */
static bool sees_others(const uis_placement *p, uint32_t x, uint32_t y) {
    static const int8_t neighbours[4][2] = {{-1, 0}, {0, -1}, {-1, -1}, {1, -1}}; /* LEFT.. */
    const uis_macroblock *mb = at(p, x, y);
    if (!mb || !predicts_intra(mb))
        return false;
    const unsigned taken = samples_taken(mb);
    const uint8_t owner = p->owner[y * p->width + x];
    for (int k = 0; k < 4; k++) {
        const uint32_t nx = x + (uint32_t)neighbours[k][0], ny = y + (uint32_t)neighbours[k][1];
        if (nx >= p->width || ny >= p->height || !(taken >> k & 1))
            continue;
        const bool hidden = ny * p->width + nx < slice_start(p, y * p->width + x) ||
                            (p->constrained && !intra_at(p, nx, ny));
        /* Its own slice's neighbours were all there. Encoder 1 may have seen something at
         * every other place; a region saw nothing beyond its edge. */
        const bool own = p->owner[ny * p->width + nx] == owner;
        if (own ? hidden == same_slice(p, x, y, nx, ny) : owner == 0 || !hidden)
            return true;
    }
    return false;
}

/* How many would be patched of those that lose a neighbour if a slice begins at this macroblock. */
static uint32_t to_patch_behind(const uis_placement *p, uint32_t address) {
    uint32_t count = 0;
    for (uint32_t i = address; i <= address + p->width && i < p->width * p->height; i++)
        count += sees_others(p, i % p->width, i / p->width);
    return count;
}

/* The next macroblock after this one at which a part begins a slice, other than its first; 0: there
 * is none. */
static uint32_t next_seam(const uis_placement *p, uint32_t after) {
    uint32_t next = 0;
    for (uint32_t k = 0; k < p->count; k++) {
        const uis_part *part = p->parts[k];
        for (size_t i = 1; part && i < part->slices.count; i++) {
            const uint32_t first = part->slices.slices[i].header.first_mb, w = part->where.w;
            const uint32_t seam =
                (part->where.y + first / w) * p->width + part->where.x + first % w;
            if (seam > after && (next == 0 || seam < next))
                next = seam;
        }
    }
    return next;
}

/* Begins slices where parts begin theirs, if that saves patches. With the deblocking filter on
 * they have to be the same. False: there are too many. */
static bool choose_cuts(uis_placement *p) {
    p->cut_count = 0;
    for (uint32_t seam = 0; (seam = next_seam(p, seam)) != 0;) {
        if (p->cut_count == UIS_MAX_CUTS)
            return !p->deblock;
        const uint32_t joined = to_patch_behind(p, seam);
        p->cuts[p->cut_count++] = seam;
        if (!p->deblock && joined < to_patch_behind(p, seam) + 2) /* a header costs something */
            p->cut_count--;
    }
    return true;
}

int uis_place(uis_placement *p) {
    p->uses_ltr0 = false;
    p->patched = 0;
    for (uint32_t y = 0, i = 0; p->parts[0] && p->foreign_count && y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++, i++) {
            uis_macroblock *mb = &p->parts[0]->mbs.mbs[i];
            if (p->owner[i] != 0 || uis_mb_is_intra(mb) || choose_references(p, mb, i))
                continue;
            int rc = patch(p, x, y);
            if (rc != 0)
                return rc;
        }
    for (uint32_t k = 1; k < p->count; k++) {
        if (!p->parts[k] || !p->leaks[k])
            continue;
        const uis_mb_rect *r = &p->parts[k]->where;
        for (uint32_t i = 0; i < r->w * r->h; i++) {
            if (!uis_leaks(&p->parts[k]->mbs, i, p->open[k]))
                continue;
            int rc = patch(p, r->x + i % r->w, r->y + i / r->w);
            if (rc != 0)
                return rc;
        }
    }
    if (!choose_cuts(p))
        return 1;
    const bool alone = p->count == 1 && (!p->parts[0] || p->parts[0]->slices.count == 1);
    for (uint32_t y = 0; !alone && y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            if (sees_others(p, x, y)) {
                int rc = patch(p, x, y);
                if (rc != 0)
                    return rc;
            }
    if (p->deblock && (p->uses_ltr0 || (p->count > 1 && !borders_are_static(p))))
        return 1;
    return 0;
}
