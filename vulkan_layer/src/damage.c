/* SPDX-License-Identifier: GPL-2.0-or-later
 * Damage rectangles of a present; see damage.h. */
#include "damage.h"

#include <stddef.h>

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static uis_rect clip(const VkRectLayerKHR *rect, VkExtent2D extent) {
    int64_t x0 = clamp(rect->offset.x, 0, extent.width);
    int64_t y0 = clamp(rect->offset.y, 0, extent.height);
    int64_t x1 = clamp((int64_t)rect->offset.x + rect->extent.width, 0, extent.width);
    int64_t y1 = clamp((int64_t)rect->offset.y + rect->extent.height, 0, extent.height);
    return (uis_rect){(int32_t)x0, (int32_t)y0, (int32_t)(x1 - x0), (int32_t)(y1 - y0)};
}

static uis_rect unite(uis_rect a, uis_rect b) {
    int32_t x0 = a.x < b.x ? a.x : b.x;
    int32_t y0 = a.y < b.y ? a.y : b.y;
    int32_t x1 = a.x + a.w > b.x + b.w ? a.x + a.w : b.x + b.w;
    int32_t y1 = a.y + a.h > b.y + b.h ? a.y + a.h : b.y + b.h;
    return (uis_rect){x0, y0, x1 - x0, y1 - y0};
}

void uis_damage_from_present(const VkPresentInfoKHR *info, uint32_t index, VkExtent2D extent,
                             uis_damage *out) {
    out->missing = true;
    out->count = 0;
    const VkPresentRegionKHR *region = NULL;
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
        if (s->sType != VK_STRUCTURE_TYPE_PRESENT_REGIONS_KHR)
            continue;
        const VkPresentRegionsKHR *regions = (const VkPresentRegionsKHR *)s;
        if (regions->pRegions && index < regions->swapchainCount)
            region = &regions->pRegions[index];
        break;
    }
    /* A region of no rectangles means "all of it", as does no region at all. */
    if (!region || !region->rectangleCount || !region->pRectangles)
        return;
    out->missing = false;
    bool merged = false;
    for (uint32_t i = 0; i < region->rectangleCount; i++) {
        uis_rect rect = clip(&region->pRectangles[i], extent);
        if (rect.w <= 0 || rect.h <= 0)
            continue;
        if (!merged && out->count < UIS_RING_MAX_DAMAGE) {
            out->rects[out->count++] = rect;
            continue;
        }
        if (!merged) {
            for (uint32_t k = 1; k < out->count; k++)
                out->rects[0] = unite(out->rects[0], out->rects[k]);
            out->count = 1;
            merged = true;
        }
        out->rects[0] = unite(out->rects[0], rect);
    }
}
