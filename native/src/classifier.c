/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "classifier.h"

/* A paused video's last frame may be presented this long after the page said so. */
#define LAST_FRAME_GRACE_NS 100000000u

int uis_classify(uis_source *source, const uis_rect *view, const uis_rect *damage,
                 const uis_video_region *regions, uint32_t region_count, uint64_t present_ns,
                 uint8_t *map, uis_classification *out, char *err, size_t err_size) {
    uis_classification c = {.tick_class = UIS_UNCHANGED};
    for (uint32_t i = 0; i < region_count && i < UIS_RING_MAX_REGIONS; i++) {
        uis_rect r = uis_rect_intersect(regions[i].rect, *view);
        if (uis_rect_empty(r))
            continue;
        if (regions[i].playing || present_ns < regions[i].changed_ns + LAST_FRAME_GRACE_NS)
            c.videos[c.video_count++] = r;
        else
            c.paused[c.paused_count++] = r;
    }
    const int64_t dirty = source->kind->dirty_map(source, damage, map, &c.dirty, err, err_size);
    if (dirty < 0)
        return -1;
    c.dirty_mbs = (uint32_t)dirty;
    if (dirty > 0) {
        const int64_t outside =
            source->kind->dirty_outside(source, map, c.videos, c.video_count, err, err_size);
        if (outside < 0)
            return -1;
        c.outside_mbs = (uint32_t)outside;
        c.tick_class = outside == 0 ? UIS_VIDEO_ONLY : UIS_CHANGED;
    }
    *out = c;
    return 0;
}

uis_mb_rect uis_mb_cover(const uis_rect *rect, uint32_t guard, uint32_t mb_width,
                         uint32_t mb_height) {
    int32_t g = (int32_t)guard;
    int32_t x0 = rect->x / 16 - g, y0 = rect->y / 16 - g;
    int32_t x1 = (rect->x + rect->w + 15) / 16 + g, y1 = (rect->y + rect->h + 15) / 16 + g;
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > (int32_t)mb_width ? (int32_t)mb_width : x1;
    y1 = y1 > (int32_t)mb_height ? (int32_t)mb_height : y1;
    return (uis_mb_rect){(uint32_t)x0, (uint32_t)y0, (uint32_t)(x1 - x0), (uint32_t)(y1 - y0)};
}
