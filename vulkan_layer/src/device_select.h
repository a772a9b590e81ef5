/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which of a host's GPUs the app sees. UIS_DEVICE names one: its number in the driver's order
 * (0 is the first), its UUID (as nvidia-smi and vulkaninfo print it) or a part of its name.
 * Everything else is hidden in vkEnumeratePhysicalDevices and its groups, so that all parts of
 * a browser, which choose each by rules of their own, take the same GPU. Without the variable
 * nothing changes. No match is an error that lists what there is (log and frame ring).
 */
#ifndef UIS_DEVICE_SELECT_H
#define UIS_DEVICE_SELECT_H

#include "dispatch.h"

/* True when DEVICE, the one of number `index`, is what `wanted` names. Pure. */
bool uis_device_matches(const char *wanted, uint32_t index, const char *name,
                        const uint8_t uuid[VK_UUID_SIZE]);

/* Intercepted entry points. */
VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDevices(VkInstance instance, uint32_t *count,
                                                            VkPhysicalDevice *devices);
VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDeviceGroups(
    VkInstance instance, uint32_t *count, VkPhysicalDeviceGroupProperties *groups);
VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDeviceGroupsKHR(
    VkInstance instance, uint32_t *count, VkPhysicalDeviceGroupProperties *groups);

#endif
