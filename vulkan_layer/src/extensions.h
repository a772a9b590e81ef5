/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which device extensions the app sees and which the driver gets.
 * VK_KHR_incremental_present is always offered, since it carries the damage
 * rectangles; in virtual mode what the layer does not answer about swapchains
 * is hidden. Lists are malloc'ed, the caller frees them. No state.
 */
#ifndef UIS_EXTENSIONS_H
#define UIS_EXTENSIONS_H

#include "dispatch.h"

/* The driver's list as the app sees it. `adds_regions`, if not NULL: the driver
 * itself lacks incremental present. */
VkResult uis_extensions_list(uis_instance *instance, VkPhysicalDevice device, uint32_t *count,
                             VkExtensionProperties **out, bool *adds_regions);

/* Intercepted entry point. */
VKAPI_ATTR VkResult VKAPI_CALL uis_EnumerateDeviceExtensionProperties(VkPhysicalDevice device,
                                                                      const char *layer,
                                                                      uint32_t *count,
                                                                      VkExtensionProperties *out);

#endif
