/* SPDX-License-Identifier: GPL-2.0-or-later
 * Inside of the picture coder, for its own files: picture_coder.c (encoder 1 and the
 * door), coder_regions.c (the regions' encoders), coder_merged.c and coder_apart.c (the
 * two ways of bringing both together). */
#ifndef UIS_CODER_H
#define UIS_CODER_H

#include "picture_coder.h"
#include "regions.h"
#include "splicer.h"

/* A decoder's picture, and how far it is from the source. */
typedef struct uis_shown {
    uis_i420 picture;
    uint64_t *digests; /* by macroblock */
    uint32_t *sse;     /* luma, by macroblock */
} uis_shown;

struct uis_picture_coder {
    uis_recorder_config config;
    const uis_encoder_backend *backend;
    uint32_t mb_width, mb_height, mbs;
    uis_splicer splicer;
    uis_row_pool *rows;

    /* The frame fed last, and encoder 1's input while regions live: their places stay there as
     * they were. */
    uis_source *source;
    uint64_t fed;      /* frames fed so far; the clock of `changed`, `coded`, `touched` */
    uint64_t *changed; /* when each macroblock changed last */
    uint8_t *constant; /* scratch: flags for encoder 1 */
    uint8_t *in_video; /* scratch: 1 where a playing video is */
    uint8_t *marks;    /* scratch: macroblocks to be copied */

    /* Encoder 1. */
    uis_encoder *full;
    uis_parameters full_parameters;
    uint64_t full_coded[2]; /* `fed` at its last and last but one picture; 0: none */
    uint64_t *touched;      /* when its picture last changed, by macroblock */
    uint64_t ltr0_coded;    /* `fed` at the picture that is LTR 0 */
    uint8_t *in_ltr0;       /* scratch: its picture is as in LTR 0 */
    uis_part full_part;

    uis_regions regions;

    bool keyframe_wanted;
    uint64_t last_keyframe; /* tick */
    uint32_t last_index;    /* UIS_LTR_* that it became */

    uis_shown shown; /* what a decoder shows now */
    uis_shown ltr0;  /* what LTR 0 is; kept where pictures are not merged */
};

void uis_shown_copy(const uis_shown *from, uis_shown *to, uint32_t mbs);

/* Pictures are merged (UIS_SPLICE_SYNTAX). */
static inline bool uis_coder_merges(const uis_picture_coder *c) {
    return c->config.splice == UIS_SPLICE_SYNTAX;
}

static inline uis_mb_rect uis_coder_whole(const uis_picture_coder *c) {
    return (uis_mb_rect){0, 0, c->mb_width, c->mb_height};
}

/* Macroblocks of guard around a region. */
static inline uint32_t uis_coder_guard(const uis_picture_coder *c) {
    return c->config.faults & UIS_FAULT_NO_GUARD ? 0 : c->config.guard_mbs;
}

/* Pictures of encoder 1 alone use the deblocking filter. Where a session has it once and for
 * all, it is off: a merged picture could not use it. */
static inline bool uis_coder_deblocks(const uis_picture_coder *c) {
    return c->config.mode != UIS_MODE_SPLICED || c->backend->switches_deblocking;
}

/* Too small to have an encoder of its own. */
bool uis_coder_too_small(const uis_picture_coder *c, const uis_mb_rect *at);

/* What the configurations of both encoders have in common. */
uis_encoder_config uis_coder_base_config(const uis_picture_coder *c);

/* A keyframe is due on this tick. */
bool uis_coder_keyframe_due(const uis_picture_coder *c, uint64_t tick);

/* Encoder 1 on those planes. 0 or -1. */
int uis_coder_encode_full(uis_picture_coder *c, uis_source_planes planes, bool idr, bool deblock,
                          uis_encoded *picture, char *err, size_t err_size);

/* A picture of encoder 1 alone, whose reference is LTR 0: header rewritten, slice data
 * copied. 0 or -1. */
int uis_coder_full(uis_picture_coder *c, bool idr, uis_tick *tick, uis_buffer *au, char *err,
                   size_t err_size);

/* An IDR picture; all regions end. 0 or -1. */
int uis_coder_keyframe(uis_picture_coder *c, uis_tick *tick, uis_buffer *au, char *err,
                       size_t err_size);

/* The picture just written: UIS_PICTURE_*, and the UIS_LTR_* that it became. */
void uis_coder_note_picture(uis_picture_coder *c, uis_tick *tick, uint32_t kind, uint32_t index);

/* Takes over what the coded parts of a picture just written show. 0 or -1. */
int uis_coder_show_parts(uis_picture_coder *c, const uis_placement *p, uis_tick *tick, char *err,
                         size_t err_size);

/* Opens a region. 0 or -1. */
int uis_coder_open_region(uis_picture_coder *c, const uis_wanted_region *wanted, char *err,
                          size_t err_size);

/* Codes the regions that are due (uis_region_note_changes) and hands them to the placement.
 * `deblock` may be taken back: a region that starts over is intra up to its border; then all that
 * were coded with it start over too. Beside encoder 1's macroblocks (`outside`) none can start
 * over. 0; 1: one would have to; -1: failed. */
int uis_coder_encode_regions(uis_picture_coder *c, bool *deblock, bool outside,
                             uis_placement *placement, uis_tick *tick, char *err, size_t err_size);

/* The regions' fields of the tick. */
void uis_coder_note_regions(const uis_picture_coder *c, uis_tick *tick);

/* One tick, merging or not. 0 or -1. */
int uis_coder_merged(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                     uis_buffer *au, char *err, size_t err_size);
int uis_coder_apart(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                    uis_buffer *au, char *err, size_t err_size);
#endif
