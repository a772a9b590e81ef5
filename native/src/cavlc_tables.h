/* SPDX-License-Identifier: GPL-2.0-or-later
 * The variable-length codes of CAVLC residuals (H.264 clause 9.2, tables 9-5
 * and 9-7 to 9-10) and of coded_block_pattern (table 9-4). */
#ifndef UIS_CAVLC_TABLES_H
#define UIS_CAVLC_TABLES_H

#include <stdint.h>

typedef struct uis_code {
    uint8_t length; /* 0: there is no such code */
    uint8_t bits;   /* the code's value in its last `length` bits */
} uis_code;

/* coeff_token by context, total_coeff, trailing_ones. Contexts: nC 0..1, 2..3,
 * 4..7, 8 and more, chroma DC (nC = -1). */
enum { UIS_TOKEN_CHROMA_DC = 4, UIS_TOKEN_CONTEXTS = 5 };
extern const uis_code uis_coeff_token[UIS_TOKEN_CONTEXTS][17][4];

/* The context for an nC of 0 or more. */
static inline int uis_token_context(int nc) {
    return nc < 2 ? 0 : nc < 4 ? 1 : nc < 8 ? 2 : 3;
}

/* total_zeros by total_coeff - 1, for blocks of 16 (15-coefficient blocks use
 * it too) and for chroma DC; run_before by min(zeros_left, 7) - 1. */
extern const uis_code uis_total_zeros[15][16];
extern const uis_code uis_total_zeros_chroma_dc[3][4];
extern const uis_code uis_run_before[7][15];

/* coded_block_pattern by codeNum, for Intra 4x4 and for Inter; and back. */
extern const uint8_t uis_cbp_intra[48], uis_cbp_inter[48];
#endif
