/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device's queues: which family each belongs to, and one lock a queue held
 * around every operation on it, the app's and the layer's own.
 *
 * Vulkan lets the app use a queue from one thread at a time; the layer adds
 * submits of its own (acquire signals on the thread that acquires, which is not
 * the one that presents), so both take the lock. The lock is never held while
 * waiting for the GPU: the app may legally keep work pending that only another
 * of its threads can release after an acquire. A wait for idle is therefore a
 * fence submitted under the lock and waited for without it.
 */
#ifndef UIS_QUEUE_H
#define UIS_QUEUE_H

#include "dispatch.h"

typedef struct uis_queue {
    struct uis_queue *next_queue;
    VkQueue handle;
    uint32_t family;
    pthread_mutex_t lock;
} uis_queue;

/* The record of a queue the app got or the layer chose; NULL if unknown. */
uis_queue *uis_queue_find(uis_device *device, VkQueue handle);

/* A queue for the layer's own signals: one the app uses, else its first. NULL
 * only when memory is out. */
uis_queue *uis_queue_any(uis_device *device);

/* vkQueueSubmit under the queue's lock. */
VkResult uis_queue_submit(uis_device *device, uis_queue *queue, const VkSubmitInfo *info,
                          VkFence fence);

/* Waits until all that was submitted to the queue is done, without its lock. */
void uis_queue_wait(uis_device *device, uis_queue *queue, uint64_t timeout_ns);

/* Frees the records; the device is about to go. */
void uis_queues_free(uis_device *device);

/* Intercepted entry points. */
VKAPI_ATTR void VKAPI_CALL uis_GetDeviceQueue(VkDevice device, uint32_t family, uint32_t index,
                                              VkQueue *queue);
VKAPI_ATTR void VKAPI_CALL uis_GetDeviceQueue2(VkDevice device, const VkDeviceQueueInfo2 *info,
                                               VkQueue *queue);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit(VkQueue queue, uint32_t count,
                                               const VkSubmitInfo *submits, VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit2(VkQueue queue, uint32_t count,
                                                const VkSubmitInfo2 *submits, VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueueSubmit2KHR(VkQueue queue, uint32_t count,
                                                   const VkSubmitInfo2 *submits, VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueueBindSparse(VkQueue queue, uint32_t count,
                                                   const VkBindSparseInfo *binds, VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueueWaitIdle(VkQueue queue);
VKAPI_ATTR VkResult VKAPI_CALL uis_DeviceWaitIdle(VkDevice device);
VKAPI_ATTR void VKAPI_CALL uis_QueueBeginDebugUtilsLabelEXT(VkQueue queue,
                                                            const VkDebugUtilsLabelEXT *label);
VKAPI_ATTR void VKAPI_CALL uis_QueueEndDebugUtilsLabelEXT(VkQueue queue);
VKAPI_ATTR void VKAPI_CALL uis_QueueInsertDebugUtilsLabelEXT(VkQueue queue,
                                                             const VkDebugUtilsLabelEXT *label);

#endif
