/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device's queues and their locks; see queue.h. */
#include "queue.h"

#include <stdlib.h>

#include "log.h"

uis_queue *uis_queue_find(uis_device *device, VkQueue handle) {
    uis_queue *queue = __atomic_load_n(&device->queues, __ATOMIC_ACQUIRE);
    while (queue && queue->handle != handle)
        queue = queue->next_queue;
    return queue;
}

/* Records are only ever added, at the head, so readers need no lock. */
static uis_queue *remember(uis_device *device, VkQueue handle, uint32_t family) {
    if (!handle)
        return NULL;
    pthread_mutex_lock(&device->lock);
    uis_queue *queue = uis_queue_find(device, handle);
    if (!queue && (queue = calloc(1, sizeof *queue))) {
        queue->handle = handle;
        queue->family = family;
        pthread_mutex_init(&queue->lock, NULL);
        queue->next_queue = device->queues;
        __atomic_store_n(&device->queues, queue, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&device->lock);
    if (!queue)
        uis_log(UIS_LOG_ERROR, "out of memory for a queue record");
    return queue;
}

uis_queue *uis_queue_any(uis_device *device) {
    uis_queue *queue = __atomic_load_n(&device->queues, __ATOMIC_ACQUIRE);
    if (queue) {
        /* The first one the app got: where its rendering most likely goes. */
        while (queue->next_queue)
            queue = queue->next_queue;
        return queue;
    }
    VkQueue handle = VK_NULL_HANDLE;
    device->next.GetDeviceQueue(device->handle, device->first_family, 0, &handle);
    if (handle && device->set_loader_data(device->handle, handle) != VK_SUCCESS)
        return NULL;
    return remember(device, handle, device->first_family);
}

VkResult uis_queue_submit(uis_device *device, uis_queue *queue, const VkSubmitInfo *info,
                          VkFence fence) {
    pthread_mutex_lock(&queue->lock);
    VkResult result = device->next.QueueSubmit(queue->handle, info ? 1 : 0, info, fence);
    pthread_mutex_unlock(&queue->lock);
    return result;
}

void uis_queues_free(uis_device *device) {
    uis_queue *queue = device->queues;
    device->queues = NULL;
    while (queue) {
        uis_queue *gone = queue;
        queue = queue->next_queue;
        pthread_mutex_destroy(&gone->lock);
        free(gone);
    }
}

VKAPI_ATTR void VKAPI_CALL uis_GetDeviceQueue(VkDevice handle, uint32_t family, uint32_t index,
                                              VkQueue *out) {
    uis_device *device = uis_device_find(handle);
    device->next.GetDeviceQueue(handle, family, index, out);
    remember(device, *out, family);
}

VKAPI_ATTR void VKAPI_CALL uis_GetDeviceQueue2(VkDevice handle, const VkDeviceQueueInfo2 *info,
                                               VkQueue *out) {
    uis_device *device = uis_device_find(handle);
    device->next.GetDeviceQueue2(handle, info, out);
    remember(device, *out, info->queueFamilyIndex);
}

static uis_queue *lock_queue(uis_device *device, VkQueue handle) {
    uis_queue *queue = uis_queue_find(device, handle);
    if (queue)
        pthread_mutex_lock(&queue->lock);
    return queue;
}

static void unlock_queue(uis_queue *queue) {
    if (queue)
        pthread_mutex_unlock(&queue->lock);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit(VkQueue handle, uint32_t count,
                                               const VkSubmitInfo *submits, VkFence fence) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    VkResult result = device->next.QueueSubmit(handle, count, submits, fence);
    unlock_queue(queue);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit2(VkQueue handle, uint32_t count,
                                                const VkSubmitInfo2 *submits, VkFence fence) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    VkResult result = device->next.QueueSubmit2(handle, count, submits, fence);
    unlock_queue(queue);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit2KHR(VkQueue handle, uint32_t count,
                                                   const VkSubmitInfo2 *submits, VkFence fence) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    VkResult result = device->next.QueueSubmit2KHR(handle, count, submits, fence);
    unlock_queue(queue);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueueBindSparse(VkQueue handle, uint32_t count,
                                                   const VkBindSparseInfo *binds, VkFence fence) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    VkResult result = device->next.QueueBindSparse(handle, count, binds, fence);
    unlock_queue(queue);
    return result;
}

/* Failing to make or submit the fence is no error: the driver's own wait or the app's own mistake,
 * which follow, report what there is to report. */
void uis_queue_wait(uis_device *device, uis_queue *queue, uint64_t timeout_ns) {
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    if (device->next.CreateFence(device->handle, &info, NULL, &fence) != VK_SUCCESS)
        return;
    VkResult result = VK_SUCCESS;
    if (uis_queue_submit(device, queue, NULL, fence) == VK_SUCCESS)
        result = device->next.WaitForFences(device->handle, 1, &fence, VK_TRUE, timeout_ns);
    if (result != VK_SUCCESS)
        uis_log(UIS_LOG_WARNING, "waiting for a queue to be idle failed (VkResult %d)", result);
    if (result != VK_TIMEOUT) /* else the GPU still has it: rather a leak */
        device->next.DestroyFence(device->handle, fence, NULL);
}

VKAPI_ATTR VkResult VKAPI_CALL uis_QueueWaitIdle(VkQueue handle) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = uis_queue_find(device, handle);
    if (queue)
        uis_queue_wait(device, queue, UINT64_MAX);
    /* At most an acquire's empty submit is pending now, so this is short. */
    if (queue)
        pthread_mutex_lock(&queue->lock);
    VkResult result = device->next.QueueWaitIdle(handle);
    unlock_queue(queue);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL uis_DeviceWaitIdle(VkDevice handle) {
    uis_device *device = uis_device_find(handle);
    uis_queue *head = __atomic_load_n(&device->queues, __ATOMIC_ACQUIRE);
    for (uis_queue *queue = head; queue; queue = queue->next_queue)
        uis_queue_wait(device, queue, UINT64_MAX);
    /* Always in list order, which never changes behind `head`: no deadlock with
     * another caller, and everyone else holds one queue's lock at most. */
    for (uis_queue *queue = head; queue; queue = queue->next_queue)
        pthread_mutex_lock(&queue->lock);
    VkResult result = device->next.DeviceWaitIdle(handle);
    for (uis_queue *queue = head; queue; queue = queue->next_queue)
        pthread_mutex_unlock(&queue->lock);
    return result;
}

VKAPI_ATTR void VKAPI_CALL uis_QueueBeginDebugUtilsLabelEXT(VkQueue handle,
                                                            const VkDebugUtilsLabelEXT *label) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    device->next.QueueBeginDebugUtilsLabelEXT(handle, label);
    unlock_queue(queue);
}

VKAPI_ATTR void VKAPI_CALL uis_QueueEndDebugUtilsLabelEXT(VkQueue handle) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    device->next.QueueEndDebugUtilsLabelEXT(handle);
    unlock_queue(queue);
}

VKAPI_ATTR void VKAPI_CALL uis_QueueInsertDebugUtilsLabelEXT(VkQueue handle,
                                                             const VkDebugUtilsLabelEXT *label) {
    uis_device *device = uis_device_find(handle);
    uis_queue *queue = lock_queue(device, handle);
    device->next.QueueInsertDebugUtilsLabelEXT(handle, label);
    unlock_queue(queue);
}
