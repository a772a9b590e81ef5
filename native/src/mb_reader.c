/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads slice_data() of CAVLC Baseline slices; see macroblock.h. */
#include "cavlc_tables.h"
#include "macroblock.h"

#include <pthread.h>
#include <string.h>

/* coeff_token by its first bits: total << 8 | ones << 5 | length; 0: longer than
 * the table, then the codes are searched. */
enum { TOKEN_BITS = 10 };
static uint16_t token_lookup[UIS_TOKEN_CONTEXTS][1 << TOKEN_BITS];
/* total_zeros and run_before by their first bits: index << 4 | length; 0: no such code. */
enum { ZEROS_BITS = 9, ZEROS_DC_BITS = 3, RUN_BITS = 11 };
static uint8_t zeros_lookup[15][1 << ZEROS_BITS];
static uint8_t zeros_dc_lookup[3][1 << ZEROS_DC_BITS];
static uint8_t run_lookup[7][1 << RUN_BITS];
static pthread_once_t lookup_once = PTHREAD_ONCE_INIT;

static void build_lookup(const uis_code *codes, int count, unsigned bits, uint8_t *lookup) {
    for (int i = 0; i < count; i++) {
        if (codes[i].length == 0)
            continue;
        const unsigned spare = bits - codes[i].length;
        memset(lookup + ((size_t)codes[i].bits << spare), i << 4 | codes[i].length,
               (size_t)1 << spare);
    }
}

static void build_lookups(void) {
    for (int i = 0; i < 15; i++)
        build_lookup(uis_total_zeros[i], 16, ZEROS_BITS, zeros_lookup[i]);
    for (int i = 0; i < 3; i++)
        build_lookup(uis_total_zeros_chroma_dc[i], 4, ZEROS_DC_BITS, zeros_dc_lookup[i]);
    for (int i = 0; i < 7; i++)
        build_lookup(uis_run_before[i], 15, RUN_BITS, run_lookup[i]);
    for (int context = 0; context < UIS_TOKEN_CONTEXTS; context++)
        for (uint32_t total = 0; total <= 16; total++)
            for (uint32_t ones = 0; ones < 4; ones++) {
                uis_code code = uis_coeff_token[context][total][ones];
                if (code.length == 0 || code.length > TOKEN_BITS)
                    continue;
                uint32_t spare = TOKEN_BITS - code.length;
                for (uint32_t i = 0; i < 1u << spare; i++)
                    token_lookup[context][(uint32_t)code.bits << spare | i] =
                        (uint16_t)(total << 8 | ones << 5 | code.length);
            }
}

static bool read_token(uis_bit_reader *r, int context, uint8_t *total, uint8_t *ones) {
    uint32_t next = uis_peek32(r);
    uint16_t found = token_lookup[context][next >> (32 - TOKEN_BITS)];
    if (found) {
        *total = (uint8_t)(found >> 8);
        *ones = found >> 5 & 3;
        uis_skip_bits(r, found & 31);
        return true;
    }
    for (uint8_t t = 1; t <= 16; t++)
        for (uint8_t o = 0; o < 4; o++) {
            uis_code code = uis_coeff_token[context][t][o];
            if (code.length > TOKEN_BITS && next >> (32 - code.length) == code.bits) {
                *total = t;
                *ones = o;
                uis_skip_bits(r, code.length);
                return true;
            }
        }
    return false;
}

/* The index of the code that comes next, or -1. */
static int read_code(uis_bit_reader *r, const uint8_t *lookup, unsigned bits) {
    const uint8_t found = lookup[uis_peek32(r) >> (32 - bits)];
    if (!found)
        return -1;
    uis_skip_bits(r, found & 15);
    return found >> 4;
}

/* Passes over the levels (9.2.2): their lengths depend on each other, their
 * values matter to nobody here. */
static bool skip_levels(uis_bit_reader *r, int total, int ones) {
    uis_skip_bits(r, (size_t)ones); /* signs */
    unsigned suffix_length = total > 10 && ones < 3 ? 1 : 0;
    for (int i = ones; i < total; i++) {
        uint32_t next = uis_peek32(r);
        if (next == 0)
            return false;
        unsigned prefix = (unsigned)__builtin_clz(next);
        if (prefix > 25)
            return false;
        uis_skip_bits(r, prefix + 1);
        unsigned size = prefix == 14 && suffix_length == 0 ? 4
                        : prefix >= 15                     ? prefix - 3
                                                           : suffix_length;
        uint32_t suffix = uis_read_bits(r, size);
        uint32_t code = ((prefix < 15 ? prefix : 15) << suffix_length) + suffix;
        if (prefix >= 15 && suffix_length == 0)
            code += 15;
        if (prefix >= 16)
            code += (1u << (prefix - 3)) - 4096;
        if (i == ones && ones < 3)
            code += 2;
        uint32_t magnitude = (code >> 1) + 1;
        if (suffix_length == 0)
            suffix_length = 1;
        if (magnitude > 3u << (suffix_length - 1) && suffix_length < 6)
            suffix_length++;
    }
    return !r->overrun;
}

/* One residual block (7.3.5.3.2). `most`: 16, 15, or 4 for chroma DC. */
static bool read_block(uis_bit_reader *r, int context, int most, uis_block *b) {
    if (!read_token(r, context, &b->total, &b->ones) || b->total > most)
        return false;
    size_t from = r->position;
    b->from = (uint32_t)from;
    if (b->total) {
        if (!skip_levels(r, b->total, b->ones))
            return false;
        int zeros = 0;
        if (b->total < most) {
            zeros = most == 4 ? read_code(r, zeros_dc_lookup[b->total - 1], ZEROS_DC_BITS)
                              : read_code(r, zeros_lookup[b->total - 1], ZEROS_BITS);
            if (zeros < 0 || zeros > most - b->total)
                return false;
        }
        for (int i = 0; i < b->total - 1 && zeros > 0; i++) {
            int run = read_code(r, run_lookup[(zeros < 7 ? zeros : 7) - 1], RUN_BITS);
            if (run < 0 || run > zeros)
                return false;
            zeros -= run;
        }
    }
    if (r->overrun || r->position - from > UINT16_MAX)
        return false;
    b->bits = (uint16_t)(r->position - from);
    return true;
}

static bool read_residual(uis_bit_reader *r, const uis_mb_picture *p, uint32_t address,
                          uis_macroblock *mb) {
    bool i16 = mb->kind == UIS_MB_I16X16;
    if (i16 && !read_block(r, uis_token_context(uis_predict_nc(p, address, 0, 0, 0)), 16,
                           &mb->blocks[UIS_BLOCK_I16_DC]))
        return false;
    for (uint32_t i = 0; i < 16; i++) {
        if (!(mb->cbp >> (i / 4) & 1))
            continue;
        uint32_t x = uis_block_x(i), y = uis_block_y(i);
        int context = uis_token_context(uis_predict_nc(p, address, 0, x, y));
        if (!read_block(r, context, i16 ? 15 : 16, &mb->blocks[i]))
            return false;
        mb->nonzero[y * 4 + x] = mb->blocks[i].total;
    }
    if (mb->cbp & 0x30)
        for (int c = 0; c < 2; c++)
            if (!read_block(r, UIS_TOKEN_CHROMA_DC, 4, &mb->blocks[UIS_BLOCK_CHROMA_DC + c]))
                return false;
    if (mb->cbp & 0x20)
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t x = i & 1, y = i >> 1 & 1;
            int plane = i < 4 ? 1 : 2;
            int context = uis_token_context(uis_predict_nc(p, address, plane, x, y));
            if (!read_block(r, context, 15, &mb->blocks[UIS_BLOCK_CHROMA_AC + i]))
                return false;
            mb->nonzero[16 + i] = mb->blocks[UIS_BLOCK_CHROMA_AC + i].total;
        }
    return true;
}

static bool read_ref(uis_bit_reader *r, uint32_t num_ref, int8_t *ref) {
    uint32_t value = 0;
    if (num_ref == 2)
        value = !uis_read_bits(r, 1); /* te(v) with one bit is inverted (9.1.1) */
    else if (num_ref > 2)
        value = uis_read_ue(r);
    if (value >= num_ref)
        return false;
    *ref = (int8_t)value;
    return true;
}

static bool read_vector(uis_bit_reader *r, const uis_mb_picture *p, uint32_t address,
                        uis_macroblock *mb, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                        int shape) {
    uis_vector predictor =
        uis_predict_vector(p, address, x, y, w, mb->ref[(y >> 1) * 2 + (x >> 1)], shape);
    int64_t vx = (int64_t)predictor.x + uis_read_se(r);
    int64_t vy = (int64_t)predictor.y + uis_read_se(r);
    if (vx != (int16_t)vx || vy != (int16_t)vy)
        return false;
    uis_fill_vectors(mb, x, y, w, h, (uis_vector){(int16_t)vx, (int16_t)vy});
    return true;
}

static bool read_inter(uis_bit_reader *r, const uis_slice_context *s, const uis_mb_picture *p,
                       uint32_t address, uis_macroblock *mb) {
    switch (mb->kind) {
    case UIS_MB_P16X16:
        if (!read_ref(r, s->num_ref, &mb->ref[0]))
            return false;
        memset(mb->ref, mb->ref[0], 4);
        return read_vector(r, p, address, mb, 0, 0, 4, 4, 0);
    case UIS_MB_P16X8:
        if (!read_ref(r, s->num_ref, &mb->ref[0]) || !read_ref(r, s->num_ref, &mb->ref[2]))
            return false;
        mb->ref[1] = mb->ref[0];
        mb->ref[3] = mb->ref[2];
        return read_vector(r, p, address, mb, 0, 0, 4, 2, 1) &&
               read_vector(r, p, address, mb, 0, 2, 4, 2, 2);
    case UIS_MB_P8X16:
        if (!read_ref(r, s->num_ref, &mb->ref[0]) || !read_ref(r, s->num_ref, &mb->ref[1]))
            return false;
        mb->ref[2] = mb->ref[0];
        mb->ref[3] = mb->ref[1];
        return read_vector(r, p, address, mb, 0, 0, 2, 4, 3) &&
               read_vector(r, p, address, mb, 2, 0, 2, 4, 4);
    default:
        for (int i = 0; i < 4; i++) {
            uint32_t sub = uis_read_ue(r);
            if (sub > 3)
                return false;
            mb->sub[i] = (uint8_t)sub;
        }
        for (int i = 0; i < 4; i++)
            if (!read_ref(r, mb->kind == UIS_MB_P8X8_REF0 ? 1 : s->num_ref, &mb->ref[i]))
                return false;
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t k = 0; k < uis_sub_count[mb->sub[i]]; k++) {
                uis_partition q = uis_sub_partition[mb->sub[i]][k];
                if (!read_vector(r, p, address, mb, (i & 1) * 2 + q.x, (i >> 1) * 2 + q.y, q.w, q.h,
                                 0))
                    return false;
            }
        return true;
    }
}

static bool read_intra_modes(uis_bit_reader *r, const uis_mb_picture *p, uint32_t address,
                             uis_macroblock *mb) {
    memset(mb->ref, -1, 4);
    if (mb->kind == UIS_MB_I4X4)
        for (uint32_t i = 0; i < 16; i++) {
            const uint32_t x = uis_block_x(i), y = uis_block_y(i);
            uint8_t mode = uis_predict_i4_mode(p, address, x, y);
            if (!uis_read_bits(r, 1)) { /* prev_intra4x4_pred_mode_flag */
                const uint8_t rest = (uint8_t)uis_read_bits(r, 3);
                mode = (uint8_t)(rest + (rest >= mode));
            }
            mb->i4_mode[y * 4 + x] = mode;
        }
    const uint32_t chroma = uis_read_ue(r);
    if (chroma > 3)
        return false;
    mb->chroma_mode = (uint8_t)chroma;
    return true;
}

static bool read_pcm(uis_bit_reader *r, uis_macroblock *mb) {
    memset(mb->ref, -1, 4);
    memset(mb->nonzero, 16, sizeof mb->nonzero);
    uis_skip_bits(r, (8 - (r->position & 7)) & 7);
    mb->pcm_from = (uint32_t)r->position;
    uis_skip_bits(r, UIS_PCM_SAMPLES * 8);
    return true;
}

static bool read_macroblock(uis_bit_reader *r, const uis_slice_context *s, uis_mb_picture *p,
                            uint32_t address, int32_t *qp) {
    uis_macroblock *mb = &p->mbs[address];
    uint32_t type = uis_read_ue(r);
    if (s->type == UIS_SLICE_P) {
        if (type < 5) {
            mb->kind = (uint8_t)(UIS_MB_P16X16 + type);
            if (!read_inter(r, s, p, address, mb))
                return false;
        }
        type -= 5;
    }
    if (mb->kind == UIS_MB_NONE) { /* intra */
        if (type > 25)
            return false;
        mb->kind = type == 0 ? UIS_MB_I4X4 : type == 25 ? UIS_MB_PCM : UIS_MB_I16X16;
        if (mb->kind == UIS_MB_PCM) {
            /* QP'_Y of I_PCM is 0 for deblocking; QP_Y,pred of the next is the one before. */
            mb->qp = (uint8_t)*qp;
            return read_pcm(r, mb) && !r->overrun;
        }
        if (mb->kind == UIS_MB_I16X16) {
            mb->i16_type = (uint8_t)(type - 1);
            mb->cbp = (uint8_t)((mb->i16_type >= 12 ? 15 : 0) | mb->i16_type / 4 % 3 << 4);
        }
        if (!read_intra_modes(r, p, address, mb))
            return false;
    }
    if (mb->kind != UIS_MB_I16X16) {
        uint32_t code = uis_read_ue(r);
        if (code > 47)
            return false;
        mb->cbp = mb->kind == UIS_MB_I4X4 ? uis_cbp_intra[code] : uis_cbp_inter[code];
    }
    if (mb->cbp || mb->kind == UIS_MB_I16X16) {
        int32_t delta = uis_read_se(r);
        if (delta < -26 || delta > 25)
            return false;
        *qp = (*qp + delta + 52) % 52;
        mb->qp = (uint8_t)*qp;
        return read_residual(r, p, address, mb) && !r->overrun;
    }
    mb->qp = (uint8_t)*qp;
    return !r->overrun;
}

static void start_macroblock(uis_mb_picture *p, uint32_t address, const uis_slice_context *s) {
    uis_macroblock *mb = &p->mbs[address];
    memset(mb, 0, offsetof(uis_macroblock, blocks));
    mb->slice = s->slice;
    uis_mb_enter(p, address);
}

int uis_read_macroblocks(uis_bit_reader *r, const uis_slice_context *s, uis_mb_picture *p) {
    pthread_once(&lookup_once, build_lookups);
    const uint32_t count = p->width * p->height;
    uint32_t address = s->first_mb;
    int32_t qp = s->qp;
    if (qp < 0 || qp > 51 || address >= count)
        return -1;
    p->first = s->first_mb;
    p->constrained = s->constrained;
    while (r->position < r->bits) {
        if (s->type == UIS_SLICE_P) {
            uint32_t run = uis_read_ue(r);
            if (r->overrun || address > count || run > count - address)
                return -1;
            for (; run > 0; run--, address++) {
                uis_macroblock *mb = &p->mbs[address];
                uis_mb_enter(p, address);
                const bool still = uis_skip_is_still(p);
                if (!still || !mb->still) /* else it is as it was in the picture before */
                    start_macroblock(p, address, s);
                mb->kind = UIS_MB_SKIP;
                mb->still = still;
                mb->slice = s->slice;
                mb->qp = (uint8_t)qp;
                if (!still)
                    uis_fill_vectors(mb, 0, 0, 4, 4, uis_predict_skip(p, address));
            }
            if (r->position >= r->bits)
                break;
        }
        if (address >= count)
            return -1;
        start_macroblock(p, address, s);
        uis_macroblock *mb = &p->mbs[address];
        mb->from = (uint32_t)r->position;
        mb->qp_before = (uint8_t)qp;
        if (!read_macroblock(r, s, p, address, &qp))
            return -1;
        mb->bits = (uint32_t)r->position - mb->from;
        address++;
    }
    return r->overrun ? -1 : (int)(address - s->first_mb);
}
