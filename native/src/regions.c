/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "regions.h"

#include <stdlib.h>
#include <string.h>

int uis_regions_init(uis_regions *r, uint32_t mb_width, uint32_t mb_height) {
    r->width = mb_width;
    r->height = mb_height;
    r->owner = calloc((size_t)mb_width * mb_height, 1);
    return r->owner ? 0 : -1;
}

void uis_regions_free(uis_regions *r) {
    for (uint32_t i = 0; i < r->count; i++)
        uis_region_close(&r->items[i]);
    free(r->owner);
    *r = (uis_regions){0};
}

static void fill_owner(uis_regions *r, const uis_mb_rect *at, uint8_t value) {
    for (uint32_t y = at->y; y < at->y + at->h; y++)
        memset(r->owner + (size_t)y * r->width + at->x, value, at->w);
}

static void own_all(uis_regions *r) {
    memset(r->owner, 0, (size_t)r->width * r->height);
    for (uint32_t i = 0; i < r->count; i++)
        fill_owner(r, &r->items[i].at, (uint8_t)(i + 1));
}

void uis_regions_own(uis_regions *r, bool first) {
    memset(r->owner, 0, (size_t)r->width * r->height);
    if (first)
        fill_owner(r, &r->items[0].at, 1);
}

int uis_regions_add(uis_regions *r, const uis_encoder_backend *backend,
                    const uis_encoder_config *config, const uis_wanted_region *wanted, char *err,
                    size_t err_size) {
    if (uis_region_open(&r->items[r->count], backend, config, &wanted->at, &wanted->core, r->width,
                        r->height, err, err_size) != 0)
        return -1;
    r->count++;
    own_all(r);
    return 0;
}

void uis_regions_release(uis_regions *r, uint32_t index) {
    uis_region_close(&r->items[index]);
    r->count--;
    memmove(&r->items[index], &r->items[index + 1], (r->count - index) * sizeof r->items[0]);
    r->items[r->count] = (uis_region){0};
    own_all(r);
}

void uis_regions_release_all(uis_regions *r) {
    while (r->count)
        uis_regions_release(r, r->count - 1);
}

void uis_regions_block(uis_regions *r, const uis_mb_rect *at, uint32_t pictures) {
    uint32_t slot = 0; /* a free one, or the one that ends first */
    for (uint32_t k = 1; k < UIS_RING_MAX_REGIONS; k++)
        if (r->blocked_for[k] < r->blocked_for[slot])
            slot = k;
    r->blocked[slot] = *at;
    r->blocked_for[slot] = pictures;
}

const uis_region *uis_regions_find(const uis_regions *r, const uis_mb_rect *at) {
    for (uint32_t i = 0; i < r->count; i++)
        if (uis_mb_rect_same(&r->items[i].at, at))
            return &r->items[i];
    return NULL;
}

uis_mb_rect uis_mb_rect_united(const uis_mb_rect *a, const uis_mb_rect *b) {
    const uint32_t x0 = a->x < b->x ? a->x : b->x, y0 = a->y < b->y ? a->y : b->y;
    const uint32_t x1 = a->x + a->w > b->x + b->w ? a->x + a->w : b->x + b->w;
    const uint32_t y1 = a->y + a->h > b->y + b->h ? a->y + a->h : b->y + b->h;
    return (uis_mb_rect){x0, y0, x1 - x0, y1 - y0};
}

bool uis_mb_rect_contains(const uis_mb_rect *a, const uis_mb_rect *b) {
    return b->x >= a->x && b->y >= a->y && b->x + b->w <= a->x + a->w && b->y + b->h <= a->y + a->h;
}

static uis_wanted_region around(const uis_regions *r, const uis_rect *video, uint32_t guard) {
    return (uis_wanted_region){.at = uis_mb_cover(video, guard, r->width, r->height),
                               .core = uis_mb_cover(video, 0, r->width, r->height)};
}

/* Two that overlap become one, until none do. */
static uint32_t unite_overlapping(uis_wanted_region *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = i + 1; k < count; k++)
            if (uis_mb_rect_meet(&list[i].at, &list[k].at)) {
                list[i].at = uis_mb_rect_united(&list[i].at, &list[k].at);
                list[i].core = uis_mb_rect_united(&list[i].core, &list[k].core);
                list[k] = list[--count];
                i = UINT32_MAX; /* the larger one may meet others: begin again */
                break;
            }
    return count;
}

static bool is_blocked(const uis_regions *r, const uis_mb_rect *at) {
    for (uint32_t k = 0; k < UIS_RING_MAX_REGIONS; k++)
        if (r->blocked_for[k] && uis_mb_rect_meet(&r->blocked[k], at))
            return true;
    return false;
}

static uint32_t stood(const uis_regions *r, const uis_mb_rect *at) {
    for (uint32_t k = 0; k < r->standing_count; k++)
        if (uis_mb_rect_same(&r->standing[k].at, at))
            return r->standing[k].pictures;
    return 0;
}

uint32_t uis_regions_want(uis_regions *r, const uis_classification *c, uint32_t guard,
                          uis_wanted_region out[UIS_RING_MAX_REGIONS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->video_count; i++) {
        const uis_wanted_region w = around(r, &c->videos[i], guard);
        bool has_one = false;
        for (uint32_t k = 0; k < r->count; k++)
            has_one |= uis_mb_rect_contains(&r->items[k].at, &w.core);
        if (!has_one)
            out[count++] = w;
    }
    count = unite_overlapping(out, count);
    uis_standing now[UIS_RING_MAX_REGIONS];
    for (uint32_t i = 0; i < count; i++)
        now[i] = (uis_standing){out[i].at, stood(r, &out[i].at) + 1};
    memcpy(r->standing, now, count * sizeof *now);
    r->standing_count = count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (now[i].pictures > r->adopt_after && !is_blocked(r, &out[i].at))
            out[kept++] = out[i];
    for (uint32_t k = 0; k < UIS_RING_MAX_REGIONS; k++)
        r->blocked_for[k] -= r->blocked_for[k] > 0;
    return kept;
}

static bool lies_in(const uis_region *region, const uis_regions *r, const uis_rect *video,
                    uis_mb_rect *core, bool any) {
    const uis_mb_rect covered = uis_mb_cover(video, 0, r->width, r->height);
    if (!uis_mb_rect_contains(&region->at, &covered))
        return false;
    *core = any ? uis_mb_rect_united(core, &covered) : covered;
    return true;
}

bool uis_region_follow(uis_region *region, const uis_regions *r, const uis_classification *c) {
    bool any = false;
    uis_mb_rect core = region->core;
    for (uint32_t i = 0; i < c->video_count; i++)
        any |= lies_in(region, r, &c->videos[i], &core, any);
    for (uint32_t i = 0; i < c->paused_count; i++)
        any |= lies_in(region, r, &c->paused[i], &core, any);
    region->core = core;
    return any;
}

uis_wanted_region uis_regions_bounding_box(const uis_regions *r, const uis_classification *c,
                                           uint32_t guard) {
    uis_rect box = {0, 0, 0, 0};
    for (uint32_t i = 0; i < c->video_count; i++)
        box = uis_rect_union(box, c->videos[i]);
    return around(r, &box, guard);
}

uint32_t uis_regions_count_outside(const uis_regions *r, const uint64_t *changed, uint64_t since,
                                   uint32_t *how_many_changed) {
    uint32_t outside = 0;
    *how_many_changed = 0;
    for (uint32_t i = 0; i < r->width * r->height; i++)
        if (r->owner[i] == 0) {
            outside++;
            *how_many_changed += changed[i] > since;
        }
    return outside;
}

bool uis_regions_outside_changed(const uis_regions *r, const uint64_t *changed, uint64_t since) {
    for (uint32_t i = 0; i < r->width * r->height; i++)
        if (r->owner[i] == 0 && changed[i] > since)
            return true;
    return false;
}

uint32_t uis_regions_changed_in(const uis_regions *r, const uis_mb_rect *at,
                                const uint64_t *changed, uint64_t since) {
    uint32_t count = 0;
    for (uint32_t y = at->y; y < at->y + at->h; y++)
        for (uint32_t x = at->x; x < at->x + at->w; x++)
            count += changed[y * r->width + x] > since;
    return count;
}

bool uis_changed_outside(const uis_mb_rect *at, const uint64_t *changed, uint64_t since,
                         uint32_t mb_width, uint32_t mb_height) {
    for (uint32_t y = 0; y < mb_height; y++)
        for (uint32_t x = 0; x < mb_width; x++)
            if (changed[y * mb_width + x] > since && !uis_mb_inside(at, x, y))
                return true;
    return false;
}

bool uis_regions_ring_changed(const uis_regions *r, const uis_mb_rect *at, const uint64_t *changed,
                              uint64_t since) {
    const uis_mb_rect ring = uis_mb_rect_grown(at, 1, r->width, r->height);
    for (uint32_t y = ring.y; y < ring.y + ring.h; y++)
        for (uint32_t x = ring.x; x < ring.x + ring.w; x++)
            if (!uis_mb_inside(at, x, y) && changed[y * r->width + x] > since)
                return true;
    return false;
}

void uis_regions_mark_outside(const uis_regions *r, const uint64_t *changed, uint64_t since,
                              uint8_t *marks) {
    for (uint32_t i = 0; i < r->width * r->height; i++)
        marks[i] = r->owner[i] == 0 && changed[i] > since;
}

static bool all_marked(const uint8_t *marks, uint32_t count) {
    return memchr(marks, 0, count) == NULL;
}

bool uis_next_marked_rect(uint8_t *marks, uint32_t width, uint32_t height, uint32_t *from,
                          uis_mb_rect *out) {
    uint32_t i = *from;
    while (i < width * height && !marks[i])
        i++;
    *from = i;
    if (i == width * height)
        return false;
    const uint32_t x = i % width, y = i / width;
    uint32_t w = 1, h = 1;
    while (x + w < width && marks[i + w])
        w++;
    while (y + h < height && all_marked(marks + i + (size_t)h * width, w))
        h++;
    for (uint32_t row = 0; row < h; row++)
        memset(marks + i + (size_t)row * width, 0, w);
    *out = (uis_mb_rect){x, y, w, h};
    return true;
}

uis_mb_rect uis_mb_rect_grown(const uis_mb_rect *at, uint32_t by, uint32_t mb_width,
                              uint32_t mb_height) {
    const uint32_t x0 = at->x > by ? at->x - by : 0, y0 = at->y > by ? at->y - by : 0;
    const uint32_t x1 = at->x + at->w + by < mb_width ? at->x + at->w + by : mb_width;
    const uint32_t y1 = at->y + at->h + by < mb_height ? at->y + at->h + by : mb_height;
    return (uis_mb_rect){x0, y0, x1 - x0, y1 - y0};
}
