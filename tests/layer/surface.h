/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the programs under the layer have in common: a surface without a window system, headless or,
 * where the driver has none (Mesa 22), of a Wayland display that does not exist, which the virtual
 * swapchain never looks at.
 */
#ifndef UIS_TEST_SURFACE_H
#define UIS_TEST_SURFACE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <vulkan/vulkan_core.h>
struct wl_display;
struct wl_surface;
#include <vulkan/vulkan_wayland.h>

#define VK(call)                                                                                   \
    do {                                                                                           \
        VkResult vk_ = (call);                                                                     \
        if (vk_ != VK_SUCCESS) {                                                                   \
            fprintf(stderr, "%s:%d: %s: VkResult %d\n", __FILE__, __LINE__, #call, vk_);           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static VkSurfaceKHR make_surface(VkInstance instance, bool headless) {
    VkSurfaceKHR surface = VK_NULL_HANDLE;
    if (headless) {
        PFN_vkCreateHeadlessSurfaceEXT create =
            (PFN_vkCreateHeadlessSurfaceEXT)vkGetInstanceProcAddr(instance,
                                                                  "vkCreateHeadlessSurfaceEXT");
        const VkHeadlessSurfaceCreateInfoEXT info = {
            .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT};
        VK(create(instance, &info, NULL, &surface));
        return surface;
    }
    static char nobody;
    PFN_vkCreateWaylandSurfaceKHR create =
        (PFN_vkCreateWaylandSurfaceKHR)vkGetInstanceProcAddr(instance, "vkCreateWaylandSurfaceKHR");
    const VkWaylandSurfaceCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_WAYLAND_SURFACE_CREATE_INFO_KHR,
        .display = (struct wl_display *)&nobody,
        .surface = (struct wl_surface *)&nobody,
    };
    VK(create(instance, &info, NULL, &surface));
    return surface;
}

#endif
