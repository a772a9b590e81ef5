/* SPDX-License-Identifier: GPL-2.0-or-later
 * Device extensions the app sees; see extensions.h. */
#include "extensions.h"

#include <stdlib.h>
#include <string.h>

/* They add calls, structures or promises about a swapchain that a virtual one
 * does not keep. */
static const char *const hidden[] = {
    "VK_AMD_display_native_hdr",
    "VK_EXT_display_control",
    "VK_EXT_full_screen_exclusive",
    "VK_EXT_hdr_metadata",
    "VK_EXT_present_mode_fifo_latest_ready",
    "VK_EXT_present_timing",
    "VK_EXT_swapchain_maintenance1",
    "VK_GOOGLE_display_timing",
    "VK_KHR_display_swapchain",
    "VK_KHR_present_id",
    "VK_KHR_present_id2",
    "VK_KHR_present_mode_fifo_latest_ready",
    "VK_KHR_present_wait",
    "VK_KHR_present_wait2",
    "VK_KHR_shared_presentable_image",
    "VK_KHR_swapchain_maintenance1",
    "VK_NV_acquire_winrt_display",
    "VK_NV_low_latency",
    "VK_NV_low_latency2",
    "VK_NV_present_barrier",
};

static bool is_hidden(const char *name) {
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (strcmp(name, hidden[i]) == 0)
            return true;
    return false;
}

VkResult uis_extensions_list(uis_instance *instance, VkPhysicalDevice device, uint32_t *count,
                             VkExtensionProperties **out, bool *adds_regions) {
    VkExtensionProperties *list = NULL;
    uint32_t have = 0;
    VkResult result;
    do {
        result = instance->next.EnumerateDeviceExtensionProperties(device, NULL, &have, NULL);
        if (result != VK_SUCCESS)
            break;
        free(list);
        list = calloc((size_t)have + 1, sizeof *list);
        if (!list)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        result = instance->next.EnumerateDeviceExtensionProperties(device, NULL, &have, list);
    } while (result == VK_INCOMPLETE); /* it grew between the two calls */
    if (result != VK_SUCCESS) {
        free(list);
        return result;
    }
    uint32_t kept = 0;
    bool regions = false;
    for (uint32_t i = 0; i < have; i++) {
        if (!instance->passthrough && is_hidden(list[i].extensionName))
            continue;
        if (strcmp(list[i].extensionName, VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME) == 0)
            regions = true;
        list[kept++] = list[i];
    }
    if (!regions) {
        strcpy(list[kept].extensionName, VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME);
        list[kept++].specVersion = VK_KHR_INCREMENTAL_PRESENT_SPEC_VERSION;
    }
    if (adds_regions)
        *adds_regions = !regions;
    *count = kept;
    *out = list;
    return VK_SUCCESS;
}

static VkResult copy_out(const VkExtensionProperties *list, uint32_t have, uint32_t *count,
                         VkExtensionProperties *out) {
    if (!out) {
        *count = have;
        return VK_SUCCESS;
    }
    if (*count > have)
        *count = have;
    memcpy(out, list, *count * sizeof *list);
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_EnumerateDeviceExtensionProperties(VkPhysicalDevice device,
                                                                      const char *layer,
                                                                      uint32_t *count,
                                                                      VkExtensionProperties *out) {
    static const VkExtensionProperties own = {
        VK_KHR_INCREMENTAL_PRESENT_EXTENSION_NAME,
        VK_KHR_INCREMENTAL_PRESENT_SPEC_VERSION,
    };
    if (layer && strcmp(layer, "VK_LAYER_UISPLICE_capture") == 0)
        return copy_out(&own, 1, count, out);
    uis_instance *instance = uis_instance_find(device);
    if (layer)
        return instance->next.EnumerateDeviceExtensionProperties(device, layer, count, out);
    VkExtensionProperties *list;
    uint32_t have;
    VkResult result = uis_extensions_list(instance, device, &have, &list, NULL);
    if (result != VK_SUCCESS)
        return result;
    result = copy_out(list, have, count, out);
    free(list);
    return result;
}
