/* SPDX-License-Identifier: GPL-2.0-or-later
 * What zero-copy asks of a device: extensions, the timeline feature, the same GPU in CUDA; see
 * zero_copy.h. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "log.h"
#include "zero_copy.h"

uint32_t uis_zero_copy_mode(void) {
    static const char *const words[] = {
        [UIS_CAPTURE_HOST] = "host",
        [UIS_CAPTURE_DEVICE] = "device",
        [UIS_CAPTURE_VERIFY] = "verify",
    };
    const char *wanted = getenv("UIS_CAPTURE");
    if (!wanted || !wanted[0])
        return UIS_CAPTURE_HOST;
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(wanted, words[i]) == 0)
            return i;
    uis_log(UIS_LOG_WARNING, "UIS_CAPTURE=%s is not host, device or verify: host", wanted);
    return UIS_CAPTURE_HOST;
}

static bool enabled(const VkDeviceCreateInfo *info, const char *name) {
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (strcmp(info->ppEnabledExtensionNames[i], name) == 0)
            return true;
    return false;
}

/* Adds the extension unless the app enables it. False: the device does not offer it. */
static bool need(uis_zero_copy_plan *plan, const VkDeviceCreateInfo *info, uint32_t count,
                 const VkExtensionProperties *offered, const char *name) {
    if (enabled(info, name))
        return true;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(offered[i].extensionName, name) == 0) {
            plan->extensions[plan->extension_count++] = name;
            return true;
        }
    }
    snprintf(plan->problem, sizeof plan->problem, "the device lacks %s", name);
    return false;
}

/* Bytes of structures that may stand before the features in a device's chain, so that the chain
 * can be copied up to there: the app's own must not be written to. 0: unknown. */
static size_t structure_size(VkStructureType type) {
    switch (type) {
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2:
        return sizeof(VkPhysicalDeviceFeatures2);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES:
        return sizeof(VkPhysicalDeviceVulkan11Features);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES:
        return sizeof(VkPhysicalDeviceVulkan12Features);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES:
        return sizeof(VkPhysicalDeviceVulkan13Features);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES:
        return sizeof(VkPhysicalDeviceTimelineSemaphoreFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SAMPLER_YCBCR_CONVERSION_FEATURES:
        return sizeof(VkPhysicalDeviceSamplerYcbcrConversionFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROTECTED_MEMORY_FEATURES:
        return sizeof(VkPhysicalDeviceProtectedMemoryFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES:
        return sizeof(VkPhysicalDeviceSynchronization2Features);
    case VK_STRUCTURE_TYPE_DEVICE_GROUP_DEVICE_CREATE_INFO:
        return sizeof(VkDeviceGroupDeviceCreateInfo);
    default:
        return 0;
    }
}

static VkBool32 *timeline_flag(VkBaseOutStructure *structure) {
    if (structure->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES)
        return &((VkPhysicalDeviceVulkan12Features *)structure)->timelineSemaphore;
    if (structure->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES)
        return &((VkPhysicalDeviceTimelineSemaphoreFeatures *)structure)->timelineSemaphore;
    return NULL;
}

/* Sets the flag of TARGET, a structure of the app's chain, in a copy: the structures from the
 * loader's last to TARGET are copied, the rest is shared. The loader's own, which come first,
 * are the layers' to change; the last one's link is, and mended afterwards. */
static bool switch_on(uis_zero_copy_plan *plan, const VkDeviceCreateInfo *info,
                      const VkBaseOutStructure *target) {
    VkBaseOutStructure *loader = NULL;
    VkBaseOutStructure *first = (VkBaseOutStructure *)(uintptr_t)info->pNext;
    while (first && first->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO) {
        loader = first;
        first = first->pNext;
    }
    VkBaseOutStructure *head = NULL, *last = NULL;
    for (const VkBaseOutStructure *s = first;; s = s->pNext) {
        size_t size = structure_size(s->sType);
        VkBaseOutStructure *copy = NULL;
        if (size && plan->copy_count < sizeof plan->copies / sizeof plan->copies[0])
            copy = malloc(size);
        if (!copy) {
            snprintf(plan->problem, sizeof plan->problem,
                     "the app turns timelineSemaphore off behind a structure (sType %d) that the "
                     "layer cannot copy",
                     s->sType);
            return false;
        }
        plan->copies[plan->copy_count++] = copy;
        memcpy(copy, s, size);
        if (last)
            last->pNext = copy;
        else
            head = copy;
        last = copy;
        if (s == target)
            break;
    }
    *timeline_flag(last) = VK_TRUE;
    if (loader) {
        plan->relinked = loader;
        plan->relinked_next = loader->pNext;
        loader->pNext = head;
    } else {
        plan->chain = head;
    }
    return true;
}

static bool has_timeline(const uis_instance *instance, VkPhysicalDevice physical) {
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &timeline,
    };
    instance->next.GetPhysicalDeviceFeatures2(physical, &features);
    return timeline.timelineSemaphore;
}

/* The timeline feature, however the app's chain names it. */
static bool enable_timeline(uis_zero_copy_plan *plan, const VkDeviceCreateInfo *info) {
    VkBaseOutStructure *s = (VkBaseOutStructure *)(uintptr_t)info->pNext;
    for (; s; s = s->pNext) {
        const VkBool32 *flag = timeline_flag(s);
        if (flag)
            return *flag || switch_on(plan, info, s);
    }
    plan->timeline = (VkPhysicalDeviceTimelineSemaphoreFeatures){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .pNext = (void *)(uintptr_t)plan->chain,
        .timelineSemaphore = VK_TRUE,
    };
    plan->chain = &plan->timeline;
    return true;
}

static bool one_device(const VkDeviceCreateInfo *info) {
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_DEVICE_GROUP_DEVICE_CREATE_INFO &&
            ((const VkDeviceGroupDeviceCreateInfo *)s)->physicalDeviceCount > 1)
            return false;
    return true;
}

static bool plan_device(uis_instance *instance, VkPhysicalDevice physical,
                        const VkDeviceCreateInfo *info, uint32_t count,
                        const VkExtensionProperties *offered, uis_zero_copy_plan *plan) {
    VkPhysicalDeviceProperties properties;
    instance->next.GetPhysicalDeviceProperties(physical, &properties);
    uint32_t version = instance->api_version < properties.apiVersion ? instance->api_version
                                                                     : properties.apiVersion;
    const char *problem = NULL;
    if (instance->passthrough)
        problem = "the driver's own swapchain is used (UIS_WSI=passthrough)";
    else if (version < VK_API_VERSION_1_1) /* it holds what the extensions build on */
        problem = "the app or the device has Vulkan 1.0";
    else if (!one_device(info))
        problem = "the app uses several GPUs as one device";
    if (problem) {
        snprintf(plan->problem, sizeof plan->problem, "%s", problem);
        return false;
    }
    if (!need(plan, info, count, offered, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME) ||
        !need(plan, info, count, offered, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME))
        return false;
    if (version < VK_API_VERSION_1_2 &&
        !need(plan, info, count, offered, VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME))
        return false;
    if (!has_timeline(instance, physical)) {
        snprintf(plan->problem, sizeof plan->problem, "the device lacks timeline semaphores");
        return false;
    }
    if (!uis_cuda_open()) {
        snprintf(plan->problem, sizeof plan->problem, "CUDA: %s", uis_cuda_problem());
        return false;
    }
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &id,
    };
    instance->next.GetPhysicalDeviceProperties2(physical, &all);
    memcpy(plan->uuid, id.deviceUUID, sizeof plan->uuid);
    return enable_timeline(plan, info);
}

void uis_zero_copy_make_plan(uis_instance *instance, VkPhysicalDevice physical,
                             const VkDeviceCreateInfo *info, uint32_t offered_count,
                             const VkExtensionProperties *offered, uis_zero_copy_plan *plan) {
    memset(plan, 0, sizeof *plan);
    plan->chain = info->pNext;
    uint64_t bytes;
    /* Devices that cannot present, and processes without a ring, capture nothing. */
    if (instance->capture == UIS_CAPTURE_HOST || !uis_capture_memory(&bytes) ||
        !enabled(info, VK_KHR_SWAPCHAIN_EXTENSION_NAME))
        return;
    plan->possible = plan_device(instance, physical, info, offered_count, offered, plan);
    if (!plan->possible) {
        uis_zero_copy_drop_plan(plan);
        plan->chain = info->pNext;
        plan->extension_count = 0;
    }
}

void uis_zero_copy_drop_plan(uis_zero_copy_plan *plan) {
    if (plan->relinked)
        plan->relinked->pNext = plan->relinked_next;
    plan->relinked = NULL;
    while (plan->copy_count)
        free(plan->copies[--plan->copy_count]);
}

void uis_zero_copy_open_device(uis_device *device, const uis_zero_copy_plan *plan) {
    snprintf(device->no_zero_copy, sizeof device->no_zero_copy, "%s", plan->problem);
    if (!plan->possible)
        return;
    device->cuda = uis_cuda_make(plan->uuid, device->no_zero_copy, sizeof device->no_zero_copy);
    if (device->cuda)
        uis_log(UIS_LOG_DEBUG, "device %p is %s in CUDA", (void *)device->handle,
                device->cuda->name);
}

void uis_zero_copy_close_device(uis_device *device) {
    uis_cuda_free(device->cuda);
    device->cuda = NULL;
}
