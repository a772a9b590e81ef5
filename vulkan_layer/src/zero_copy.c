/* SPDX-License-Identifier: GPL-2.0-or-later
 * Images exported to CUDA and copied there; see zero_copy.h. */
#define _GNU_SOURCE
#include "zero_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ffnvcodec/dynlink_loader.h>

#include "log.h"
#include "present_cost.h"

#define MEMORY_TYPE VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT
#define SEMAPHORE_TYPE VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT
/* From cuda.h; ffnvcodec's header leaves them out. */
#define EXTERNAL_MEMORY_DEDICATED 0x1u
#define ARRAY_COLOR_ATTACHMENT 0x20u

struct uis_exported {
    VkSemaphore done; /* timeline */
    uint64_t value;   /* the last one that a present was to signal */
    VkDeviceSize size;
    bool dedicated;
    CUexternalMemory memory;
    CUmipmappedArray levels;
    CUarray array; /* level 0, owned by levels */
    CUexternalSemaphore semaphore;
    uis_device_frame frame; /* of the copy in flight */
};

typedef enum uis_fault {
    FAULT_NONE,
    FAULT_NO_WAIT,
    FAULT_BYTE,
} uis_fault;

static uis_fault fault(void) {
    const char *word = getenv("UIS_CAPTURE_FAULT");
    if (word && strcmp(word, "no-wait") == 0)
        return FAULT_NO_WAIT;
    return word && strcmp(word, "byte") == 0 ? FAULT_BYTE : FAULT_NONE;
}

bool uis_zero_copy_can_export(uis_device *device, const VkImageCreateInfo *info, char *why,
                              size_t why_size) {
    const uis_instance_table *instance = &device->instance->next;
    VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = info->pNext, /* the view formats, if any */
        .handleType = MEMORY_TYPE,
    };
    const VkPhysicalDeviceImageFormatInfo2 format = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = info->format,
        .type = info->imageType,
        .tiling = info->tiling,
        .usage = info->usage,
        .flags = info->flags,
    };
    VkExternalImageFormatProperties memory = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
    };
    VkImageFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &memory,
    };
    VkResult result = instance->GetPhysicalDeviceImageFormatProperties2(device->physical_device,
                                                                        &format, &properties);
    if (result == VK_SUCCESS && (memory.externalMemoryProperties.externalMemoryFeatures &
                                 VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT)) {
        VkSemaphoreTypeCreateInfo timeline = {
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
        };
        const VkPhysicalDeviceExternalSemaphoreInfo asked = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
            .pNext = &timeline,
            .handleType = SEMAPHORE_TYPE,
        };
        VkExternalSemaphoreProperties semaphore = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES,
        };
        instance->GetPhysicalDeviceExternalSemaphoreProperties(device->physical_device, &asked,
                                                               &semaphore);
        if (semaphore.externalSemaphoreFeatures & VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT)
            return true;
        snprintf(why, why_size, "the driver exports no timeline semaphores");
        return false;
    }
    snprintf(why, why_size, "the driver exports no images of VkFormat %d, usage 0x%x (VkResult %d)",
             info->format, info->usage, result);
    return false;
}

VkResult uis_zero_copy_export(uis_swapchain *swapchain, uis_image *image, VkDeviceSize size,
                              bool dedicated) {
    uis_device *device = swapchain->device;
    struct uis_exported *exported = calloc(1, sizeof *exported);
    if (!exported)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkExportSemaphoreCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO,
        .handleTypes = SEMAPHORE_TYPE,
    };
    const VkSemaphoreTypeCreateInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
        .pNext = &external,
        .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
    };
    const VkSemaphoreCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
        .pNext = &timeline,
    };
    VkResult result = device->next.CreateSemaphore(device->handle, &info, NULL, &exported->done);
    if (result != VK_SUCCESS) {
        free(exported);
        return result;
    }
    exported->size = size;
    exported->dedicated = dedicated;
    image->exported = exported;
    return VK_SUCCESS;
}

static CUresult import_memory(const uis_swapchain *swapchain, const uis_image *image,
                              const char **what) {
    uis_device *device = swapchain->device;
    struct uis_exported *exported = image->exported;
    CudaFunctions *f = device->cuda->functions;
    const VkMemoryGetFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
        .memory = image->memory,
        .handleType = MEMORY_TYPE,
    };
    int fd = -1;
    *what = "vkGetMemoryFdKHR";
    if (device->next.GetMemoryFdKHR(device->handle, &info, &fd) != VK_SUCCESS)
        return CUDA_ERROR_UNKNOWN;
    const CUDA_EXTERNAL_MEMORY_HANDLE_DESC handle = {
        .type = CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD,
        .handle.fd = fd,
        .size = exported->size,
        .flags = exported->dedicated ? EXTERNAL_MEMORY_DEDICATED : 0,
    };
    *what = "cuImportExternalMemory";
    CUresult result = f->cuImportExternalMemory(&exported->memory, &handle);
    if (result != CUDA_SUCCESS) {
        exported->memory = NULL;
        close(fd); /* CUDA owns it only once it took it */
        return result;
    }
    const CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC array = {
        .arrayDesc = {.Width = swapchain->extent.width,
                      .Height = swapchain->extent.height,
                      .Format = CU_AD_FORMAT_UNSIGNED_INT8,
                      .NumChannels = 4,
                      .Flags = swapchain->usage & VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT
                                   ? ARRAY_COLOR_ATTACHMENT
                                   : 0},
        .numLevels = 1,
    };
    *what = "cuExternalMemoryGetMappedMipmappedArray";
    result =
        f->cuExternalMemoryGetMappedMipmappedArray(&exported->levels, exported->memory, &array);
    if (result != CUDA_SUCCESS) {
        exported->levels = NULL;
        return result;
    }
    *what = "cuMipmappedArrayGetLevel";
    return f->cuMipmappedArrayGetLevel(&exported->array, exported->levels, 0);
}

static CUresult import_semaphore(const uis_swapchain *swapchain, struct uis_exported *exported,
                                 const char **what) {
    uis_device *device = swapchain->device;
    const VkSemaphoreGetFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
        .semaphore = exported->done,
        .handleType = SEMAPHORE_TYPE,
    };
    int fd = -1;
    *what = "vkGetSemaphoreFdKHR";
    if (device->next.GetSemaphoreFdKHR(device->handle, &info, &fd) != VK_SUCCESS)
        return CUDA_ERROR_UNKNOWN;
    const CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC handle = {
        .type = CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_TIMELINE_SEMAPHORE_FD,
        .handle.fd = fd,
    };
    *what = "cuImportExternalSemaphore";
    CUresult result =
        device->cuda->functions->cuImportExternalSemaphore(&exported->semaphore, &handle);
    if (result != CUDA_SUCCESS) {
        exported->semaphore = NULL;
        close(fd);
    }
    return result;
}

/* Call with the context current. */
static void unimport(uis_swapchain *swapchain) {
    CudaFunctions *f = swapchain->device->cuda->functions;
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        struct uis_exported *exported = swapchain->images[i].exported;
        if (!exported)
            continue;
        if (exported->semaphore)
            (void)f->cuDestroyExternalSemaphore(exported->semaphore);
        if (exported->levels)
            (void)f->cuMipmappedArrayDestroy(exported->levels);
        if (exported->memory)
            (void)f->cuDestroyExternalMemory(exported->memory);
        exported->semaphore = NULL;
        exported->levels = NULL;
        exported->array = NULL;
        exported->memory = NULL;
    }
}

static bool import_images(uis_swapchain *swapchain, char *why, size_t why_size) {
    uis_cuda *cuda = swapchain->device->cuda;
    if (!uis_cuda_push(cuda)) {
        snprintf(why, why_size, "the CUDA context cannot be made current");
        return false;
    }
    CUresult result = CUDA_SUCCESS;
    const char *what = "";
    for (uint32_t i = 0; i < swapchain->image_count && result == CUDA_SUCCESS; i++) {
        result = import_memory(swapchain, &swapchain->images[i], &what);
        if (result == CUDA_SUCCESS)
            result = import_semaphore(swapchain, swapchain->images[i].exported, &what);
    }
    if (result != CUDA_SUCCESS) {
        unimport(swapchain);
        snprintf(why, why_size, "%s failed for an image of %ux%u (%s)", what,
                 swapchain->extent.width, swapchain->extent.height, uis_cuda_error(result));
    }
    uis_cuda_pop(cuda);
    return result == CUDA_SUCCESS;
}

void uis_zero_copy_prepare(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    uint32_t mode = device->instance->capture;
    if (mode == UIS_CAPTURE_HOST || swapchain->import_tried)
        return;
    swapchain->import_tried = true;
    swapchain->fault = fault();
    char why[200] = "";
    bool swap = false;
    if (!device->cuda)
        snprintf(why, sizeof why, "%s", device->no_zero_copy);
    else if (!swapchain->images[0].exported)
        snprintf(why, sizeof why, "%s", swapchain->no_export);
    else if (!uis_capture_format(swapchain->format, &swap) || swap)
        snprintf(why, sizeof why, "images of VkFormat %d are not B,G,R,A", swapchain->format);
    else if (!uis_capture_fits(swapchain->extent.width, swapchain->extent.height))
        snprintf(why, sizeof why, "the window is larger than the ring's view");
    else
        swapchain->on_device = import_images(swapchain, why, sizeof why);
    if (swapchain->on_device) {
        VkExtent2D view = uis_capture_view();
        swapchain->on_device =
            uis_device_frame_open(device->cuda, view.width, view.height, why, sizeof why);
        if (!swapchain->on_device && uis_cuda_push(device->cuda)) {
            unimport(swapchain);
            uis_cuda_pop(device->cuda);
        }
    }
    uis_capture_device_state(swapchain->on_device ? mode : UIS_CAPTURE_HOST, why);
}

VkSemaphore uis_zero_copy_signal(uis_image *image, uint64_t *value) {
    *value = ++image->exported->value;
    return image->exported->done;
}

bool uis_zero_copy_wants(const uis_swapchain *swapchain) {
    return swapchain->on_device && !__atomic_load_n(&swapchain->on_device_failed, __ATOMIC_ACQUIRE);
}

bool uis_zero_copy_alone(const uis_swapchain *swapchain, const uis_image *image) {
    return image->on_device && swapchain->device->instance->capture == UIS_CAPTURE_DEVICE;
}

void uis_zero_copy_abandon(uis_swapchain *swapchain, const char *why) {
    uis_capture_device_count(UIS_DEVICE_LOST, 1);
    __atomic_store_n(&swapchain->on_device_failed, true, __ATOMIC_RELEASE);
    uis_capture_device_state(UIS_CAPTURE_HOST, why);
}

static bool give_up(uis_swapchain *swapchain, const char *what, CUresult result) {
    char why[160];
    snprintf(why, sizeof why, "%s failed (%s)", what, uis_cuda_error(result));
    uis_zero_copy_abandon(swapchain, why);
    return false;
}

bool uis_zero_copy_begin(uis_swapchain *swapchain, uis_image *image) {
    struct uis_exported *exported = image->exported;
    uis_cuda *cuda = swapchain->device->cuda;
    CudaFunctions *f = cuda->functions;
    if (!uis_device_frame_begin(&image->frame, &exported->frame)) {
        uis_capture_device_count(UIS_DEVICE_LOST, 1);
        return false;
    }
    if (!uis_cuda_push(cuda)) {
        uis_device_frame_cancel(&exported->frame);
        return give_up(swapchain, "cuCtxPushCurrent", CUDA_ERROR_UNKNOWN);
    }
    const CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS wait = {
        .params.fence.value = exported->value,
    };
    const CUDA_MEMCPY2D copy = {
        .srcMemoryType = CU_MEMORYTYPE_ARRAY,
        .srcArray = exported->array,
        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
        .dstDevice = exported->frame.address,
        .dstPitch = exported->frame.pitch,
        .WidthInBytes = (size_t)image->frame.width * 4,
        .Height = image->frame.height,
    };
    CUresult result = CUDA_SUCCESS;
    if (swapchain->fault != FAULT_NO_WAIT)
        result = f->cuWaitExternalSemaphoresAsync(&exported->semaphore, &wait, 1, cuda->stream);
    if (result == CUDA_SUCCESS)
        result = f->cuMemcpy2DAsync(&copy, cuda->stream);
    if (result == CUDA_SUCCESS && swapchain->fault == FAULT_BYTE)
        result = f->cuMemsetD8Async(exported->frame.address +
                                        exported->frame.pitch * (exported->frame.height / 2),
                                    0x5a, 1, cuda->stream);
    uis_cuda_pop(cuda);
    return result == CUDA_SUCCESS || give_up(swapchain, "cuMemcpy2DAsync", result);
}

bool uis_zero_copy_finish(uis_swapchain *swapchain, uis_image *image) {
    uis_cuda *cuda = swapchain->device->cuda;
    CUresult result = CUDA_ERROR_UNKNOWN;
    if (uis_cuda_push(cuda)) {
        result = cuda->functions->cuStreamSynchronize(cuda->stream);
        uis_cuda_pop(cuda);
    }
    if (result != CUDA_SUCCESS)
        return give_up(swapchain, "cuStreamSynchronize", result);
    uis_cost_add(UIS_COST_COPY, uis_now_ns() - image->frame.present_ns);
    return true;
}

void uis_zero_copy_compare(uis_swapchain *swapchain, uis_image *image, const uint8_t *pixels) {
    const uis_device_frame *frame = &image->exported->frame;
    const size_t row = (size_t)frame->width * 4;
    uint8_t *copy = malloc(row * frame->height);
    if (!copy || !uis_device_frame_download(frame, copy, row)) {
        uis_log(UIS_LOG_ERROR, "frame %llu could not be read from the GPU to be compared",
                (unsigned long long)frame->sequence);
        uis_capture_device_count(UIS_DEVICE_DIFFERENT, 1);
        free(copy);
        return;
    }
    bool equal = memcmp(copy, pixels, row * frame->height) == 0;
    uis_capture_device_count(equal ? UIS_DEVICE_EQUAL : UIS_DEVICE_DIFFERENT, 1);
    if (!equal && !swapchain->difference_said) {
        swapchain->difference_said = true;
        size_t at = 0;
        while (copy[at] == pixels[at])
            at++;
        at -= at % 4;
        uis_log(UIS_LOG_ERROR,
                "frame %llu differs on the GPU, first at %zu,%zu: B,G,R,A %u,%u,%u,%u there, "
                "%u,%u,%u,%u read back",
                (unsigned long long)frame->sequence, at % row / 4, at / row, copy[at], copy[at + 1],
                copy[at + 2], copy[at + 3], pixels[at], pixels[at + 1], pixels[at + 2],
                pixels[at + 3]);
    }
    free(copy);
}

void uis_zero_copy_publish(uis_image *image) {
    uis_device_frame_publish(&image->exported->frame);
    uis_capture_device_count(UIS_DEVICE_COPIED, 1);
}

void uis_zero_copy_release(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    if (swapchain->on_device) {
        if (uis_cuda_push(device->cuda)) {
            unimport(swapchain);
            uis_cuda_pop(device->cuda);
        }
        uis_device_frame_close(device->cuda);
        swapchain->on_device = false;
    }
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        struct uis_exported *exported = swapchain->images[i].exported;
        if (!exported)
            continue;
        device->next.DestroySemaphore(device->handle, exported->done, NULL);
        free(exported);
        swapchain->images[i].exported = NULL;
    }
}
