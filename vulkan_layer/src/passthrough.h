/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * UIS_WSI=passthrough: the driver's own swapchain, for someone who wants to
 * watch the window. Presented images are copied on the way to the driver's
 * present, which then waits for the copy's semaphore on the GPU. The CPU waits
 * only when the worker is a whole swapchain behind, and not for long. The entry points in
 * swapchain.c hand over to these.
 */
#ifndef UIS_PASSTHROUGH_H
#define UIS_PASSTHROUGH_H

#include "swapchain.h"

VkResult uis_passthrough_create(uis_device *device, const VkSwapchainCreateInfoKHR *info,
                                const VkAllocationCallbacks *allocator, VkSwapchainKHR *out);
void uis_passthrough_destroy(uis_device *device, VkSwapchainKHR handle,
                             const VkAllocationCallbacks *allocator);
VkResult uis_passthrough_acquire(uis_device *device, const VkAcquireNextImageInfoKHR *info,
                                 bool second_form, uint32_t *index);
VkResult uis_passthrough_present(uis_device *device, VkQueue queue, const VkPresentInfoKHR *info);

#endif
