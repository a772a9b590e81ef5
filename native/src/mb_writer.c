/* SPDX-License-Identifier: GPL-2.0-or-later
 * Writes slice_data() of CAVLC Baseline slices; see macroblock.h. */
#include "cavlc_tables.h"
#include "macroblock.h"

#include <string.h>

void uis_mb_writer_begin(uis_mb_writer *w, uis_bit_writer *out, const uis_slice_context *context,
                         uis_mb_picture *picture) {
    *w = (uis_mb_writer){.out = out,
                         .context = *context,
                         .picture = picture,
                         .next = context->first_mb,
                         .qp = context->qp};
    picture->first = context->first_mb;
    picture->constrained = context->constrained;
}

static uint32_t code_of_cbp(const uint8_t table[48], uint8_t cbp) {
    uint32_t code = 0;
    while (table[code] != cbp)
        code++;
    return code;
}

static void write_block(uis_mb_writer *w, int context, const uis_block *b, const uint8_t *rbsp) {
    uis_code token = uis_coeff_token[context][b->total][b->ones];
    uis_write_bits(w->out, token.bits, token.length);
    uis_write_copy(w->out, rbsp, b->from, b->bits);
}

/* `mb` is the macroblock as it came, with its blocks. */
static void write_residual(uis_mb_writer *w, uint32_t address, const uis_macroblock *mb,
                           const uint8_t *rbsp) {
    const uis_mb_picture *p = w->picture;
    if (mb->kind == UIS_MB_I16X16)
        write_block(w, uis_token_context(uis_predict_nc(p, address, 0, 0, 0)),
                    &mb->blocks[UIS_BLOCK_I16_DC], rbsp);
    for (uint32_t i = 0; i < 16; i++)
        if (mb->cbp >> (i / 4) & 1)
            write_block(
                w, uis_token_context(uis_predict_nc(p, address, 0, uis_block_x(i), uis_block_y(i))),
                &mb->blocks[i], rbsp);
    if (mb->cbp & 0x30)
        for (int c = 0; c < 2; c++)
            write_block(w, UIS_TOKEN_CHROMA_DC, &mb->blocks[UIS_BLOCK_CHROMA_DC + c], rbsp);
    if (mb->cbp & 0x20)
        for (uint32_t i = 0; i < 8; i++)
            write_block(
                w, uis_token_context(uis_predict_nc(p, address, i < 4 ? 1 : 2, i & 1, i >> 1 & 1)),
                &mb->blocks[UIS_BLOCK_CHROMA_AC + i], rbsp);
}

static void write_ref(uis_mb_writer *w, int ref) {
    if (w->context.num_ref == 2)
        uis_write_bits(w->out, ref == 0, 1);
    else if (w->context.num_ref > 2)
        uis_write_ue(w->out, (uint32_t)ref);
}

static void write_vector(uis_mb_writer *w, uint32_t address, const uis_macroblock *mb, uint32_t x,
                         uint32_t y, uint32_t bw, int shape) {
    uis_vector v = mb->mv[y * 4 + x];
    uis_vector p =
        uis_predict_vector(w->picture, address, x, y, bw, mb->ref[(y >> 1) * 2 + (x >> 1)], shape);
    uis_write_se(w->out, v.x - p.x + w->mvd_error);
    w->mvd_error = 0;
    uis_write_se(w->out, v.y - p.y);
}

static void write_inter(uis_mb_writer *w, uint32_t address, const uis_macroblock *mb) {
    switch (mb->kind) {
    case UIS_MB_P16X16:
        write_ref(w, mb->ref[0]);
        write_vector(w, address, mb, 0, 0, 4, 0);
        break;
    case UIS_MB_P16X8:
        write_ref(w, mb->ref[0]);
        write_ref(w, mb->ref[2]);
        write_vector(w, address, mb, 0, 0, 4, 1);
        write_vector(w, address, mb, 0, 2, 4, 2);
        break;
    case UIS_MB_P8X16:
        write_ref(w, mb->ref[0]);
        write_ref(w, mb->ref[1]);
        write_vector(w, address, mb, 0, 0, 2, 3);
        write_vector(w, address, mb, 2, 0, 2, 4);
        break;
    default:
        for (int i = 0; i < 4; i++)
            uis_write_ue(w->out, mb->sub[i]);
        if (mb->kind == UIS_MB_P8X8)
            for (int i = 0; i < 4; i++)
                write_ref(w, mb->ref[i]);
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t k = 0; k < uis_sub_count[mb->sub[i]]; k++) {
                uis_partition q = uis_sub_partition[mb->sub[i]][k];
                write_vector(w, address, mb, (i & 1) * 2 + q.x, (i >> 1) * 2 + q.y, q.w, 0);
            }
        break;
    }
}

static void write_intra_modes(uis_mb_writer *w, uint32_t address, const uis_macroblock *mb) {
    for (uint32_t i = 0; mb->kind == UIS_MB_I4X4 && i < 16; i++) {
        const uint32_t x = uis_block_x(i), y = uis_block_y(i);
        const uint8_t mode = mb->i4_mode[y * 4 + x];
        const uint8_t predicted = uis_predict_i4_mode(w->picture, address, x, y);
        if (mode == predicted) /* prev_intra4x4_pred_mode_flag, then rem_intra4x4_pred_mode */
            uis_write_bits(w->out, 1, 1);
        else
            uis_write_bits(w->out, mode - (uint32_t)(mode > predicted), 4);
    }
    uis_write_ue(w->out, mb->chroma_mode);
}

static uint32_t intra_type(const uis_macroblock *mb) {
    return mb->kind == UIS_MB_I4X4 ? 0 : mb->kind == UIS_MB_PCM ? 25 : mb->i16_type + 1u;
}

static void write_pcm(uis_mb_writer *w, const uis_macroblock *mb, const uint8_t *rbsp) {
    /* pcm_alignment_zero_bit: how many depends on all that was written before. */
    if (w->out->cached & 7)
        uis_write_bits(w->out, 0, 8 - (w->out->cached & 7));
    uis_write_copy(w->out, rbsp, mb->pcm_from, UIS_PCM_SAMPLES * 8);
}

static bool is_inferred(const uis_mb_writer *w, uint32_t address, const uis_macroblock *mb) {
    if (w->context.type != UIS_SLICE_P || mb->ref[0] != 0)
        return false;
    if (mb->mv[0].x == 0 && mb->mv[0].y == 0 && uis_skip_is_still(w->picture))
        return true;
    uis_vector inferred = uis_predict_skip(w->picture, address);
    return inferred.x == mb->mv[0].x && inferred.y == mb->mv[0].y;
}

int uis_mb_writer_put(uis_mb_writer *w, const uis_macroblock *from, const uint8_t *rbsp) {
    const uint32_t address = w->next;
    if (address >= w->picture->width * w->picture->height)
        return -1;
    if (!uis_mb_is_intra(from)) {
        if (w->context.type != UIS_SLICE_P)
            return -1;
        for (int i = 0; i < 4; i++)
            if (from->ref[i] < 0 || (uint32_t)from->ref[i] >= w->context.num_ref)
                return -1;
    }
    /* Neighbours never ask for blocks, so those stay where they are. */
    uis_macroblock *mb = &w->picture->mbs[address];
    memcpy(mb, from, offsetof(uis_macroblock, blocks));
    mb->slice = w->context.slice;
    uis_mb_enter(w->picture, address);
    w->next++;
    if (mb->kind == UIS_MB_SKIP) {
        if (is_inferred(w, address, mb)) {
            mb->qp = (uint8_t)w->qp;
            w->skip_run++;
            return 0;
        }
        mb->kind = UIS_MB_P16X16;
        mb->still = 0;
    }
    if (mb->kind == UIS_MB_P8X8_REF0 && (mb->ref[0] | mb->ref[1] | mb->ref[2] | mb->ref[3]) != 0)
        mb->kind = UIS_MB_P8X8;
    if (w->context.type == UIS_SLICE_P)
        uis_write_ue(w->out, w->skip_run);
    w->skip_run = 0;
    if (uis_mb_is_intra(mb)) {
        uis_write_ue(w->out, intra_type(mb) + (w->context.type == UIS_SLICE_P ? 5 : 0));
        if (mb->kind == UIS_MB_PCM) {
            write_pcm(w, mb, rbsp);
            return 0;
        }
        write_intra_modes(w, address, mb);
    } else {
        uis_write_ue(w->out, (uint32_t)mb->kind - UIS_MB_P16X16);
        write_inter(w, address, mb);
    }
    if (mb->kind != UIS_MB_I16X16)
        uis_write_ue(w->out,
                     code_of_cbp(mb->kind == UIS_MB_I4X4 ? uis_cbp_intra : uis_cbp_inter, mb->cbp));
    if (mb->cbp || mb->kind == UIS_MB_I16X16) {
        /* mb_qp_delta is taken modulo 52 (7.4.5): the representative in -26..25. */
        int32_t delta = (mb->qp - w->qp + 78) % 52 - 26;
        uis_write_se(w->out, delta);
        w->qp = mb->qp;
        write_residual(w, address, from, rbsp);
    } else {
        mb->qp = (uint8_t)w->qp;
    }
    return 0;
}

int uis_mb_writer_put_as_read(uis_mb_writer *w, const uis_macroblock *from, const uint8_t *rbsp) {
    const uint32_t address = w->next;
    /* Not as it was: the alignment of samples, a difference to another QP, a fault. */
    if (from->kind == UIS_MB_PCM || from->qp_before != w->qp || w->mvd_error ||
        address >= w->picture->width * w->picture->height)
        return uis_mb_writer_put(w, from, rbsp);
    uis_macroblock *mb = &w->picture->mbs[address];
    memcpy(mb, from, offsetof(uis_macroblock, blocks));
    mb->slice = w->context.slice;
    w->next++;
    if (mb->kind == UIS_MB_SKIP) {
        mb->qp = (uint8_t)w->qp;
        w->skip_run++;
        return 0;
    }
    uis_write_ue(w->out, w->skip_run);
    w->skip_run = 0;
    uis_write_copy(w->out, rbsp, from->from, from->bits);
    w->qp = from->qp;
    return 0;
}

int uis_mb_writer_put_static(uis_mb_writer *w, uint32_t count) {
    static const uis_macroblock still = {.kind = UIS_MB_SKIP, .still = 1};
    if (count > w->picture->width * w->picture->height - w->next)
        return -1;
    if (count == 0)
        return 0;
    uis_mb_enter(w->picture, w->next);
    if (!uis_skip_is_still(w->picture)) {
        if (uis_mb_writer_put(w, &still, NULL) != 0)
            return -1;
        count--;
    }
    /* From the second on, the left neighbour makes the inferred vector zero. */
    w->skip_run += count;
    for (; count > 0; count--) {
        uis_macroblock *mb = &w->picture->mbs[w->next++];
        if (!mb->still) /* else it is as it was in the picture before */
            memcpy(mb, &still, offsetof(uis_macroblock, blocks));
        mb->slice = w->context.slice;
    }
    return 0;
}

void uis_mb_writer_end(uis_mb_writer *w) {
    if (w->skip_run)
        uis_write_ue(w->out, w->skip_run);
    w->skip_run = 0;
}
