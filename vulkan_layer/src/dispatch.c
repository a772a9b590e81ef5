/* SPDX-License-Identifier: GPL-2.0-or-later
 * Per-instance and per-device data; see dispatch.h. */
#include "dispatch.h"

#include <stddef.h>

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static uis_instance *instances;
static uis_device *devices;

void uis_instance_register(uis_instance *instance) {
    pthread_mutex_lock(&list_lock);
    instance->next_instance = instances;
    instances = instance;
    pthread_mutex_unlock(&list_lock);
}

uis_instance *uis_instance_find(const void *handle) {
    void *key = uis_dispatch_key(handle);
    pthread_mutex_lock(&list_lock);
    uis_instance *found = instances;
    while (found && found->key != key)
        found = found->next_instance;
    pthread_mutex_unlock(&list_lock);
    return found;
}

uis_instance *uis_instance_unregister(const void *handle) {
    void *key = uis_dispatch_key(handle);
    pthread_mutex_lock(&list_lock);
    uis_instance **link = &instances;
    while (*link && (*link)->key != key)
        link = &(*link)->next_instance;
    uis_instance *found = *link;
    if (found)
        *link = found->next_instance;
    pthread_mutex_unlock(&list_lock);
    return found;
}

unsigned uis_instance_count(void) {
    unsigned count = 0;
    pthread_mutex_lock(&list_lock);
    for (uis_instance *instance = instances; instance; instance = instance->next_instance)
        count++;
    pthread_mutex_unlock(&list_lock);
    return count;
}

void uis_device_register(uis_device *device) {
    pthread_mutex_lock(&list_lock);
    device->next_device = devices;
    devices = device;
    pthread_mutex_unlock(&list_lock);
}

uis_device *uis_device_find(const void *handle) {
    void *key = uis_dispatch_key(handle);
    pthread_mutex_lock(&list_lock);
    uis_device *found = devices;
    while (found && found->key != key)
        found = found->next_device;
    pthread_mutex_unlock(&list_lock);
    return found;
}

uis_device *uis_device_unregister(const void *handle) {
    void *key = uis_dispatch_key(handle);
    pthread_mutex_lock(&list_lock);
    uis_device **link = &devices;
    while (*link && (*link)->key != key)
        link = &(*link)->next_device;
    uis_device *found = *link;
    if (found)
        *link = found->next_device;
    pthread_mutex_unlock(&list_lock);
    return found;
}

unsigned uis_device_count(void) {
    unsigned count = 0;
    pthread_mutex_lock(&list_lock);
    for (uis_device *device = devices; device; device = device->next_device)
        count++;
    pthread_mutex_unlock(&list_lock);
    return count;
}

void uis_instance_load(uis_instance *instance) {
#define LOAD(name)                                                                                 \
    instance->next.name = (PFN_vk##name)instance->get_proc_addr(instance->handle, "vk" #name);
    UIS_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
}

void uis_device_load(uis_device *device){
#define LOAD(name)                                                                                 \
    device->next.name = (PFN_vk##name)device->get_proc_addr(device->handle, "vk" #name);
    UIS_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
}

uint32_t uis_memory_type(const uis_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted) {
    /* What plain memory has; every other property asks something of its user. */
    const VkMemoryPropertyFlags plain =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags has = device->memory.memoryTypes[i].propertyFlags;
        if ((allowed & (1u << i)) && (has & wanted) == wanted && !(has & ~plain))
            return i;
    }
    return UINT32_MAX;
}
