/* SPDX-License-Identifier: GPL-2.0-or-later
 * Capture of the driver's own swapchain; see passthrough.h. */
#include "passthrough.h"

#include <stdlib.h>

#include "log.h"
#include "readback.h"

/* More semaphores than any app hands a present; more are passed on uncaptured. */
#define MAX_WAITS 32
/* How long a present waits for its image's last frame to leave the host buffer
 * before it goes on uncaptured. */
#define COPY_WAIT_NS 50000000u

VkResult uis_passthrough_create(uis_device *device, const VkSwapchainCreateInfoKHR *info,
                                const VkAllocationCallbacks *allocator, VkSwapchainKHR *out) {
    VkSwapchainCreateInfoKHR changed = *info;
    VkSurfaceCapabilitiesKHR caps;
    const uis_instance_table *instance = &device->instance->next;
    if (instance->GetPhysicalDeviceSurfaceCapabilitiesKHR &&
        instance->GetPhysicalDeviceSurfaceCapabilitiesKHR(device->physical_device, info->surface,
                                                          &caps) == VK_SUCCESS &&
        (caps.supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_SRC_BIT))
        changed.imageUsage |= VK_IMAGE_USAGE_TRANSFER_SRC_BIT;

    VkResult result = device->next.CreateSwapchainKHR(device->handle, &changed, allocator, out);
    if (result != VK_SUCCESS)
        return result;

    /* From here on nothing fails the app's call: what cannot be recorded is
     * presented uncaptured. */
    uint32_t count = 0;
    VkImage *images = NULL;
    uis_swapchain *swapchain = NULL;
    if (uis_readback_start(device) &&
        device->next.GetSwapchainImagesKHR(device->handle, *out, &count, NULL) == VK_SUCCESS &&
        count && (images = calloc(count, sizeof *images)) &&
        device->next.GetSwapchainImagesKHR(device->handle, *out, &count, images) == VK_SUCCESS)
        swapchain = uis_swapchain_new(device, count);
    if (!swapchain) {
        uis_log(UIS_LOG_ERROR, "cannot record a swapchain of %u images: not captured", count);
        free(images);
        return VK_SUCCESS;
    }
    for (uint32_t i = 0; i < count; i++)
        swapchain->images[i].image = images[i];
    free(images);
    swapchain->handle = *out;
    swapchain->passthrough = true;
    swapchain->fifo = info->presentMode == VK_PRESENT_MODE_FIFO_KHR ||
                      info->presentMode == VK_PRESENT_MODE_FIFO_RELAXED_KHR;
    swapchain->extent = info->imageExtent;
    swapchain->format = info->imageFormat;
    swapchain->usage = changed.imageUsage;
    uis_swapchain_add(swapchain, uis_swapchain_find(device, info->oldSwapchain));
    return VK_SUCCESS;
}

void uis_passthrough_destroy(uis_device *device, VkSwapchainKHR handle,
                             const VkAllocationCallbacks *allocator) {
    uis_swapchain *swapchain = uis_swapchain_find(device, handle);
    if (swapchain)
        uis_swapchain_free(swapchain);
    device->next.DestroySwapchainKHR(device->handle, handle, allocator);
}

VkResult uis_passthrough_acquire(uis_device *device, const VkAcquireNextImageInfoKHR *info,
                                 bool second_form, uint32_t *index) {
    uis_swapchain *swapchain = uis_swapchain_find(device, info->swapchain);
    uint64_t timeout = info->timeout;
    uint64_t deadline = uis_deadline(timeout);
    /* No fallback rate: without a recorder's beat the display paces. */
    if (swapchain && swapchain->fifo) {
        if (!uis_pace_wait(&swapchain->pace, 0, uis_capture_wants(swapchain), deadline))
            return timeout ? VK_TIMEOUT : VK_NOT_READY;
        uint64_t now = uis_now_ns();
        if (deadline != UINT64_MAX)
            timeout = deadline > now ? deadline - now : 0;
    }
    if (!second_form)
        return device->next.AcquireNextImageKHR(device->handle, info->swapchain, timeout,
                                                info->semaphore, info->fence, index);
    VkAcquireNextImageInfoKHR changed = *info;
    changed.timeout = timeout;
    return device->next.AcquireNextImage2KHR(device->handle, &changed, index);
}

/* Submits the copy of the main window's image, waiting on the app's semaphores
 * and signalling image->copied for the driver's present. VK_SUCCESS: submitted;
 * VK_NOT_READY: this present is passed on uncaptured; else what the submit said. */
static VkResult submit_copy(uis_swapchain *swapchain, uis_queue *queue,
                            const VkPresentInfoKHR *info, uint32_t entry, uint64_t now_ns) {
    uis_device *device = swapchain->device;
    uint32_t index = info->pImageIndices[entry];
    if (index >= swapchain->image_count)
        return VK_NOT_READY;
    uis_frame frame = {
        .present_ns = now_ns,
        .width = swapchain->extent.width,
        .height = swapchain->extent.height,
    };
    uis_capture_format(swapchain->format, &frame.swap_red_blue);
    uis_damage_from_present(info, entry, swapchain->extent, &frame.damage);
    uis_capture_count(&frame);

    uis_image *image = &swapchain->images[index];
    /* The driver returned the image while the worker still copies its last
     * frame: it is a whole swapchain behind. */
    bool idle = queue && info->waitSemaphoreCount <= MAX_WAITS &&
                uis_swapchain_wait_image(swapchain, index, COPY_WAIT_NS);
    if (idle)
        image->frame = frame;
    if (!idle || !uis_readback_prepare(swapchain, image, queue->family)) {
        uis_capture_lost();
        return VK_NOT_READY;
    }
    image->capture = true;
    VkPipelineStageFlags stages[MAX_WAITS];
    for (uint32_t i = 0; i < info->waitSemaphoreCount; i++)
        stages[i] = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = info->waitSemaphoreCount,
        .pWaitSemaphores = info->pWaitSemaphores,
        .pWaitDstStageMask = stages,
        .commandBufferCount = 1,
        .pCommandBuffers = &image->copy,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &image->copied,
    };
    VkResult result = device->next.ResetFences(device->handle, 1, &image->fence);
    if (result == VK_SUCCESS)
        result = uis_queue_submit(device, queue, &submit, image->fence);
    if (result != VK_SUCCESS) {
        uis_readback_cancel(image);
        uis_capture_lost();
        uis_capture_fail("submitting the copy failed (VkResult %d)", result);
        return result;
    }
    uis_readback_push(swapchain, index);
    return VK_SUCCESS;
}

VkResult uis_passthrough_present(uis_device *device, VkQueue handle, const VkPresentInfoKHR *info) {
    uint64_t now_ns = uis_now_ns();
    uis_queue *queue = uis_queue_find(device, handle);
    VkPresentInfoKHR changed = *info;
    VkSemaphore copied;
    /* The main window is one swapchain, so at most one copy a present. */
    for (uint32_t i = 0; i < info->swapchainCount; i++) {
        uis_swapchain *swapchain = uis_swapchain_find(device, info->pSwapchains[i]);
        if (!swapchain)
            continue;
        uis_capture_offer(swapchain, swapchain->extent, device->properties.deviceName, true);
        if (!uis_capture_wants(swapchain))
            continue;
        VkResult result = submit_copy(swapchain, queue, info, i, now_ns);
        if (result == VK_SUCCESS) {
            copied = swapchain->images[info->pImageIndices[i]].copied;
            changed.waitSemaphoreCount = 1;
            changed.pWaitSemaphores = &copied;
        }
        break;
    }
    /* The driver did not enable what the layer took out of the device's
     * extensions. Chrome chains only this one structure; deeper in a chain it
     * stays, and the driver skips what it does not know. */
    const VkBaseInStructure *first = changed.pNext;
    if (!device->driver_takes_regions && first &&
        first->sType == VK_STRUCTURE_TYPE_PRESENT_REGIONS_KHR)
        changed.pNext = first->pNext;

    if (queue)
        pthread_mutex_lock(&queue->lock);
    VkResult result = device->next.QueuePresentKHR(handle, &changed);
    if (queue)
        pthread_mutex_unlock(&queue->lock);
    return result;
}
