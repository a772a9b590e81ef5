/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which of a host's GPUs the app sees; see device_select.h. */
#define _GNU_SOURCE
#include "device_select.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "log.h"

/* 32 hexadecimal digits, dashes anywhere, perhaps "GPU-" before them. */
static bool parse_uuid(const char *text, uint8_t uuid[VK_UUID_SIZE]) {
    if (strncasecmp(text, "GPU-", 4) == 0)
        text += 4;
    unsigned digits = 0;
    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (!isxdigit((unsigned char)*text) || digits == 2 * VK_UUID_SIZE)
            return false;
        unsigned digit = isdigit((unsigned char)*text)
                             ? (unsigned)(*text - '0')
                             : (unsigned)(tolower((unsigned char)*text) - 'a') + 10;
        uint8_t *byte = &uuid[digits / 2];
        *byte = (uint8_t)(digits % 2 ? *byte << 4 | digit : digit);
        digits++;
    }
    return digits == 2 * VK_UUID_SIZE;
}

bool uis_device_matches(const char *wanted, uint32_t index, const char *name,
                        const uint8_t uuid[VK_UUID_SIZE]) {
    uint8_t parsed[VK_UUID_SIZE];
    if (parse_uuid(wanted, parsed))
        return uuid && memcmp(parsed, uuid, sizeof parsed) == 0;
    size_t digits = strspn(wanted, "0123456789");
    if (digits && !wanted[digits])
        return digits < 9 && strtoul(wanted, NULL, 10) == index;
    return strcasestr(name, wanted) != NULL;
}

static VkResult list_devices(uis_instance *instance, uint32_t *count, VkPhysicalDevice **out) {
    VkPhysicalDevice *list = NULL;
    VkResult result;
    do {
        result = instance->next.EnumeratePhysicalDevices(instance->handle, count, NULL);
        if (result != VK_SUCCESS)
            break;
        free(list);
        list = calloc((size_t)*count + 1, sizeof(VkPhysicalDevice));
        if (!list)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        result = instance->next.EnumeratePhysicalDevices(instance->handle, count, list);
    } while (result == VK_INCOMPLETE); /* one was plugged in between the two calls */
    if (result != VK_SUCCESS) {
        free(list);
        list = NULL;
    }
    *out = list;
    return result;
}

/* The properties, and false where there is no way to learn the UUID (Vulkan 1.0). */
static bool describe(uis_instance *instance, VkPhysicalDevice device,
                     VkPhysicalDeviceProperties *properties, uint8_t uuid[VK_UUID_SIZE]) {
    instance->next.GetPhysicalDeviceProperties(device, properties);
    if (instance->api_version < VK_API_VERSION_1_1 || properties->apiVersion < VK_API_VERSION_1_1)
        return false;
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &id,
    };
    instance->next.GetPhysicalDeviceProperties2(device, &all);
    memcpy(uuid, id.deviceUUID, VK_UUID_SIZE);
    return true;
}

static void say_none(uis_instance *instance, const char *wanted, uint32_t count,
                     const VkPhysicalDevice *devices) {
    char text[480];
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < sizeof text - 1; i++) {
        VkPhysicalDeviceProperties properties;
        uint8_t uuid[VK_UUID_SIZE];
        char id[2 * VK_UUID_SIZE + 8] = "";
        if (describe(instance, devices[i], &properties, uuid)) {
            strcpy(id, ", ");
            for (uint32_t k = 0; k < VK_UUID_SIZE; k++)
                snprintf(id + strlen(id), 4, "%s%02x", k >= 4 && k <= 10 && k % 2 == 0 ? "-" : "",
                         uuid[k]);
        }
        int more = snprintf(text + used, sizeof text - used, "%s%u: %s%s", i ? "; " : "", i,
                            properties.deviceName, id);
        used += more > 0 ? (size_t)more : 0;
    }
    uis_log(UIS_LOG_ERROR,
            "UIS_DEVICE=%s is none of the %u Vulkan devices: %s. Name one by number, UUID or a "
            "part of its name",
            wanted, count, count ? text : "there are none");
    uis_capture_fail("UIS_DEVICE=%s is none of the %u Vulkan devices: %s", wanted, count,
                     count ? text : "there are none");
}

/* Looks for the device that UIS_DEVICE names. The first match counts: a name may fit several. */
static VkResult choose(uis_instance *instance) {
    const char *wanted = instance->device;
    uint32_t count = 0;
    VkPhysicalDevice *devices;
    VkResult result = list_devices(instance, &count, &devices);
    if (result != VK_SUCCESS)
        return result;
    for (uint32_t i = 0; i < count && !instance->chosen; i++) {
        VkPhysicalDeviceProperties properties;
        uint8_t uuid[VK_UUID_SIZE];
        bool identified = describe(instance, devices[i], &properties, uuid);
        if (uis_device_matches(wanted, i, properties.deviceName, identified ? uuid : NULL)) {
            instance->chosen = devices[i];
            uis_log(UIS_LOG_DEBUG, "UIS_DEVICE=%s: device %u, %s", wanted, i,
                    properties.deviceName);
        }
    }
    if (!instance->chosen)
        say_none(instance, wanted, count, devices);
    free(devices);
    instance->choice_made = true;
    return VK_SUCCESS;
}

/* The device that UIS_DEVICE names, settled once an instance, or NULL without the variable. */
static VkResult chosen(uis_instance *instance, VkPhysicalDevice *out) {
    *out = VK_NULL_HANDLE;
    if (!instance->device[0])
        return VK_SUCCESS;
    pthread_mutex_lock(&instance->lock);
    VkResult result = instance->choice_made ? VK_SUCCESS : choose(instance);
    *out = instance->chosen;
    pthread_mutex_unlock(&instance->lock);
    if (result == VK_SUCCESS && !*out)
        result = VK_ERROR_INITIALIZATION_FAILED;
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDevices(VkInstance handle, uint32_t *count,
                                                            VkPhysicalDevice *devices) {
    uis_instance *instance = uis_instance_find(handle);
    VkPhysicalDevice device;
    VkResult result = chosen(instance, &device);
    if (result != VK_SUCCESS)
        return result;
    if (!device)
        return instance->next.EnumeratePhysicalDevices(handle, count, devices);
    if (devices && *count == 0)
        return VK_INCOMPLETE;
    *count = 1;
    if (devices)
        devices[0] = device;
    return VK_SUCCESS;
}

/* One group, of the one device: several GPUs as one device are not captured. */
static VkResult groups_of(VkInstance handle, PFN_vkEnumeratePhysicalDeviceGroups next,
                          uint32_t *count, VkPhysicalDeviceGroupProperties *groups) {
    VkPhysicalDevice device;
    VkResult result = chosen(uis_instance_find(handle), &device);
    if (result != VK_SUCCESS)
        return result;
    if (!device)
        return next(handle, count, groups);
    if (groups && *count == 0)
        return VK_INCOMPLETE;
    *count = 1;
    if (groups) {
        groups[0].physicalDeviceCount = 1;
        groups[0].physicalDevices[0] = device;
        groups[0].subsetAllocation = VK_FALSE;
    }
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDeviceGroups(
    VkInstance handle, uint32_t *count, VkPhysicalDeviceGroupProperties *groups) {
    return groups_of(handle, uis_instance_find(handle)->next.EnumeratePhysicalDeviceGroups, count,
                     groups);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_EnumeratePhysicalDeviceGroupsKHR(
    VkInstance handle, uint32_t *count, VkPhysicalDeviceGroupProperties *groups) {
    return groups_of(handle, uis_instance_find(handle)->next.EnumeratePhysicalDeviceGroupsKHR,
                     count, groups);
}
