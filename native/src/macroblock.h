/* SPDX-License-Identifier: GPL-2.0-or-later
 * The macroblock layer of CAVLC Baseline slices (H.264 clauses 7.3.4, 7.3.5,
 * 8.3.1.1, 8.4.1 and 9.2): read from one slice, placed in a picture, written
 * into another slice.
 *
 * What depends on a macroblock's neighbours (vectors' predictors, intra modes, nC,
 * skip runs, QP deltas) is held resolved; what does not (levels) stays as bits of the
 * slice it came from. */
#ifndef UIS_MACROBLOCK_H
#define UIS_MACROBLOCK_H

#include "h264.h"

typedef enum uis_mb_kind {
    UIS_MB_NONE, /* not (yet) part of the picture */
    UIS_MB_SKIP,
    UIS_MB_P16X16,
    UIS_MB_P16X8,
    UIS_MB_P8X16,
    UIS_MB_P8X8,
    UIS_MB_P8X8_REF0, /* all reference indices 0 and not coded */
    UIS_MB_I4X4,
    UIS_MB_I16X16,
    UIS_MB_PCM,
} uis_mb_kind;

/* One block of coefficients: coeff_token apart, the rest as bits. */
typedef struct uis_block {
    uint32_t from; /* bit in the source RBSP, behind coeff_token */
    uint16_t bits;
    uint8_t total, ones; /* of coeff_token */
} uis_block;

enum { UIS_PCM_SAMPLES = 384 }; /* of a macroblock, 8 bits each */

enum {
    UIS_BLOCK_I16_DC = 16,
    UIS_BLOCK_CHROMA_DC = 17, /* Cb, Cr */
    UIS_BLOCK_CHROMA_AC = 19, /* Cb 0..3, Cr 0..3 */
    UIS_BLOCKS = 27
};

typedef struct uis_vector {
    int16_t x, y; /* quarter pixels */
} uis_vector;

typedef struct uis_macroblock {
    uint8_t kind;     /* uis_mb_kind */
    uint8_t still;    /* 1: SKIP, reference 0, vector zero, and so is all that follows from it */
    uint8_t i16_type; /* mb_type - 1 of an Intra 16x16 macroblock, 0..23 */
    uint8_t cbp;
    uint8_t qp;                   /* QP_Y; of a macroblock without residual: the one before it */
    uint8_t qp_before;            /* QP_Y,PRED: of the macroblock before it in its slice */
    uint16_t slice;               /* neighbours of another slice are not available */
    uint8_t sub[4];               /* sub_mb_type of P 8x8 */
    int8_t ref[4];                /* by 8x8; -1 for intra */
    uis_vector mv[16];            /* by 4x4, raster order inside the macroblock */
    uint8_t nonzero[24];          /* total_coeff by 4x4: luma raster 16, Cb 4, Cr 4 */
    uint8_t i4_mode[16];          /* Intra4x4PredMode by 4x4, raster order */
    uint8_t chroma_mode;          /* intra_chroma_pred_mode */
    uint32_t from, bits;          /* macroblock_layer() as it was read */
    uint32_t pcm_from;            /* bit of the source RBSP where I_PCM's samples begin */
    uis_block blocks[UIS_BLOCKS]; /* 0..15 luma in coding order; by UIS_BLOCK_* */
} uis_macroblock;

/* The neighbours of a macroblock that are available to it (6.4.9); NULL where not. */
typedef struct uis_neighbours {
    const uis_macroblock *left, *up, *up_right, *up_left;
} uis_neighbours;

/* A picture's macroblocks in raster order. */
typedef struct uis_mb_picture {
    uint32_t width, height; /* macroblocks */
    uis_macroblock *mbs;
    uint32_t first;      /* where the slice begins that is read or written */
    bool constrained;    /* and its constrained_intra_pred_flag */
    uis_neighbours near; /* of the macroblock entered last */
} uis_mb_picture;

int uis_mb_picture_alloc(uis_mb_picture *picture, uint32_t width, uint32_t height); /* 0 or -1 */
void uis_mb_picture_free(uis_mb_picture *picture);
/* Every macroblock becomes NONE. */
void uis_mb_picture_clear(uis_mb_picture *picture);

static inline bool uis_mb_is_intra(const uis_macroblock *mb) {
    return mb->kind >= UIS_MB_I4X4;
}

/* What slice_data() needs of the headers. */
typedef struct uis_slice_context {
    uint32_t first_mb;
    uint32_t type;    /* UIS_SLICE_P or UIS_SLICE_I */
    uint32_t num_ref; /* num_ref_idx_l0_active */
    int32_t qp;       /* SliceQP_Y */
    uint16_t slice;   /* number to give its macroblocks */
    bool constrained; /* constrained_intra_pred_flag */
} uis_slice_context;

/* Reads slice_data() from r, which ends where the payload does, into the picture.
 * Returns the number of macroblocks read, or -1: the data is not a Baseline slice
 * of this picture. Reads no byte outside of r, whatever the data. */
int uis_read_macroblocks(uis_bit_reader *r, const uis_slice_context *context,
                         uis_mb_picture *picture);

/* Writes one slice, macroblock by macroblock. */
typedef struct uis_mb_writer {
    uis_bit_writer *out;
    uis_slice_context context;
    uis_mb_picture *picture; /* what is written so far: the neighbours */
    uint32_t next;           /* address of the next macroblock */
    uint32_t skip_run;
    int32_t qp;        /* of the macroblock before */
    int32_t mvd_error; /* a fault for tests: added to the next difference, once */
} uis_mb_writer;

void uis_mb_writer_begin(uis_mb_writer *w, uis_bit_writer *out, const uis_slice_context *context,
                         uis_mb_picture *picture);

/* Writes `mb` as the next macroblock. Its bits are taken from `rbsp`. Its kind,
 * references and vectors are what they shall be in the picture; a skipped
 * macroblock whose inferred vector or reference would differ becomes an explicit
 * 16x16. 0, or -1 for what this slice cannot hold (a reference outside the list). */
int uis_mb_writer_put(uis_mb_writer *w, const uis_macroblock *mb, const uint8_t *rbsp);

/* The same for a macroblock all of whose neighbours are, in this slice, what they were in
 * the P slice with as many references and the same constrained_intra_pred_flag that it comes from:
 * its bits mean the same, and are
 * copied. */
int uis_mb_writer_put_as_read(uis_mb_writer *w, const uis_macroblock *mb, const uint8_t *rbsp);

/* Writes `count` macroblocks of one row that copy the same place of list entry 0. 0 or -1. */
int uis_mb_writer_put_static(uis_mb_writer *w, uint32_t count);

/* Writes a pending skip run; the trailing bits are the caller's. */
void uis_mb_writer_end(uis_mb_writer *w);

/* Shared by reader and writer. */

/* Makes `address` the macroblock that the functions below are asked about. Available to
 * it is what comes before it from `picture->first` on. */
void uis_mb_enter(uis_mb_picture *picture, uint32_t address);

/* Predictor of the partition at 4x4 column bx and row by (0..3) of the macroblock
 * at `address`, `bw` 4x4 columns wide, for reference `ref` (8.4.1.3). `shape`: 0
 * median, 1 upper 16x8, 2 lower 16x8, 3 left 8x16, 4 right 8x16. */
uis_vector uis_predict_vector(const uis_mb_picture *picture, uint32_t address, uint32_t bx,
                              uint32_t by, uint32_t bw, int ref, int shape);
/* The vector a P_Skip macroblock infers (8.4.1.1). */
uis_vector uis_predict_skip(const uis_mb_picture *picture, uint32_t address);
/* The mode predicted for an Intra 4x4 block (8.3.1.1). */
uint8_t uis_predict_i4_mode(const uis_mb_picture *picture, uint32_t address, uint32_t bx,
                            uint32_t by);
/* True if a neighbour makes that vector zero at once. */
bool uis_skip_is_still(const uis_mb_picture *picture);
/* nC of a block (9.2.1): plane 0 luma, 1 Cb, 2 Cr; x, y in 4x4 units of that plane. */
int uis_predict_nc(const uis_mb_picture *picture, uint32_t address, int plane, uint32_t x,
                   uint32_t y);

/* Partition tables. */
typedef struct uis_partition {
    uint8_t x, y, w, h; /* 4x4 units inside the macroblock (or the 8x8) */
} uis_partition;
/* Sub-partitions by sub_mb_type 0..3; count in uis_sub_count. */
extern const uint8_t uis_sub_count[4];
extern const uis_partition uis_sub_partition[4][4];
/* x, y of luma block `index` in coding order, in 4x4 units. */
static inline uint32_t uis_block_x(uint32_t index) {
    return (index & 1) | (index >> 1 & 2);
}
static inline uint32_t uis_block_y(uint32_t index) {
    return (index >> 1 & 1) | (index >> 2 & 2);
}
void uis_fill_vectors(uis_macroblock *mb, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                      uis_vector v);
#endif
