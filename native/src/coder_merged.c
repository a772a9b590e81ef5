/* SPDX-License-Identifier: GPL-2.0-or-later
 * Merged pictures: a video is coded by one encoder only, as long as its region lives. */
#include "coder.h"

#include <stdio.h>
#include <string.h>

/* What does not fit is patched with I_PCM. In a picture, up to 1 / 24 of it: beyond, a
 * keyframe is cheaper. */
#define PATCH_BYTES 384
#define PICTURE_PATCH_SHARE 24

/* A region beside which the user interface moves may cost more in patches than it
 * saves. Once they have cost as much as starting the region over would, it is released,
 * and stays so for this many pictures. */
#define RELEASED_FOR 24

/* 1 / share of a region, or of what surrounds all regions, that changes at once when the
 * scene does. */
#define SCENE_SHARE 2

static uint32_t patch_limit(const uis_picture_coder *c) {
    return c->mbs / PICTURE_PATCH_SHARE + 16;
}

/* Notes where encoder 1's own picture became another one than before: what was
 * coded, and with deblocking what lies beside that. */
static void note_touched(uis_picture_coder *c, bool deblock) {
    const uis_mb_picture *mbs = &c->full_part.mbs;
    for (uint32_t y = 0, i = 0; y < c->mb_height; y++)
        for (uint32_t x = 0; x < c->mb_width; x++, i++) {
            if (uis_mb_is_static(&mbs->mbs[i]))
                continue;
            c->touched[i] = c->fed;
            if (!deblock)
                continue;
            if (x > 0)
                c->touched[i - 1] = c->fed;
            if (x + 1 < c->mb_width)
                c->touched[i + 1] = c->fed;
            if (y > 0)
                c->touched[i - c->mb_width] = c->fed;
            if (y + 1 < c->mb_height)
                c->touched[i + c->mb_width] = c->fed;
        }
}

/* True if nothing that encoder 1 is about to code lies within two macroblocks of a
 * region: then no edge at a region's border gets filtered. Two, because a constant
 * macroblock beside moving ones may carry residual. */
static bool surroundings_are_constant(uis_picture_coder *c) {
    const uint64_t before = c->full_coded[1];
    if (before == 0)
        return false;
    for (uint32_t i = 0; i < c->regions.count; i++) {
        const uis_mb_rect ring =
            uis_mb_rect_grown(&c->regions.items[i].at, 2, c->mb_width, c->mb_height);
        for (uint32_t y = ring.y; y < ring.y + ring.h; y++)
            for (uint32_t x = ring.x; x < ring.x + ring.w; x++) {
                const uint32_t at = y * c->mb_width + x;
                if (c->regions.owner[at] == 0 && c->changed[at] > before)
                    return false;
            }
    }
    return true;
}

/* Brings into encoder 1's input what changed outside the regions since its last picture. */
static int keep_outside(uis_picture_coder *c, char *err, size_t err_size) {
    uint32_t from = 0;
    uis_mb_rect at;
    uis_regions_mark_outside(&c->regions, c->changed, c->full_coded[0], c->marks);
    while (uis_next_marked_rect(c->marks, c->mb_width, c->mb_height, &from, &at))
        if (c->source->kind->keep(c->source, &at, err, err_size) != 0)
            return -1;
    return 0;
}

/* Freezes a place in encoder 1's input as the stream shows it, but for what regions own
 * already. */
static int freeze(uis_picture_coder *c, const uis_mb_rect *place, char *err, size_t err_size) {
    uint32_t from = 0;
    uis_mb_rect at;
    memset(c->marks, 0, c->mbs);
    for (uint32_t y = place->y; y < place->y + place->h; y++)
        for (uint32_t x = place->x; x < place->x + place->w; x++)
            c->marks[y * c->mb_width + x] = c->regions.owner[y * c->mb_width + x] == 0;
    while (uis_next_marked_rect(c->marks, c->mb_width, c->mb_height, &from, &at))
        if (c->source->kind->put(c->source, &at, &c->shown.picture, err, err_size) != 0)
            return -1;
    return 0;
}

/* One picture of parts: encoder 1's if something outside the regions changed, and
 * those regions' that changed. */
static int code_parts(uis_picture_coder *c, const uis_mb_rect *released, uint32_t released_count,
                      uis_tick *tick, uis_buffer *au, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    tick->region_idr = 0; /* what an attempt before this one coded is in no picture */
    const bool outside = uis_regions_outside_changed(regions, c->changed, c->full_coded[0]);
    uis_placement p = {.width = c->mb_width,
                       .height = c->mb_height,
                       .count = regions->count + 1,
                       .owner = regions->owner,
                       .in_ltr0 = c->in_ltr0,
                       .patch_limit = patch_limit(c)};
    bool deblock = c->config.deblock && c->config.mb_info && uis_coder_deblocks(c) &&
                   released_count == 0 &&
                   (!outside || (c->config.threads <= 1 && surroundings_are_constant(c)));
    uint32_t due = 0;
    bool in_slices = false;
    for (uint32_t i = 0; i < regions->count; i++) {
        uis_region *r = &regions->items[i];
        uis_region_note_changes(r, c->changed, c->mb_width);
        deblock &= !r->due || (r->coded[0] != 0 && uis_region_border_is_constant(r));
        due += r->due;
        in_slices |= r->due && r->threads > 1;
    }
    deblock &= !in_slices || due == 1; /* slices of one would go through another */
    int rc = uis_coder_encode_regions(c, &deblock, outside, &p, tick, err, err_size);
    if (rc != 0)
        return rc;
    uint64_t begin = uis_now_ns();
    if (outside) {
        uis_encoded picture;
        uis_source_planes input = UIS_PLANES_NEWEST;
        if (regions->count) {
            if (keep_outside(c, err, err_size) != 0)
                return -1;
            input = UIS_PLANES_SEEN;
        }
        if (uis_coder_encode_full(c, input, false, deblock, &picture, err, err_size) != 0)
            return -1;
        const uint64_t encoded = uis_now_ns();
        tick->encode_ns += encoded - begin;
        const uis_mb_rect all = uis_coder_whole(c);
        if (uis_part_read(&c->full_part, &all, &picture, &c->full_parameters, err, err_size) != 0)
            return -1;
        begin = uis_now_ns();
        tick->read_ns += begin - encoded;
        p.parts[0] = &c->full_part;
        if (c->last_index != UIS_LTR_FULL) {
            for (uint32_t i = 0; i < regions->count; i++)
                if (!regions->items[i].fresh)
                    p.foreign[p.foreign_count++] = regions->items[i].at;
            memcpy(p.foreign + p.foreign_count, released, released_count * sizeof *released);
            p.foreign_count += released_count;
        }
        for (uint32_t i = 0; i < c->mbs; i++)
            c->in_ltr0[i] = c->touched[i] <= c->ltr0_coded;
    }
    p.deblock = deblock;
    p.constrained = tick->region_idr;
    rc = uis_place(&p);
    tick->check_ns += uis_now_ns() - begin;
    if (rc < 0) {
        snprintf(err, err_size, "out of memory while placing macroblocks");
        return -1;
    }
    if (rc == 1) {
        tick->fallback = 1;
        tick->region_idr = 0;
        return uis_coder_keyframe(c, tick, au, err, err_size);
    }
    begin = uis_now_ns();
    const uint32_t index = regions->count ? UIS_LTR_SPLICED : UIS_LTR_FULL;
    const uis_picture_form form = {.num_ref = p.uses_ltr0 ? 2 : 1,
                                   .reference = {c->last_index, UIS_LTR_FULL},
                                   .long_term_index = index};
    if (uis_splice_parts(&c->splicer, &p, &form, au, &tick->slices, err, err_size) != 0)
        return -1;
    tick->splice_ns += uis_now_ns() - begin;
    tick->patched_mbs = p.patched;
    tick->deblocked = deblock;
    if (outside)
        note_touched(c, deblock);
    uis_coder_note_picture(c, tick,
                           !regions->count ? UIS_PICTURE_FULL
                           : outside       ? UIS_PICTURE_MERGED
                                           : UIS_PICTURE_SPLICED,
                           index);
    for (uint32_t i = 0; i < regions->count; i++) {
        uis_region *r = &regions->items[i];
        r->fresh = false;
        r->patch_debt += (size_t)p.patched * PATCH_BYTES;
        if (p.parts[i + 1] && r->part.picture.idr)
            r->start_bytes = r->part.picture.size;
    }
    if (regions->count)
        uis_coder_note_regions(c, tick);
    return uis_coder_show_parts(c, &p, tick, err, err_size);
}

/* Where encoder 1's picture is not the stream's, apart from the regions that live. */
typedef struct left_behind {
    /* Those that lived, those that came and went on this very tick, and some to spare. */
    uis_mb_rect rects[3 * UIS_RING_MAX_REGIONS];
    uint32_t count;
} left_behind;

static void release(uis_picture_coder *c, uint32_t index, left_behind *left) {
    const uis_mb_rect at = c->regions.items[index].at;
    left->rects[left->count++] = at;
    uis_regions_release(&c->regions, index);
    /* For encoder 1 all of it is new. */
    for (uint32_t y = at.y; y < at.y + at.h; y++)
        for (uint32_t x = at.x; x < at.x + at.w; x++)
            c->changed[y * c->mb_width + x] = c->fed;
}

/* True if LTR 0 has nearly all of a region's place as encoder 1 has it: then encoder 1 can
 * take it over and predict from there. It has not where encoder 1 coded since in merged
 * pictures, before the region began: what it would predict from is in no reference, and
 * patches would soon cost more than starting the region over. */
static bool ltr0_holds(const uis_picture_coder *c, const uis_region *r) {
    const uint32_t lost = uis_regions_changed_in(&c->regions, &r->at, c->touched, c->ltr0_coded);
    return (size_t)lost * PATCH_BYTES <= r->start_bytes;
}

static bool too_large(const uis_picture_coder *c, const uis_mb_rect *at) {
    return (uint64_t)at->w * at->h * 100 > (uint64_t)c->config.region_limit * c->mbs;
}

/* Gives a video a region of its own. Regions in its way end; one that still has a
 * video, or could not be taken over, becomes part of it. */
static int adopt(uis_picture_coder *c, uis_wanted_region wanted, bool seen_is_kept,
                 left_behind *left, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    for (uint32_t i = 0; i < regions->count; i++) {
        const uis_region *r = &regions->items[i];
        if ((!r->ghost || !ltr0_holds(c, r)) && uis_mb_rect_meet(&r->at, &wanted.at) &&
            !uis_mb_rect_contains(&wanted.at, &r->at)) {
            wanted.at = uis_mb_rect_united(&wanted.at, &r->at);
            wanted.core = uis_mb_rect_united(&wanted.core, &r->core);
            i = UINT32_MAX; /* the larger one may meet others */
        }
    }
    if (too_large(c, &wanted.at) || uis_coder_too_small(c, &wanted.at) ||
        uis_regions_ring_changed(regions, &wanted.at, c->changed, c->full_coded[0]))
        return 0;
    /* For encoder 1 the place stays as it last coded it. */
    const uis_mb_rect all = uis_coder_whole(c);
    if ((!seen_is_kept && c->source->kind->keep(c->source, &all, err, err_size) != 0) ||
        freeze(c, &wanted.at, err, err_size) != 0)
        return -1;
    for (uint32_t i = 0; i < regions->count;) {
        if (uis_mb_rect_meet(&regions->items[i].at, &wanted.at))
            release(c, i, left);
        else
            i++;
    }
    return uis_coder_open_region(c, &wanted, err, err_size);
}

/* True if so much changes outside of all regions, those `wanted` included, that a region's first
 * picture may not fit beside it: in that picture constrained intra prediction hides the inter
 * macroblocks from the intra ones around, too. */
static bool much_changes(const uis_picture_coder *c, const uis_wanted_region *wanted,
                         uint32_t wanted_count) {
    uint32_t changed = 0;
    for (uint32_t y = 0, i = 0; y < c->mb_height; y++)
        for (uint32_t x = 0; x < c->mb_width; x++, i++) {
            if (c->regions.owner[i] != 0 || c->changed[i] <= c->full_coded[0])
                continue;
            changed++;
            for (uint32_t k = 0; k < wanted_count; k++)
                if (uis_mb_inside(&wanted[k].at, x, y)) {
                    changed--;
                    break;
                }
        }
    return changed > patch_limit(c);
}

/* Decides which regions live at this picture. */
static int plan_regions(uis_picture_coder *c, const uis_classification *k, left_behind *left,
                        char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    const bool had_some = regions->count > 0;
    uint32_t changed_outside;
    const uint32_t outside =
        uis_regions_count_outside(regions, c->changed, c->fed - 1, &changed_outside);
    const bool new_scene = changed_outside * SCENE_SHARE > outside;
    for (uint32_t i = 0; i < regions->count;) {
        uis_region *r = &regions->items[i];
        r->ghost = !uis_region_follow(r, regions, k);
        /* Once its video has gone, a region goes at the next change of scene in the video's
         * place, when encoder 1 can take over at no cost: what was there is worth nothing. */
        const bool over =
            r->ghost && ltr0_holds(c, r) &&
            uis_regions_changed_in(regions, &r->core, c->changed, c->fed - 1) * SCENE_SHARE >
                r->core.w * r->core.h;
        /* Where everything around moves, little would fit at the border. */
        const bool dear = (new_scene || r->patch_debt > r->start_bytes) &&
                          uis_regions_ring_changed(regions, &r->at, c->changed, c->full_coded[0]);
        if (dear && !new_scene)
            uis_regions_block(regions, &r->at, RELEASED_FOR);
        if (over || dear)
            release(c, i, left);
        else
            i++;
    }
    uis_wanted_region wanted[UIS_RING_MAX_REGIONS];
    const uint32_t count = uis_regions_want(regions, k, uis_coder_guard(c), wanted);
    if (count == 0 || much_changes(c, wanted, count))
        return 0;
    for (uint32_t i = 0; i < count && regions->count < UIS_RING_MAX_REGIONS; i++)
        if (adopt(c, wanted[i], had_some || regions->count > 0, left, err, err_size) != 0)
            return -1;
    return 0;
}

int uis_coder_merged(uis_picture_coder *c, const uis_classification *k, uis_tick *tick,
                     uis_buffer *au, char *err, size_t err_size) {
    uis_regions *regions = &c->regions;
    if (uis_coder_keyframe_due(c, tick->index))
        return uis_coder_keyframe(c, tick, au, err, err_size);
    left_behind left = {.count = 0};
    if (plan_regions(c, k, &left, err, err_size) != 0)
        return -1;
    if (regions->count == 0 && left.count == 0)
        return uis_coder_full(c, false, tick, au, err, err_size);
    int rc = code_parts(c, left.rects, left.count, tick, au, err, err_size);
    if (rc == 1) { /* a region would have to start over beside a changing surrounding */
        while (regions->count)
            release(c, 0, &left);
        rc = code_parts(c, left.rects, left.count, tick, au, err, err_size);
    }
    return rc;
}
