/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The slice number of patched macroblocks: their bits are samples of their own. */
enum { PATCHED = 0xffff };

void uis_part_free(uis_part *p) {
    uis_slices_free(&p->slices);
    uis_mb_picture_free(&p->mbs);
    free(p->samples);
    *p = (uis_part){0};
}

int uis_part_read(uis_part *p, const uis_mb_rect *where, const uis_encoded *picture,
                  const uis_parameters *encoder, char *err, size_t err_size) {
    p->where = *where;
    p->picture = *picture;
    p->patched = 0;
    if (uis_read_slices(picture->data, picture->size, encoder, &p->slices, err, err_size) != 0)
        return -1;
    if (p->mbs.width != where->w || p->mbs.height != where->h) {
        uis_mb_picture_free(&p->mbs);
        if (uis_mb_picture_alloc(&p->mbs, where->w, where->h) != 0) {
            snprintf(err, err_size, "out of memory");
            return -1;
        }
    }
    /* What is left of the last picture is never looked at: neighbours come before,
     * and are of the same slice. */
    uint32_t total = 0;
    for (size_t i = 0; i < p->slices.count; i++) {
        const uis_slice *from = &p->slices.slices[i];
        uis_bit_reader r = {.data = p->slices.rbsp + from->rbsp_offset,
                            .bits = from->data_from + from->data_bits,
                            .position = from->data_from};
        const uis_slice_context context = {.first_mb = from->header.first_mb,
                                           .type = from->header.type,
                                           .num_ref = from->header.num_ref,
                                           .qp = encoder->pic_init_qp + from->header.qp_delta,
                                           .slice = (uint16_t)i};
        int count = i < PATCHED && from->header.first_mb == total
                        ? uis_read_macroblocks(&r, &context, &p->mbs)
                        : -1;
        if (count < 0) {
            snprintf(err, err_size, "slice %zu of an encoder's picture cannot be read", i);
            return -1;
        }
        total += (uint32_t)count;
    }
    if (total != where->w * where->h) {
        snprintf(err, err_size, "an encoder coded %u of %u macroblocks", total,
                 where->w * where->h);
        return -1;
    }
    return 0;
}

uint32_t uis_part_slice_start(const uis_part *p, uint32_t address) {
    uint32_t start = 0;
    for (size_t i = 1; i < p->slices.count && p->slices.slices[i].header.first_mb <= address; i++)
        start = p->slices.slices[i].header.first_mb;
    return start;
}

int uis_part_patch(uis_part *p, uint32_t x, uint32_t y) {
    uis_macroblock *mb = uis_part_at(p, x, y);
    if (mb->kind == UIS_MB_PCM)
        return 0;
    if (p->patched == p->samples_capacity) {
        uint32_t capacity = p->samples_capacity ? p->samples_capacity * 2 : 16;
        uint8_t *bigger = realloc(p->samples, (size_t)capacity * UIS_PCM_SAMPLES);
        if (!bigger)
            return -1;
        p->samples = bigger;
        p->samples_capacity = capacity;
    }
    const uis_encoded *e = &p->picture;
    const size_t px = (size_t)(x - p->where.x) * 16, py = (size_t)(y - p->where.y) * 16;
    uint8_t *to = p->samples + (size_t)p->patched * UIS_PCM_SAMPLES;
    for (size_t row = 0; row < 16; row++)
        memcpy(to + row * 16, e->recon_y + (py + row) * e->recon_y_stride + px, 16);
    for (size_t row = 0; row < 8; row++)
        for (size_t i = 0; i < 8; i++) {
            const uint8_t *uv = e->recon_uv + (py / 2 + row) * e->recon_uv_stride + px + 2 * i;
            to[256 + row * 8 + i] = uv[0];
            to[320 + row * 8 + i] = uv[1];
        }
    const uint8_t qp = mb->qp;
    memset(mb, 0, offsetof(uis_macroblock, blocks));
    mb->kind = UIS_MB_PCM;
    mb->qp = qp;
    mb->slice = PATCHED;
    memset(mb->ref, -1, sizeof mb->ref);
    memset(mb->nonzero, 16, sizeof mb->nonzero);
    mb->pcm_from = p->patched++ * UIS_PCM_SAMPLES * 8;
    return 0;
}

const uint8_t *uis_part_bits(const uis_part *p, const uis_macroblock *mb) {
    return mb->slice == PATCHED ? p->samples
                                : p->slices.rbsp + p->slices.slices[mb->slice].rbsp_offset;
}
