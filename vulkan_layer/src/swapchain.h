/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Swapchains. In virtual mode (the default) the layer answers every WSI call
 * itself with ordinary images; in passthrough mode the driver's swapchain is
 * used and this record only carries what capture and pacing need.
 *
 * Ownership: a uis_swapchain belongs to its device's list; created and destroyed
 * by the entry points, which the app synchronises for one swapchain. Acquire and
 * present may run on different threads, and the readback worker ends presents:
 * `lock` guards what they share (marked below), `changed` is signalled when an
 * image becomes free or a job ends.
 */
#ifndef UIS_SWAPCHAIN_H
#define UIS_SWAPCHAIN_H

#include "capture.h"
#include "dispatch.h"
#include "pacing.h"
#include "queue.h"

typedef enum uis_image_state {
    UIS_IMAGE_FREE,      /* may be acquired */
    UIS_IMAGE_ACQUIRED,  /* the app's */
    UIS_IMAGE_PRESENTED, /* the GPU or the readback worker still has it */
} uis_image_state;

typedef struct uis_image {
    VkImage image;
    VkDeviceMemory memory;         /* virtual mode only */
    struct uis_exported *exported; /* what CUDA needs of it (zero_copy.c), or NULL */

    uis_image_state state;     /* (lock) virtual mode only */
    VkSemaphore acquired_with; /* (lock) the app's, that its last acquire signals */
    uint64_t last_present;     /* (lock) ordinal of its last present, 0: never */
    bool job;                  /* (lock) the worker has not finished its last present */

    /* Used by one present at a time: by the presenting thread until the job is
     * handed over, then by the worker until `job` is false again. */
    VkFence fence;
    bool capture;   /* copy to the ring once the fence has signalled */
    bool on_device; /* and, or instead, on the GPU: its present signals what CUDA waits for */
    uis_frame frame;

    /* Made when the first frame is captured (readback.c). */
    VkCommandBuffer copy;
    VkBuffer copy_target;     /* where `copy` as recorded writes to, NULL: not recorded */
    VkDeviceSize copy_offset; /* bytes */
    VkSemaphore copied;       /* passthrough: what the driver's present waits for */
    uis_ring_slot *slot;      /* of the straight copy in flight, or NULL */
    VkBuffer host_buffer;     /* these three only where copies do not go straight */
    VkDeviceMemory host_memory;
    const uint8_t *pixels;
} uis_image;

typedef struct uis_swapchain {
    struct uis_swapchain *next_swapchain;
    uis_device *device;
    VkSwapchainKHR handle; /* virtual: this record's address; else the driver's */
    bool passthrough;
    bool fifo;
    VkExtent2D extent;
    VkFormat format;
    VkImageUsageFlags usage; /* of the images, as created */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    bool retired;           /* (lock) */
    bool abandoned;         /* (lock) destroy has stopped waiting for the GPU */
    VkResult status;        /* (lock) VK_SUCCESS or what the device died of */
    uint32_t jobs;          /* (lock) presents the worker has not finished */
    uint64_t presents;      /* (lock) ordinal of the last present */

    uis_pace pace; /* acquiring thread */

    bool import_tried;     /* creating or presenting thread: the next one is settled */
    bool on_device;        /* the images are CUDA's, too */
    bool on_device_failed; /* (atomic) and CUDA failed since: host capture from then on */
    bool difference_said;  /* worker: verify has logged a frame */
    uint32_t fault;        /* UIS_CAPTURE_FAULT, tests only */
    char no_export[200];   /* why the images cannot be exported */

    bool capture_ready;   /* presenting thread: the copies below exist */
    uint32_t copy_family; /* queue family of copy_pool */
    VkCommandPool copy_pool;
    VkBuffer ring_buffer; /* the device's, when copies go straight into the ring */
    bool coherent;        /* host memory needs no invalidation */

    uint32_t image_count;
    uis_image *images;
} uis_swapchain;

/* NULL for a handle that is not one of the device's. */
uis_swapchain *uis_swapchain_find(uis_device *device, VkSwapchainKHR handle);

/* A record in no list yet, with image_count images and their fences. NULL when
 * out of memory. */
uis_swapchain *uis_swapchain_new(uis_device *device, uint32_t image_count);
/* Enters the device's list and offers itself as the main window. */
void uis_swapchain_add(uis_swapchain *swapchain, uis_swapchain *old);
/* Leaves list and role, waits a bounded time for jobs in flight, frees all. */
void uis_swapchain_free(uis_swapchain *swapchain);
/* Waits until the worker has finished the image's last present. False: timeout. */
bool uis_swapchain_wait_image(uis_swapchain *swapchain, uint32_t index, uint64_t timeout_ns);
/* All that the app left behind, before the device goes. */
void uis_swapchains_free(uis_device *device);

/* Intercepted entry points. */
VKAPI_ATTR VkResult VKAPI_CALL uis_CreateSwapchainKHR(VkDevice device,
                                                      const VkSwapchainCreateInfoKHR *info,
                                                      const VkAllocationCallbacks *allocator,
                                                      VkSwapchainKHR *swapchain);
VKAPI_ATTR void VKAPI_CALL uis_DestroySwapchainKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                   const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkResult VKAPI_CALL uis_GetSwapchainImagesKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                         uint32_t *count, VkImage *images);
VKAPI_ATTR VkResult VKAPI_CALL uis_AcquireNextImageKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                       uint64_t timeout, VkSemaphore semaphore,
                                                       VkFence fence, uint32_t *index);
VKAPI_ATTR VkResult VKAPI_CALL uis_AcquireNextImage2KHR(VkDevice device,
                                                        const VkAcquireNextImageInfoKHR *info,
                                                        uint32_t *index);
VKAPI_ATTR VkResult VKAPI_CALL uis_QueuePresentKHR(VkQueue queue, const VkPresentInfoKHR *info);
VKAPI_ATTR void VKAPI_CALL uis_DestroySemaphore(VkDevice device, VkSemaphore semaphore,
                                                const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkResult VKAPI_CALL uis_CreateImage(VkDevice device, const VkImageCreateInfo *info,
                                               const VkAllocationCallbacks *allocator,
                                               VkImage *image);
VKAPI_ATTR VkResult VKAPI_CALL
uis_SetDebugUtilsObjectNameEXT(VkDevice device, const VkDebugUtilsObjectNameInfoEXT *info);
VKAPI_ATTR VkResult VKAPI_CALL
uis_SetDebugUtilsObjectTagEXT(VkDevice device, const VkDebugUtilsObjectTagInfoEXT *info);

#endif
