/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The damage rectangles of a present (VkPresentRegionsKHR), clipped to the
 * image and few enough for a ring slot. Pure functions.
 */
#ifndef UIS_DAMAGE_H
#define UIS_DAMAGE_H

#include <stdbool.h>

#include <vulkan/vulkan_core.h>

#include "uisplice/frame_ring.h"

typedef struct uis_damage {
    bool missing; /* no rectangles came: all of the image may have changed */
    uint32_t count;
    uis_rect rects[UIS_RING_MAX_DAMAGE];
} uis_damage;

/* Of swapchain `index` in INFO. Rectangles that are empty after clipping are
 * left out; more than UIS_RING_MAX_DAMAGE become their union. */
void uis_damage_from_present(const VkPresentInfoKHR *info, uint32_t index, VkExtent2D extent,
                             uis_damage *out);

#endif
