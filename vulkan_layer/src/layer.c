/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The door: negotiation with the loader, the table of intercepted functions,
 * and instances and devices coming and going.
 *
 * Environment, read when an instance is made:
 *   UIS_RING       frame ring to capture to (capture.h); without it none
 *   UIS_WSI        "virtual" (default) or "passthrough"
 *   UIS_PACE_HZ    beat of FIFO swapchains while the ring names none; default
 *                  60, 0 for unpaced
 *   UIS_DEVICE     which GPU the app sees (device_select.h); default all
 *   UIS_CAPTURE    "host" (default), "device" or "verify" (zero_copy.h)
 *   UIS_LOG, UIS_LOG_LEVEL   see log.h
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "cuda.h"
#include "device_select.h"
#include "dispatch.h"
#include "extensions.h"
#include "host_import.h"
#include "log.h"
#include "queue.h"
#include "readback.h"
#include "surface.h"
#include "swapchain.h"
#include "zero_copy.h"

#define DEFAULT_PACE_HZ 60.0

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL uis_GetInstanceProcAddr(VkInstance handle,
                                                                        const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL uis_GetDeviceProcAddr(VkDevice handle,
                                                                      const char *name);

/* --- instances --- */

/* The loader's link structures hang on the app's chain; they are the loader's
 * to be advanced by each layer. */
static VkLayerInstanceCreateInfo *instance_link(const VkInstanceCreateInfo *info) {
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
        VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)s;
        if (s->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO &&
            link->function == VK_LAYER_LINK_INFO)
            return link;
    }
    return NULL;
}

static VkLayerDeviceCreateInfo *device_link(const VkDeviceCreateInfo *info,
                                            VkLayerFunction function) {
    for (const VkBaseInStructure *s = info->pNext; s; s = s->pNext) {
        VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)s;
        if (s->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO && link->function == function)
            return link;
    }
    return NULL;
}

static void read_settings(uis_instance *instance) {
    const char *wsi = getenv("UIS_WSI");
    instance->passthrough = wsi && strcmp(wsi, "passthrough") == 0;
    if (wsi && wsi[0] && !instance->passthrough && strcmp(wsi, "virtual") != 0)
        uis_log(UIS_LOG_WARNING, "UIS_WSI=%s is neither virtual nor passthrough: virtual", wsi);
    double hz = DEFAULT_PACE_HZ;
    const char *text = getenv("UIS_PACE_HZ");
    if (text && text[0]) {
        char *end;
        hz = strtod(text, &end);
        if (*end || !(hz == 0.0 || (hz >= 0.1 && hz <= 2000.0))) {
            uis_log(UIS_LOG_WARNING, "UIS_PACE_HZ=%s is not 0 or 0.1 to 2000: %g", text,
                    DEFAULT_PACE_HZ);
            hz = DEFAULT_PACE_HZ;
        }
    }
    const char *device = getenv("UIS_DEVICE");
    snprintf(instance->device, sizeof instance->device, "%s", device ? device : "");
    instance->capture = uis_zero_copy_mode();
    instance->pace_period_ns = hz == 0.0 ? 0 : (uint64_t)(1e9 / hz + 0.5);
}

static VKAPI_ATTR VkResult VKAPI_CALL uis_CreateInstance(const VkInstanceCreateInfo *info,
                                                         const VkAllocationCallbacks *allocator,
                                                         VkInstance *out) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    if (!link || !link->u.pLayerInfo)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_GetPhysicalDeviceProcAddr get_physical =
        link->u.pLayerInfo->pfnNextGetPhysicalDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get_proc(NULL, "vkCreateInstance");
    if (!create)
        return VK_ERROR_INITIALIZATION_FAILED;
    uis_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = create(info, allocator, out);
    if (result != VK_SUCCESS) {
        free(instance);
        return result;
    }
    uis_log_open();
    instance->handle = *out;
    instance->key = uis_dispatch_key(*out);
    instance->get_proc_addr = get_proc;
    instance->get_physical_device_proc_addr = get_physical;
    instance->api_version = VK_API_VERSION_1_0;
    if (info->pApplicationInfo && info->pApplicationInfo->apiVersion)
        instance->api_version = info->pApplicationInfo->apiVersion;
    pthread_mutex_init(&instance->lock, NULL);
    read_settings(instance);
    uis_instance_load(instance);
    uis_instance_register(instance);
    uis_capture_attach();
    uis_capture_device_wanted(instance->capture);
    if (instance->capture != UIS_CAPTURE_HOST) /* a sandbox may not let it be loaded later */
        (void)uis_cuda_open();
    uis_log(UIS_LOG_DEBUG, "instance %p, %s", (void *)*out,
            instance->passthrough ? "passthrough" : "virtual swapchain");
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL uis_DestroyInstance(VkInstance handle,
                                                      const VkAllocationCallbacks *allocator) {
    if (!handle)
        return;
    uis_instance *instance = uis_instance_unregister(handle);
    if (!instance)
        return;
    instance->next.DestroyInstance(handle, allocator);
    uis_surfaces_free(instance);
    pthread_mutex_destroy(&instance->lock);
    free(instance);
    uis_capture_detach();
}

/* --- devices --- */

static bool names(const VkDeviceCreateInfo *info, const char *extension) {
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (strcmp(info->ppEnabledExtensionNames[i], extension) == 0)
            return true;
    return false;
}

static VKAPI_ATTR VkResult VKAPI_CALL uis_CreateDevice(VkPhysicalDevice physical,
                                                       const VkDeviceCreateInfo *info,
                                                       const VkAllocationCallbacks *allocator,
                                                       VkDevice *out) {
    uis_instance *instance = uis_instance_find(physical);
    VkLayerDeviceCreateInfo *link = device_link(info, VK_LAYER_LINK_INFO);
    VkLayerDeviceCreateInfo *callback = device_link(info, VK_LOADER_DATA_CALLBACK);
    if (!instance || !link || !link->u.pLayerInfo || !callback)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_vkGetDeviceProcAddr get_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    PFN_vkSetDeviceLoaderData set_loader_data = callback->u.pfnSetDeviceLoaderData;
    VkLayerDeviceLink *below = link->u.pLayerInfo->pNext;
    link->u.pLayerInfo = below;
    PFN_vkCreateDevice create =
        (PFN_vkCreateDevice)get_instance_proc(instance->handle, "vkCreateDevice");
    if (!create)
        return VK_ERROR_INITIALIZATION_FAILED;

    bool adds_regions;
    VkExtensionProperties *offered;
    uint32_t offered_count;
    VkResult result =
        uis_extensions_list(instance, physical, &offered_count, &offered, &adds_regions);
    if (result != VK_SUCCESS)
        return result;
    bool host_import;
    bool adds_import = uis_host_import_adds(instance, physical,
                                            names(info, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME),
                                            offered_count, offered, &host_import);
    uis_zero_copy_plan plan;
    uis_zero_copy_make_plan(instance, physical, info, offered_count, offered, &plan);
    free(offered);

    uis_device *device = calloc(1, sizeof *device);
    const char **extensions = calloc(
        (size_t)info->enabledExtensionCount + 1 + UIS_ZERO_COPY_EXTENSIONS, sizeof *extensions);
    if (!device || !extensions) {
        uis_zero_copy_drop_plan(&plan);
        free(device);
        free(extensions);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    /* A copy without incremental present, if the driver does not know it, and
     * with what the import of the frame ring and zero-copy take. */
    VkDeviceCreateInfo changed = *info;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (!adds_regions || strcmp(info->ppEnabledExtensionNames[i],
                                    VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME) != 0)
            extensions[kept++] = info->ppEnabledExtensionNames[i];
    if (adds_import)
        extensions[kept++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    const uint32_t without_zero_copy = kept;
    for (uint32_t i = 0; i < plan.extension_count; i++)
        extensions[kept++] = plan.extensions[i];
    changed.enabledExtensionCount = kept;
    changed.ppEnabledExtensionNames = extensions;
    changed.pNext = plan.chain;
    result = create(physical, &changed, allocator, out);
    uis_zero_copy_drop_plan(&plan);
    if (result != VK_SUCCESS && plan.possible) {
        /* Not what the app asked for: as it asked, then. */
        VkResult refused = result;
        link->u.pLayerInfo = below; /* the layers below have advanced it */
        changed.enabledExtensionCount = without_zero_copy;
        changed.pNext = info->pNext;
        result = create(physical, &changed, allocator, out);
        plan.possible = false;
        snprintf(plan.problem, sizeof plan.problem,
                 "the driver made no device with what zero-copy needs (VkResult %d)", refused);
    }
    free(extensions);
    if (result != VK_SUCCESS) {
        free(device);
        return result;
    }

    device->handle = *out;
    device->key = uis_dispatch_key(*out);
    device->physical_device = physical;
    device->instance = instance;
    device->get_proc_addr = get_device_proc;
    device->set_loader_data = set_loader_data;
    device->host_import = host_import;
    device->swapchain_enabled = names(info, VK_KHR_SWAPCHAIN_EXTENSION_NAME);
    device->driver_takes_regions =
        !adds_regions && names(info, VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME);
    for (uint32_t i = info->queueCreateInfoCount; i-- > 0;)
        if (info->pQueueCreateInfos[i].flags == 0)
            device->first_family = info->pQueueCreateInfos[i].queueFamilyIndex;
    pthread_mutex_init(&device->lock, NULL);
    instance->next.GetPhysicalDeviceProperties(physical, &device->properties);
    instance->next.GetPhysicalDeviceMemoryProperties(physical, &device->memory);
    device->core_1_1 = instance->api_version >= VK_API_VERSION_1_1 &&
                       device->properties.apiVersion >= VK_API_VERSION_1_1;
    uis_device_load(device);
    uis_zero_copy_open_device(device, &plan);
    uis_device_register(device);
    uis_log(UIS_LOG_DEBUG, "device %p on %s%s%s", (void *)*out, device->properties.deviceName,
            device->swapchain_enabled ? ", swapchains" : "",
            names(info, VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME) ? ", damage" : "");
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL uis_DestroyDevice(VkDevice handle,
                                                    const VkAllocationCallbacks *allocator) {
    if (!handle)
        return;
    uis_device *device = uis_device_find(handle);
    if (!device)
        return;
    uis_swapchains_free(device);
    uis_readback_stop(device);
    uis_host_import_free(device);
    uis_zero_copy_close_device(device);
    uis_queues_free(device);
    uis_device_unregister(handle);
    device->next.DestroyDevice(handle, allocator);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

/* --- the table --- */

typedef enum uis_scope {
    SCOPE_GLOBAL, /* callable without an instance */
    SCOPE_INSTANCE,
    SCOPE_PHYSICAL,
    SCOPE_DEVICE,
    SCOPE_SWAPCHAIN, /* device-level, there once VK_KHR_swapchain is enabled */
} uis_scope;

#define ENTRY(scope, name) {"vk" #name, scope, (PFN_vkVoidFunction)uis_##name}
static const struct {
    const char *name;
    uis_scope scope;
    PFN_vkVoidFunction function;
} entries[] = {
    ENTRY(SCOPE_GLOBAL, CreateInstance),
    ENTRY(SCOPE_GLOBAL, GetInstanceProcAddr),
    ENTRY(SCOPE_INSTANCE, DestroyInstance),
    ENTRY(SCOPE_INSTANCE, CreateXcbSurfaceKHR),
    ENTRY(SCOPE_INSTANCE, CreateXlibSurfaceKHR),
    ENTRY(SCOPE_INSTANCE, DestroySurfaceKHR),
    ENTRY(SCOPE_INSTANCE, EnumeratePhysicalDevices),
    ENTRY(SCOPE_INSTANCE, EnumeratePhysicalDeviceGroups),
    ENTRY(SCOPE_INSTANCE, EnumeratePhysicalDeviceGroupsKHR),
    ENTRY(SCOPE_PHYSICAL, CreateDevice),
    ENTRY(SCOPE_PHYSICAL, EnumerateDeviceExtensionProperties),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceXcbPresentationSupportKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceXlibPresentationSupportKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceSupportKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceCapabilitiesKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceCapabilities2KHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceCapabilities2EXT),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceFormatsKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfaceFormats2KHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDeviceSurfacePresentModesKHR),
    ENTRY(SCOPE_PHYSICAL, GetPhysicalDevicePresentRectanglesKHR),
    ENTRY(SCOPE_DEVICE, GetDeviceProcAddr),
    ENTRY(SCOPE_DEVICE, DestroyDevice),
    ENTRY(SCOPE_DEVICE, GetDeviceQueue),
    ENTRY(SCOPE_DEVICE, GetDeviceQueue2),
    ENTRY(SCOPE_DEVICE, QueueSubmit),
    ENTRY(SCOPE_DEVICE, QueueSubmit2),
    ENTRY(SCOPE_DEVICE, QueueSubmit2KHR),
    ENTRY(SCOPE_DEVICE, QueueBindSparse),
    ENTRY(SCOPE_DEVICE, QueueWaitIdle),
    ENTRY(SCOPE_DEVICE, DeviceWaitIdle),
    ENTRY(SCOPE_DEVICE, QueueBeginDebugUtilsLabelEXT),
    ENTRY(SCOPE_DEVICE, QueueEndDebugUtilsLabelEXT),
    ENTRY(SCOPE_DEVICE, QueueInsertDebugUtilsLabelEXT),
    ENTRY(SCOPE_DEVICE, SetDebugUtilsObjectNameEXT),
    ENTRY(SCOPE_DEVICE, SetDebugUtilsObjectTagEXT),
    ENTRY(SCOPE_DEVICE, CreateImage),
    ENTRY(SCOPE_DEVICE, DestroySemaphore),
    ENTRY(SCOPE_SWAPCHAIN, CreateSwapchainKHR),
    ENTRY(SCOPE_SWAPCHAIN, DestroySwapchainKHR),
    ENTRY(SCOPE_SWAPCHAIN, GetSwapchainImagesKHR),
    ENTRY(SCOPE_SWAPCHAIN, AcquireNextImageKHR),
    ENTRY(SCOPE_SWAPCHAIN, AcquireNextImage2KHR),
    ENTRY(SCOPE_SWAPCHAIN, QueuePresentKHR),
    ENTRY(SCOPE_SWAPCHAIN, GetDeviceGroupPresentCapabilitiesKHR),
    ENTRY(SCOPE_SWAPCHAIN, GetDeviceGroupSurfacePresentModesKHR),
};
#undef ENTRY

static PFN_vkVoidFunction find_entry(const char *name, uis_scope *scope) {
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            *scope = entries[i].scope;
            return entries[i].function;
        }
    }
    return NULL;
}

/* What the layers below do not have does not become callable by our wrapping
 * it: the wrapper has nothing to call. */
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL uis_GetInstanceProcAddr(VkInstance handle,
                                                                        const char *name) {
    uis_scope scope;
    PFN_vkVoidFunction own = find_entry(name, &scope);
    if (own && scope == SCOPE_GLOBAL)
        return own;
    uis_instance *instance = handle ? uis_instance_find(handle) : NULL;
    if (!instance)
        return NULL;
    PFN_vkVoidFunction next = instance->get_proc_addr(handle, name);
    return own && next ? own : next;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL uis_GetDeviceProcAddr(VkDevice handle,
                                                                      const char *name) {
    uis_device *device = uis_device_find(handle);
    if (!device)
        return NULL;
    uis_scope scope;
    PFN_vkVoidFunction own = find_entry(name, &scope);
    if (own && scope == SCOPE_SWAPCHAIN && !device->swapchain_enabled)
        return NULL;
    if (own && scope < SCOPE_DEVICE)
        own = NULL;
    PFN_vkVoidFunction next = device->get_proc_addr(handle, name);
    return own && next ? own : next;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL uis_GetPhysicalDeviceProcAddr(VkInstance handle,
                                                                              const char *name) {
    uis_instance *instance = uis_instance_find(handle);
    if (!instance || !instance->get_physical_device_proc_addr)
        return NULL;
    uis_scope scope;
    PFN_vkVoidFunction own = find_entry(name, &scope);
    PFN_vkVoidFunction next = instance->get_physical_device_proc_addr(handle, name);
    return own && scope == SCOPE_PHYSICAL && next ? own : next;
}

/* Newer Vulkan headers no longer define VK_LAYER_EXPORT. */
__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version) {
    if (!version || version->sType != LAYER_NEGOTIATE_INTERFACE_STRUCT ||
        version->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    version->loaderLayerInterfaceVersion = 2;
    version->pfnGetInstanceProcAddr = uis_GetInstanceProcAddr;
    version->pfnGetDeviceProcAddr = uis_GetDeviceProcAddr;
    version->pfnGetPhysicalDeviceProcAddr = uis_GetPhysicalDeviceProcAddr;
    return VK_SUCCESS;
}
