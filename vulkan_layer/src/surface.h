/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the layer says about surfaces. In virtual mode the driver's own surface
 * queries are never called: on headless machines some of them crash. Surface
 * handles are the loader's, so making and destroying them passes down; the xcb
 * window behind one is remembered to ask its size.
 *
 * Records belong to their instance and are guarded by its lock.
 */
#ifndef UIS_SURFACE_H
#define UIS_SURFACE_H

#include "dispatch.h"

typedef struct uis_surface {
    struct uis_surface *next_surface;
    VkSurfaceKHR handle;
    xcb_connection_t *connection;
    xcb_window_t window;
} uis_surface;

/* Frees the records of surfaces the app left behind. */
void uis_surfaces_free(uis_instance *instance);

/* Intercepted entry points. */
VKAPI_ATTR VkResult VKAPI_CALL uis_CreateXcbSurfaceKHR(VkInstance instance,
                                                       const VkXcbSurfaceCreateInfoKHR *info,
                                                       const VkAllocationCallbacks *allocator,
                                                       VkSurfaceKHR *surface);
VKAPI_ATTR VkResult VKAPI_CALL uis_CreateXlibSurfaceKHR(VkInstance instance,
                                                        const VkXlibSurfaceCreateInfoKHR *info,
                                                        const VkAllocationCallbacks *allocator,
                                                        VkSurfaceKHR *surface);
VKAPI_ATTR void VKAPI_CALL uis_DestroySurfaceKHR(VkInstance instance, VkSurfaceKHR surface,
                                                 const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkBool32 VKAPI_CALL uis_GetPhysicalDeviceXcbPresentationSupportKHR(
    VkPhysicalDevice device, uint32_t family, xcb_connection_t *connection, xcb_visualid_t visual);
VKAPI_ATTR VkBool32 VKAPI_CALL uis_GetPhysicalDeviceXlibPresentationSupportKHR(
    VkPhysicalDevice device, uint32_t family, Display *display, VisualID visual);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceSupportKHR(VkPhysicalDevice device,
                                                                      uint32_t family,
                                                                      VkSurfaceKHR surface,
                                                                      VkBool32 *supported);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilitiesKHR(
    VkPhysicalDevice device, VkSurfaceKHR surface, VkSurfaceCapabilitiesKHR *caps);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilities2KHR(
    VkPhysicalDevice device, const VkPhysicalDeviceSurfaceInfo2KHR *info,
    VkSurfaceCapabilities2KHR *caps);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceCapabilities2EXT(
    VkPhysicalDevice device, VkSurfaceKHR surface, VkSurfaceCapabilities2EXT *caps);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceFormatsKHR(VkPhysicalDevice device,
                                                                      VkSurfaceKHR surface,
                                                                      uint32_t *count,
                                                                      VkSurfaceFormatKHR *formats);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfaceFormats2KHR(
    VkPhysicalDevice device, const VkPhysicalDeviceSurfaceInfo2KHR *info, uint32_t *count,
    VkSurfaceFormat2KHR *formats);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDeviceSurfacePresentModesKHR(VkPhysicalDevice device,
                                                                           VkSurfaceKHR surface,
                                                                           uint32_t *count,
                                                                           VkPresentModeKHR *modes);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetPhysicalDevicePresentRectanglesKHR(VkPhysicalDevice device,
                                                                         VkSurfaceKHR surface,
                                                                         uint32_t *count,
                                                                         VkRect2D *rects);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetDeviceGroupPresentCapabilitiesKHR(
    VkDevice device, VkDeviceGroupPresentCapabilitiesKHR *caps);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetDeviceGroupSurfacePresentModesKHR(
    VkDevice device, VkSurfaceKHR surface, VkDeviceGroupPresentModeFlagsKHR *modes);

#endif
