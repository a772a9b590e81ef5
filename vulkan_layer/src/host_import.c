/* SPDX-License-Identifier: GPL-2.0-or-later
 * The frame ring as a Vulkan buffer; see host_import.h. */
#include "host_import.h"

#include <string.h>

#include "capture.h"
#include "log.h"

#define HANDLE_TYPE VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT

bool uis_host_import_adds(const uis_instance *instance, VkPhysicalDevice physical, bool app_enables,
                          uint32_t count, const VkExtensionProperties *offered, bool *usable) {
    *usable = false;
    uint64_t bytes;
    if (!uis_capture_memory(&bytes))
        return false;
    /* Vulkan 1.1 holds what the extension builds on. Older instances would need
     * an extension of their own for it: they copy twice. */
    VkPhysicalDeviceProperties properties;
    instance->next.GetPhysicalDeviceProperties(physical, &properties);
    if (instance->api_version < VK_API_VERSION_1_1 || properties.apiVersion < VK_API_VERSION_1_1)
        return false;
    *usable = app_enables;
    for (uint32_t i = 0; i < count && !*usable; i++)
        *usable = strcmp(offered[i].extensionName, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0;
    return *usable && !app_enables;
}

/* NULL, or what does not fit. */
static const char *check_limits(const uis_device *device, const uint8_t *base, uint64_t bytes) {
    const uis_instance_table *instance = &device->instance->next;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
    };
    VkPhysicalDeviceMaintenance3Properties limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
        .pNext = &host,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &limits,
    };
    instance->GetPhysicalDeviceProperties2(device->physical_device, &properties);
    VkDeviceSize alignment = host.minImportedHostPointerAlignment;
    if (alignment == 0 || (uintptr_t)base % alignment != 0 || bytes % alignment != 0)
        return "its place does not fit the driver's alignment";
    if (bytes > limits.maxMemoryAllocationSize)
        return "it is larger than one allocation may be";

    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = HANDLE_TYPE,
    };
    VkExternalBufferProperties buffer = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    instance->GetPhysicalDeviceExternalBufferProperties(device->physical_device, &info, &buffer);
    VkExternalMemoryFeatureFlags features = buffer.externalMemoryProperties.externalMemoryFeatures;
    if (!(features & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) ||
        (features & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT))
        return "the driver imports no host memory for buffers";
    return NULL;
}

/* NULL, or what failed with *result. Leaves what it made in DEVICE. */
static const char *import(uis_device *device, uint8_t *base, uint64_t bytes, VkResult *result) {
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = HANDLE_TYPE,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    *result = device->next.CreateBuffer(device->handle, &info, NULL, &device->ring_buffer);
    if (*result != VK_SUCCESS) {
        device->ring_buffer = VK_NULL_HANDLE;
        return "vkCreateBuffer";
    }
    VkMemoryRequirements needs;
    device->next.GetBufferMemoryRequirements(device->handle, device->ring_buffer, &needs);
    VkMemoryHostPointerPropertiesEXT pointer = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    *result =
        device->next.GetMemoryHostPointerPropertiesEXT(device->handle, HANDLE_TYPE, base, &pointer);
    if (*result != VK_SUCCESS)
        return "vkGetMemoryHostPointerPropertiesEXT";
    /* Coherent: the reader is another process, nobody could invalidate for it. */
    uint32_t type =
        uis_memory_type(device, needs.memoryTypeBits & pointer.memoryTypeBits,
                        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    *result = VK_ERROR_FEATURE_NOT_PRESENT;
    if (type == UINT32_MAX || needs.size > bytes)
        return "finding coherent memory";
    const VkImportMemoryHostPointerInfoEXT host = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = HANDLE_TYPE,
        .pHostPointer = base,
    };
    const VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &host,
        .allocationSize = bytes,
        .memoryTypeIndex = type,
    };
    *result = device->next.AllocateMemory(device->handle, &allocate, NULL, &device->ring_memory);
    if (*result != VK_SUCCESS) {
        device->ring_memory = VK_NULL_HANDLE;
        return "vkAllocateMemory";
    }
    *result =
        device->next.BindBufferMemory(device->handle, device->ring_buffer, device->ring_memory, 0);
    return *result == VK_SUCCESS ? NULL : "vkBindBufferMemory";
}

static void try_import(uis_device *device) {
    uint64_t bytes;
    uint8_t *base = uis_capture_memory(&bytes);
    if (!base)
        return;
    const char *problem = "the device lacks VK_EXT_external_memory_host or Vulkan 1.1";
    VkResult result = VK_SUCCESS;
    if (device->host_import)
        problem = check_limits(device, base, bytes);
    if (!problem && (problem = import(device, base, bytes, &result)))
        uis_host_import_free(device);
    if (!problem)
        uis_log(UIS_LOG_INFO, "the GPU writes frames straight into the ring");
    else if (result != VK_SUCCESS)
        uis_log(UIS_LOG_INFO,
                "the ring is not imported, frames are copied twice: %s failed "
                "(VkResult %d)",
                problem, result);
    else
        uis_log(UIS_LOG_INFO, "the ring is not imported, frames are copied twice: %s", problem);
}

VkBuffer uis_host_import_buffer(uis_device *device) {
    pthread_mutex_lock(&device->lock);
    if (!device->import_tried) {
        device->import_tried = true;
        try_import(device);
    }
    VkBuffer buffer = device->ring_buffer;
    pthread_mutex_unlock(&device->lock);
    return buffer;
}

void uis_host_import_free(uis_device *device) {
    if (device->ring_buffer)
        device->next.DestroyBuffer(device->handle, device->ring_buffer, NULL);
    if (device->ring_memory)
        device->next.FreeMemory(device->handle, device->ring_memory, NULL);
    device->ring_buffer = VK_NULL_HANDLE;
    device->ring_memory = VK_NULL_HANDLE;
}
