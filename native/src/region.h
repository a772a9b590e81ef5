/* SPDX-License-Identifier: GPL-2.0-or-later
 * A region of the view with an encoder of its own ("encoder 2"): a video and a
 * border of user interface around it, the guard. */
#ifndef UIS_REGION_H
#define UIS_REGION_H

#include "mv_check.h"
#include "pixels.h"
#include "source.h"

typedef struct uis_region {
    uis_mb_rect at;   /* guard included */
    uis_mb_rect core; /* the videos' own macroblocks: their bounding box */
    const uis_encoder_backend *backend;
    uint32_t threads; /* of the encoder, each with a slice of its own */
    uis_encoder *encoder;
    uis_parameters parameters;
    uis_open_edges open; /* edges that are the frame's */
    uint64_t coded[2];   /* the coder's clock at its last and last but one picture; 0: none */
    bool due;            /* something in it changed since its last picture */
    bool fresh;          /* no picture of it is in the stream yet */
    bool ghost;          /* its video has gone */
    bool freeze;         /* the guard is declared constant at once, without refining it */
    uint8_t *constant;   /* scratch: flags for the encoder, by macroblock of the region */
    uis_part part;       /* its last picture */
    size_t patch_debt;   /* bytes that patches beside it or in it have cost */
    size_t start_bytes;  /* what its last IDR picture cost */
    uint32_t leaks;      /* macroblocks of that with a prediction from outside */
    uint64_t encode_ns, read_ns, check_ns; /* what coding, reading that, finding its leaks took */
} uis_region;

/* Opens the encoder: `config` without its size. 0 or -1. */
int uis_region_open(uis_region *region, const uis_encoder_backend *backend,
                    const uis_encoder_config *config, const uis_mb_rect *at,
                    const uis_mb_rect *core, uint32_t frame_mb_width, uint32_t frame_mb_height,
                    char *err, size_t err_size);
void uis_region_close(uis_region *region); /* a zeroed one is fine */

/* Notes whether the region is due, and fills the flags of unchanged macroblocks: those whose pixels
 * were coded once more since they changed last (`changed`: the clock by macroblock of the frame,
 * `stride` a row). The guard's vectors are zero then, so that none leaves the region. */
void uis_region_note_changes(uis_region *region, const uint64_t *changed, uint32_t stride);

/* True if the outermost macroblocks (not those at a frame edge) are all constant and
 * belong to the guard. */
bool uis_region_border_is_constant(const uis_region *region);

/* Codes the region of the newest frame, reads what came out, and counts its leaks. 0 or -1. */
int uis_region_encode(uis_region *region, uis_source *source, uint64_t now, bool idr, bool deblock,
                      bool mb_info, char *err, size_t err_size);
#endif
