/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtual swapchain, and what both modes share; see swapchain.h. */
#define _GNU_SOURCE
#include "swapchain.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "passthrough.h"
#include "present_cost.h"
#include "readback.h"
#include "zero_copy.h"

#define MIN_IMAGES 3
#define MAX_IMAGES 64
/* How long a destroy waits for presents in flight before it leaves their Vulkan
 * objects behind: a leak is better than freeing what the GPU writes to. */
#define DESTROY_WAIT_NS 5000000000u

uis_swapchain *uis_swapchain_find(uis_device *device, VkSwapchainKHR handle) {
    if (!handle)
        return NULL;
    pthread_mutex_lock(&device->lock);
    uis_swapchain *found = device->swapchains;
    while (found && found->handle != handle)
        found = found->next_swapchain;
    pthread_mutex_unlock(&device->lock);
    return found;
}

static void free_record(uis_swapchain *swapchain) {
    pthread_cond_destroy(&swapchain->changed);
    pthread_mutex_destroy(&swapchain->lock);
    free(swapchain->images);
    free(swapchain);
}

static void free_vulkan_objects(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    uis_readback_release(swapchain);
    uis_zero_copy_release(swapchain);
    uis_capture_costs();
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        uis_image *image = &swapchain->images[i];
        if (image->fence)
            device->next.DestroyFence(device->handle, image->fence, NULL);
        if (swapchain->passthrough)
            continue;
        if (image->image)
            device->next.DestroyImage(device->handle, image->image, NULL);
        if (image->memory)
            device->next.FreeMemory(device->handle, image->memory, NULL);
    }
}

uis_swapchain *uis_swapchain_new(uis_device *device, uint32_t image_count) {
    uis_swapchain *swapchain = calloc(1, sizeof *swapchain);
    uis_image *images = calloc(image_count, sizeof *images);
    if (!swapchain || !images) {
        free(swapchain);
        free(images);
        return NULL;
    }
    swapchain->device = device;
    swapchain->images = images;
    swapchain->image_count = image_count;
    pthread_mutex_init(&swapchain->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&swapchain->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    for (uint32_t i = 0; i < image_count; i++) {
        if (device->next.CreateFence(device->handle, &info, NULL, &images[i].fence) != VK_SUCCESS) {
            images[i].fence = VK_NULL_HANDLE;
            free_vulkan_objects(swapchain);
            free_record(swapchain);
            return NULL;
        }
    }
    return swapchain;
}

static void retire(uis_swapchain *swapchain) {
    pthread_mutex_lock(&swapchain->lock);
    swapchain->retired = true;
    pthread_cond_broadcast(&swapchain->changed);
    pthread_mutex_unlock(&swapchain->lock);
}

void uis_swapchain_add(uis_swapchain *swapchain, uis_swapchain *old) {
    uis_device *device = swapchain->device;
    pthread_mutex_lock(&device->lock);
    swapchain->next_swapchain = device->swapchains;
    device->swapchains = swapchain;
    pthread_mutex_unlock(&device->lock);
    uis_capture_claim(swapchain, old, swapchain->extent, device->properties.deviceName,
                      swapchain->passthrough);
    if (uis_capture_wants(swapchain))
        uis_zero_copy_prepare(swapchain);
    uis_log(UIS_LOG_DEBUG, "swapchain %p: %ux%u, format %d, %u images%s", (void *)swapchain,
            swapchain->extent.width, swapchain->extent.height, swapchain->format,
            swapchain->image_count, swapchain->fifo ? ", FIFO" : "");
}

/* Waits for `changed` until deadline_ns (UINT64_MAX: for ever). False: passed. */
static bool wait_changed(uis_swapchain *swapchain, uint64_t deadline_ns) {
    if (deadline_ns == UINT64_MAX)
        return pthread_cond_wait(&swapchain->changed, &swapchain->lock) == 0;
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                          .tv_nsec = (long)(deadline_ns % 1000000000u)};
    return pthread_cond_timedwait(&swapchain->changed, &swapchain->lock, &ts) == 0;
}

/* True when no present is in flight any more. */
static bool wait_jobs(uis_swapchain *swapchain, uint64_t timeout_ns) {
    uint64_t deadline = uis_deadline(timeout_ns);
    pthread_mutex_lock(&swapchain->lock);
    while (swapchain->jobs && wait_changed(swapchain, deadline))
        ;
    bool idle = swapchain->jobs == 0;
    pthread_mutex_unlock(&swapchain->lock);
    return idle;
}

bool uis_swapchain_wait_image(uis_swapchain *swapchain, uint32_t index, uint64_t timeout_ns) {
    uint64_t deadline = uis_deadline(timeout_ns);
    pthread_mutex_lock(&swapchain->lock);
    while (swapchain->images[index].job && wait_changed(swapchain, deadline))
        ;
    bool idle = !swapchain->images[index].job;
    pthread_mutex_unlock(&swapchain->lock);
    return idle;
}

/* True if an image is the app's, by an acquire with SEMAPHORE where that is given. */
static bool has_acquired(uis_swapchain *swapchain, VkSemaphore semaphore) {
    bool found = false;
    pthread_mutex_lock(&swapchain->lock);
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        const uis_image *image = &swapchain->images[i];
        found |=
            image->state == UIS_IMAGE_ACQUIRED && (!semaphore || image->acquired_with == semaphore);
    }
    pthread_mutex_unlock(&swapchain->lock);
    return found;
}

/* Until no acquire so far has anything pending. What they signal is a batch here, of which nothing
 * tells the end before its image is presented. */
static void wait_acquires(uis_device *device) {
    uis_queue *queue = uis_queue_any(device);
    if (queue)
        uis_queue_wait(device, queue, DESTROY_WAIT_NS);
}

void uis_swapchain_free(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    pthread_mutex_lock(&device->lock);
    uis_swapchain **link = &device->swapchains;
    while (*link && *link != swapchain)
        link = &(*link)->next_swapchain;
    if (*link)
        *link = swapchain->next_swapchain;
    pthread_mutex_unlock(&device->lock);

    if (has_acquired(swapchain, VK_NULL_HANDLE))
        wait_acquires(device);
    bool idle = wait_jobs(swapchain, DESTROY_WAIT_NS);
    uis_capture_release(swapchain);
    if (!idle) {
        uis_log(UIS_LOG_ERROR, "a swapchain was destroyed with presents that never finished; "
                               "its GPU memory is left behind");
        pthread_mutex_lock(&swapchain->lock);
        swapchain->abandoned = true;
        pthread_mutex_unlock(&swapchain->lock);
        if (!wait_jobs(swapchain, DESTROY_WAIT_NS))
            return; /* the worker is stuck in the driver and still holds the record */
    } else {
        free_vulkan_objects(swapchain);
    }
    free_record(swapchain);
}

void uis_swapchains_free(uis_device *device) {
    while (device->swapchains) {
        uis_swapchain *swapchain = device->swapchains;
        if (swapchain->passthrough)
            uis_passthrough_destroy(device, swapchain->handle, NULL);
        else
            uis_swapchain_free(swapchain);
    }
}

/* --- the virtual swapchain --- */

/* What the image's memory has to be, and whether the driver wants it for the image alone. */
static bool memory_needs(const uis_device *device, VkImage image, VkMemoryRequirements *needs) {
    if (!device->core_1_1) {
        device->next.GetImageMemoryRequirements(device->handle, image, needs);
        return false;
    }
    VkMemoryDedicatedRequirements dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
    };
    VkMemoryRequirements2 all = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
        .pNext = &dedicated,
    };
    const VkImageMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
        .image = image,
    };
    device->next.GetImageMemoryRequirements2(device->handle, &info, &all);
    *needs = all.memoryRequirements;
    return dedicated.requiresDedicatedAllocation || dedicated.prefersDedicatedAllocation;
}

static VkResult make_image(uis_swapchain *swapchain, const VkImageCreateInfo *info, bool exported,
                           uis_image *image) {
    uis_device *device = swapchain->device;
    VkResult result = device->next.CreateImage(device->handle, info, NULL, &image->image);
    if (result != VK_SUCCESS) {
        image->image = VK_NULL_HANDLE;
        return result;
    }
    VkMemoryRequirements needs;
    bool alone = memory_needs(device, image->image, &needs);
    uint32_t type =
        uis_memory_type(device, needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    if (type == UINT32_MAX)
        type = uis_memory_type(device, needs.memoryTypeBits, 0);
    if (type == UINT32_MAX)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .pNext = exported ? &export : NULL,
        .image = image->image,
    };
    const void *chain = exported ? &export : NULL;
    const VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = alone ? &dedicated : chain,
        .allocationSize = needs.size,
        .memoryTypeIndex = type,
    };
    result = device->next.AllocateMemory(device->handle, &allocate, NULL, &image->memory);
    if (result != VK_SUCCESS) {
        image->memory = VK_NULL_HANDLE;
        return result;
    }
    result = device->next.BindImageMemory(device->handle, image->image, image->memory, 0);
    if (result == VK_SUCCESS && exported)
        result = uis_zero_copy_export(swapchain, image, needs.size, alone);
    return result;
}

static void drop_images(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    uis_zero_copy_release(swapchain);
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        uis_image *image = &swapchain->images[i];
        if (image->image)
            device->next.DestroyImage(device->handle, image->image, NULL);
        if (image->memory)
            device->next.FreeMemory(device->handle, image->memory, NULL);
        image->image = VK_NULL_HANDLE;
        image->memory = VK_NULL_HANDLE;
    }
}

/* Images that CUDA can import, where zero-copy is on. A failure is none of the app's: it gets
 * plain ones then. */
static bool make_exported(uis_swapchain *swapchain, const VkImageCreateInfo *info) {
    char *why = swapchain->no_export;
    if (!swapchain->device->cuda ||
        !uis_zero_copy_can_export(swapchain->device, info, why, sizeof swapchain->no_export))
        return false;
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .pNext = info->pNext,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    VkImageCreateInfo changed = *info;
    changed.pNext = &external;
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < swapchain->image_count && result == VK_SUCCESS; i++)
        result = make_image(swapchain, &changed, true, &swapchain->images[i]);
    if (result == VK_SUCCESS)
        return true;
    snprintf(why, sizeof swapchain->no_export, "making an exportable image failed (VkResult %d)",
             result);
    drop_images(swapchain);
    return false;
}

static VkResult make_images(uis_swapchain *swapchain, const VkSwapchainCreateInfoKHR *info) {
    VkImageCreateInfo image = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = info->imageFormat,
        .extent = {info->imageExtent.width, info->imageExtent.height, 1},
        .mipLevels = 1,
        .arrayLayers = info->imageArrayLayers ? info->imageArrayLayers : 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = swapchain->usage,
        .sharingMode = info->imageSharingMode,
        .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
    };
    if (info->imageSharingMode == VK_SHARING_MODE_CONCURRENT) {
        image.queueFamilyIndexCount = info->queueFamilyIndexCount;
        image.pQueueFamilyIndices = info->pQueueFamilyIndices;
    }
    if (info->flags & VK_SWAPCHAIN_CREATE_MUTABLE_FORMAT_BIT_KHR)
        image.flags |= VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_EXTENDED_USAGE_BIT;
    /* Of what may hang on the swapchain's chain only the view formats concern
     * its images. */
    VkImageFormatListCreateInfo formats;
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO) {
            formats = *(const VkImageFormatListCreateInfo *)s;
            formats.pNext = NULL;
            image.pNext = &formats;
        }
    }
    if (make_exported(swapchain, &image))
        return VK_SUCCESS;
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        VkResult result = make_image(swapchain, &image, false, &swapchain->images[i]);
        if (result != VK_SUCCESS)
            return result;
    }
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_CreateSwapchainKHR(VkDevice handle,
                                                      const VkSwapchainCreateInfoKHR *info,
                                                      const VkAllocationCallbacks *allocator,
                                                      VkSwapchainKHR *out) {
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return uis_passthrough_create(device, info, allocator, out);

    /* The old swapchain is retired even if making the new one fails. */
    uis_swapchain *old = uis_swapchain_find(device, info->oldSwapchain);
    if (old)
        retire(old);
    if (info->flags & VK_SWAPCHAIN_CREATE_PROTECTED_BIT_KHR) {
        uis_log(UIS_LOG_ERROR, "a protected swapchain was asked for, which is not supported");
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    if (!uis_readback_start(device))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t count = info->minImageCount < MIN_IMAGES ? MIN_IMAGES : info->minImageCount;
    if (count > MAX_IMAGES)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    uis_swapchain *swapchain = uis_swapchain_new(device, count);
    if (!swapchain)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    swapchain->handle = (VkSwapchainKHR)(uintptr_t)swapchain;
    swapchain->fifo = info->presentMode == VK_PRESENT_MODE_FIFO_KHR ||
                      info->presentMode == VK_PRESENT_MODE_FIFO_RELAXED_KHR;
    swapchain->extent = info->imageExtent;
    swapchain->format = info->imageFormat;
    swapchain->usage = info->imageUsage | VK_IMAGE_USAGE_TRANSFER_SRC_BIT;
    VkResult result = make_images(swapchain, info);
    if (result != VK_SUCCESS) {
        uis_log(UIS_LOG_ERROR, "cannot make %u images of %ux%u (VkResult %d)", count,
                info->imageExtent.width, info->imageExtent.height, result);
        free_vulkan_objects(swapchain);
        free_record(swapchain);
        return result;
    }
    if (old) /* a resize keeps the beat */
        swapchain->pace = old->pace;
    uis_swapchain_add(swapchain, old);
    *out = swapchain->handle;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL uis_DestroySwapchainKHR(VkDevice handle, VkSwapchainKHR chain,
                                                   const VkAllocationCallbacks *allocator) {
    uis_device *device = uis_device_find(handle);
    if (!chain)
        return;
    if (device->instance->passthrough) {
        uis_passthrough_destroy(device, chain, allocator);
        return;
    }
    uis_swapchain *swapchain = uis_swapchain_find(device, chain);
    if (swapchain)
        uis_swapchain_free(swapchain);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_GetSwapchainImagesKHR(VkDevice handle, VkSwapchainKHR chain,
                                                         uint32_t *count, VkImage *images) {
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return device->next.GetSwapchainImagesKHR(handle, chain, count, images);
    uis_swapchain *swapchain = uis_swapchain_find(device, chain);
    if (!swapchain)
        return VK_ERROR_INITIALIZATION_FAILED;
    if (!images) {
        *count = swapchain->image_count;
        return VK_SUCCESS;
    }
    if (*count > swapchain->image_count)
        *count = swapchain->image_count;
    for (uint32_t i = 0; i < *count; i++)
        images[i] = swapchain->images[i].image;
    return *count < swapchain->image_count ? VK_INCOMPLETE : VK_SUCCESS;
}

/* The free image presented longest ago, so that indices rotate. Call locked. */
static uis_image *oldest_free(uis_swapchain *swapchain) {
    uis_image *best = NULL;
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        uis_image *image = &swapchain->images[i];
        if (image->state == UIS_IMAGE_FREE && (!best || image->last_present < best->last_present))
            best = image;
    }
    return best;
}

static VkResult take_image(uis_swapchain *swapchain, uint64_t timeout, uint64_t deadline,
                           VkSemaphore semaphore, uis_image **out) {
    VkResult result = VK_SUCCESS;
    pthread_mutex_lock(&swapchain->lock);
    for (;;) {
        if (swapchain->status != VK_SUCCESS)
            result = swapchain->status;
        else if (swapchain->retired)
            result = VK_ERROR_OUT_OF_DATE_KHR;
        if (result != VK_SUCCESS)
            break;
        *out = oldest_free(swapchain);
        if (*out) {
            (*out)->state = UIS_IMAGE_ACQUIRED;
            (*out)->acquired_with = semaphore;
            break;
        }
        if (uis_now_ns() >= deadline || timeout == 0) {
            result = timeout ? VK_TIMEOUT : VK_NOT_READY;
            break;
        }
        (void)wait_changed(swapchain, deadline);
    }
    pthread_mutex_unlock(&swapchain->lock);
    return result;
}

static VkResult acquire(uis_device *device, const VkAcquireNextImageInfoKHR *info,
                        uint32_t *index) {
    uis_swapchain *swapchain = uis_swapchain_find(device, info->swapchain);
    if (!swapchain)
        return VK_ERROR_OUT_OF_DATE_KHR;
    uint64_t deadline = uis_deadline(info->timeout);
    if (swapchain->fifo && !uis_pace_wait(&swapchain->pace, device->instance->pace_period_ns,
                                          uis_capture_wants(swapchain), deadline))
        return info->timeout ? VK_TIMEOUT : VK_NOT_READY;
    uis_image *image;
    VkResult result = take_image(swapchain, info->timeout, deadline, info->semaphore, &image);
    if (result != VK_SUCCESS)
        return result;

    /* The image is free only after its last present's fence, so its semaphore
     * and fence can signal on any queue. */
    uis_queue *queue = uis_queue_any(device);
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &info->semaphore,
    };
    result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (queue)
        result = uis_queue_submit(device, queue, info->semaphore ? &submit : NULL, info->fence);
    if (result != VK_SUCCESS) {
        uis_log(UIS_LOG_ERROR, "signalling an acquired image failed (VkResult %d)", result);
        pthread_mutex_lock(&swapchain->lock);
        image->state = UIS_IMAGE_FREE;
        pthread_mutex_unlock(&swapchain->lock);
        return result;
    }
    *index = (uint32_t)(image - swapchain->images);
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_AcquireNextImageKHR(VkDevice handle, VkSwapchainKHR swapchain,
                                                       uint64_t timeout, VkSemaphore semaphore,
                                                       VkFence fence, uint32_t *index) {
    uis_device *device = uis_device_find(handle);
    const VkAcquireNextImageInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_ACQUIRE_NEXT_IMAGE_INFO_KHR,
        .swapchain = swapchain,
        .timeout = timeout,
        .semaphore = semaphore,
        .fence = fence,
        .deviceMask = 1,
    };
    if (device->instance->passthrough)
        return uis_passthrough_acquire(device, &info, false, index);
    return acquire(device, &info, index);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_AcquireNextImage2KHR(VkDevice handle,
                                                        const VkAcquireNextImageInfoKHR *info,
                                                        uint32_t *index) {
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return uis_passthrough_acquire(device, info, true, index);
    return acquire(device, info, index);
}

/* Submits one swapchain's present: waits on the semaphores, copies the image if
 * the recorder wants it, signals the image's fence and, for zero-copy, its semaphore. */
static VkResult submit_present(uis_swapchain *swapchain, uis_queue *queue, uis_image *image,
                               uint32_t wait_count, const VkSemaphore *waits) {
    enum { FEW = 16 };
    uis_device *device = swapchain->device;
    VkPipelineStageFlags few[FEW];
    VkPipelineStageFlags *stages = few;
    if (wait_count > FEW && !(stages = calloc(wait_count, sizeof *stages)))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < wait_count; i++)
        stages[i] =
            image->capture ? VK_PIPELINE_STAGE_TRANSFER_BIT : VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkSemaphore done = VK_NULL_HANDLE;
    uint64_t value = 0;
    if (image->on_device)
        done = uis_zero_copy_signal(image, &value);
    const VkTimelineSemaphoreSubmitInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .signalSemaphoreValueCount = 1,
        .pSignalSemaphoreValues = &value,
    };
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext = image->on_device ? &timeline : NULL,
        .waitSemaphoreCount = wait_count,
        .pWaitSemaphores = waits,
        .pWaitDstStageMask = stages,
        .commandBufferCount = image->capture ? 1 : 0,
        .pCommandBuffers = &image->copy,
        .signalSemaphoreCount = image->on_device ? 1 : 0,
        .pSignalSemaphores = &done,
    };
    VkResult result = device->next.ResetFences(device->handle, 1, &image->fence);
    if (result == VK_SUCCESS)
        result = uis_queue_submit(device, queue, &submit, image->fence);
    if (stages != few)
        free(stages);
    return result;
}

static VkResult present_one(uis_swapchain *swapchain, uis_queue *queue,
                            const VkPresentInfoKHR *info, uint32_t entry, bool wait,
                            uint64_t now_ns) {
    uint32_t index = info->pImageIndices[entry];
    pthread_mutex_lock(&swapchain->lock);
    VkResult status = swapchain->status;
    bool retired = swapchain->retired;
    bool owned =
        index < swapchain->image_count && swapchain->images[index].state == UIS_IMAGE_ACQUIRED;
    if (owned) {
        swapchain->images[index].state = UIS_IMAGE_PRESENTED;
        swapchain->images[index].last_present = ++swapchain->presents;
    }
    pthread_mutex_unlock(&swapchain->lock);
    if (!owned) {
        uis_log(UIS_LOG_ERROR, "image %u was presented without being acquired", index);
        return status != VK_SUCCESS ? status : VK_ERROR_OUT_OF_DATE_KHR;
    }

    uis_image *image = &swapchain->images[index];
    image->capture = false;
    image->on_device = false;
    if (!retired)
        uis_capture_offer(swapchain, swapchain->extent, swapchain->device->properties.deviceName,
                          false);
    bool counted = uis_capture_wants(swapchain);
    if (counted) {
        image->frame = (uis_frame){
            .present_ns = now_ns,
            .width = swapchain->extent.width,
            .height = swapchain->extent.height,
        };
        uis_capture_format(swapchain->format, &image->frame.swap_red_blue);
        uis_damage_from_present(info, entry, swapchain->extent, &image->frame.damage);
        uis_capture_count(&image->frame);
        uis_zero_copy_prepare(swapchain);
        image->on_device = uis_zero_copy_wants(swapchain);
        /* Pixels for the CPU only where somebody asks for them. */
        if (!uis_zero_copy_alone(swapchain, image)) {
            image->capture = uis_readback_prepare(swapchain, image, queue->family);
            if (!image->capture)
                uis_capture_lost();
        }
    }
    VkResult result = submit_present(swapchain, queue, image, wait ? info->waitSemaphoreCount : 0,
                                     info->pWaitSemaphores);
    if (result != VK_SUCCESS) {
        if (image->capture) {
            uis_readback_cancel(image);
            uis_capture_lost();
            uis_capture_fail("submitting the copy failed (VkResult %d)", result);
        }
        if (image->on_device) {
            uis_capture_device_count(UIS_DEVICE_LOST, 1);
            if (uis_zero_copy_alone(swapchain, image))
                uis_capture_lost();
        }
        pthread_mutex_lock(&swapchain->lock);
        image->state = UIS_IMAGE_ACQUIRED;
        if (result == VK_ERROR_DEVICE_LOST)
            swapchain->status = result;
        pthread_mutex_unlock(&swapchain->lock);
        return result;
    }
    uis_readback_push(swapchain, index);
    if (counted)
        uis_cost_add(UIS_COST_PRESENT, uis_now_ns() - now_ns);
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueuePresentKHR(VkQueue handle, const VkPresentInfoKHR *info) {
    uint64_t now_ns = uis_now_ns();
    uis_device *device = uis_device_find(handle);
    if (device->instance->passthrough)
        return uis_passthrough_present(device, handle, info);
    uis_queue *queue = uis_queue_find(device, handle);
    if (!queue) {
        uis_log(UIS_LOG_ERROR, "a present came on a queue that was never handed out");
        return VK_ERROR_DEVICE_LOST;
    }
    VkResult overall = VK_SUCCESS;
    bool waited = info->waitSemaphoreCount == 0;
    for (uint32_t i = 0; i < info->swapchainCount; i++) {
        uis_swapchain *swapchain = uis_swapchain_find(device, info->pSwapchains[i]);
        VkResult result = VK_ERROR_OUT_OF_DATE_KHR;
        if (swapchain)
            /* The first submit waits on the semaphores; later ones on the same
             * queue come after that wait (Vulkan 7.4.2, semaphore waiting). */
            result = present_one(swapchain, queue, info, i, !waited, now_ns);
        if (result == VK_SUCCESS)
            waited = true;
        else if (overall == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST)
            overall = result;
        if (info->pResults)
            info->pResults[i] = result;
    }
    /* Nothing was presented: the app may signal its semaphores again all the same. */
    for (uint32_t i = 0; !waited && i < info->waitSemaphoreCount; i++) {
        const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
        const VkSubmitInfo submit = {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &info->pWaitSemaphores[i],
            .pWaitDstStageMask = &stage,
        };
        VkResult result = uis_queue_submit(device, queue, &submit, VK_NULL_HANDLE);
        if (result != VK_SUCCESS) {
            uis_log(UIS_LOG_ERROR, "consuming a present's semaphores failed (VkResult %d)", result);
            break;
        }
    }
    return overall;
}

/* An app may destroy the semaphore of an acquire that it never waited for, as Chrome does when a
 * window goes: to it that is no batch of a queue. */
VKAPI_ATTR void VKAPI_CALL uis_DestroySemaphore(VkDevice handle, VkSemaphore semaphore,
                                                const VkAllocationCallbacks *allocator) {
    uis_device *device = uis_device_find(handle);
    bool signalled_here = false;
    pthread_mutex_lock(&device->lock);
    for (uis_swapchain *s = device->swapchains; s && semaphore; s = s->next_swapchain)
        signalled_here |= has_acquired(s, semaphore);
    pthread_mutex_unlock(&device->lock);
    if (signalled_here)
        wait_acquires(device);
    device->next.DestroySemaphore(handle, semaphore, allocator);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_CreateImage(VkDevice handle, const VkImageCreateInfo *info,
                                               const VkAllocationCallbacks *allocator,
                                               VkImage *image) {
    uis_device *device = uis_device_find(handle);
    if (!device->instance->passthrough) {
        for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
            if (s->sType == VK_STRUCTURE_TYPE_IMAGE_SWAPCHAIN_CREATE_INFO_KHR &&
                ((const VkImageSwapchainCreateInfoKHR *)s)->swapchain) {
                uis_log(UIS_LOG_ERROR, "images that alias a virtual swapchain's memory "
                                       "(VkImageSwapchainCreateInfoKHR) are not supported");
                return VK_ERROR_OUT_OF_DEVICE_MEMORY;
            }
        }
    }
    return device->next.CreateImage(handle, info, allocator, image);
}

/* The driver does not know virtual swapchains: their names stay here. */
VKAPI_ATTR VkResult VKAPI_CALL
uis_SetDebugUtilsObjectNameEXT(VkDevice handle, const VkDebugUtilsObjectNameInfoEXT *info) {
    uis_device *device = uis_device_find(handle);
    if (!device->instance->passthrough && info->objectType == VK_OBJECT_TYPE_SWAPCHAIN_KHR)
        return VK_SUCCESS;
    return device->next.SetDebugUtilsObjectNameEXT(handle, info);
}

VKAPI_ATTR VkResult VKAPI_CALL
uis_SetDebugUtilsObjectTagEXT(VkDevice handle, const VkDebugUtilsObjectTagInfoEXT *info) {
    uis_device *device = uis_device_find(handle);
    if (!device->instance->passthrough && info->objectType == VK_OBJECT_TYPE_SWAPCHAIN_KHR)
        return VK_SUCCESS;
    return device->next.SetDebugUtilsObjectTagEXT(handle, info);
}
