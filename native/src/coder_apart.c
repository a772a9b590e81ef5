/* SPDX-License-Identifier: GPL-2.0-or-later
 * Not merging, for comparison: CHANGED pictures are encoder 1's alone, and one region's
 * chain goes on behind them. */
#include "coder.h"

#include <stdio.h>

int uis_coder_apart(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                    uis_buffer *au, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    const bool idr = uis_coder_keyframe_due(c, tick->index);
    bool region = !idr && k->tick_class == UIS_VIDEO_ONLY;
    if (region) {
        const uis_wanted_region wanted = uis_regions_bounding_box(regions, k, uis_coder_guard(c));
        const uis_region *there = uis_regions_find(regions, &wanted.at);
        region = !uis_coder_too_small(c, &wanted.at) &&
                 !uis_changed_outside(&wanted.at, c->changed, c->full_coded[0], c->mb_width,
                                      c->mb_height);
        if (region && !there) {
            /* P_Skip shows LTR 0 again where the last region was. */
            uis_shown_copy(&c->ltr0, &c->shown, c->mbs);
            uis_regions_release_all(regions);
            if (uis_coder_open_region(c, &wanted, err, err_size) != 0)
                return -1;
        } else if (region) {
            regions->items[0].core = wanted.core;
        }
    }
    uis_regions_own(regions, region);
    if (!region) {
        if (idr)
            uis_regions_release_all(regions); /* LTR 1 is gone: encoder 2 must start over */
        int rc = uis_coder_full(c, idr, tick, au, err, err_size);
        uis_shown_copy(&c->shown, &c->ltr0, c->mbs);
        return rc;
    }
    uis_region *r = &regions->items[0];
    uis_placement p = {.width = c->mb_width,
                       .height = c->mb_height,
                       .count = 2,
                       .owner = regions->owner,
                       .in_ltr0 = c->in_ltr0};
    bool deblock = false;
    uis_region_note_changes(r, c->changed, c->mb_width);
    if (uis_coder_encode_regions(c, &deblock, false, &p, tick, err, err_size) != 0)
        return -1;
    uint64_t begin = uis_now_ns();
    if (c->config.splice != UIS_SPLICE_ROWS) {
        p.constrained = tick->region_idr;
        p.patch_limit = c->mbs;
        if (uis_place(&p) != 0) {
            snprintf(err, err_size, "out of memory while placing macroblocks");
            return -1;
        }
        tick->patched_mbs = p.patched;
        const uint64_t placed = uis_now_ns();
        tick->check_ns += placed - begin;
        begin = placed;
    }
    const bool intra = r->part.picture.idr, same = c->last_index == UIS_LTR_SPLICED;
    const uis_picture_form form = {
        .num_ref = intra || same ? 1 : 2,
        .reference = {!intra && same ? UIS_LTR_SPLICED : UIS_LTR_FULL, UIS_LTR_SPLICED},
        .long_term_index = UIS_LTR_SPLICED,
        .region_reference = intra || same ? 0 : 1};
    int rc = c->config.splice == UIS_SPLICE_ROWS
                 ? uis_splice_rows(&c->splicer, &r->part, au, &tick->slices, err, err_size)
                 : uis_splice_parts(&c->splicer, &p, &form, au, &tick->slices, err, err_size);
    if (rc != 0)
        return -1;
    tick->splice_ns = uis_now_ns() - begin;
    uis_coder_note_picture(c, tick, UIS_PICTURE_SPLICED, UIS_LTR_SPLICED);
    uis_coder_note_regions(c, tick);
    return uis_coder_show_parts(c, &p, tick, err, err_size);
}
