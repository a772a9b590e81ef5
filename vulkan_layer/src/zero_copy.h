/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Zero-copy: presented images that stay on the GPU. The virtual swapchain's images are exported
 * as file descriptors and imported into CUDA in this process; so is a timeline semaphore an
 * image, which each present of it signals. The readback worker has CUDA wait for the semaphore
 * and copy the image (a CUarray) to a linear buffer of the pool in device_frame.h. Pixels reach
 * the CPU only where the capture mode asks for them as well.
 *
 * Environment: UIS_CAPTURE is "host" (default: pixels in the ring), "device" (on the GPU only)
 * or "verify" (both, compared frame by frame). Where device frames are not possible the layer
 * captures to the host as if asked to, says so once in the log and in the ring's header
 * (uis_device_capture). UIS_CAPTURE_FAULT breaks one thing so that tests can see verify find it:
 * "no-wait" (CUDA does not wait for the semaphore), "byte" (one byte of the copy is changed).
 *
 * Ownership: what plan, export and prepare make belongs to the device, the image, the swapchain.
 * Threads: plan and device functions in vkCreateDevice and vkDestroyDevice; export, prepare and
 * signal on the app's thread that creates or presents; begin to publish on the worker; release
 * when nothing is in flight. In the presenting thread zero-copy costs one more semaphore in a
 * submit that is made anyway.
 */
#ifndef UIS_ZERO_COPY_H
#define UIS_ZERO_COPY_H

#include "device_frame.h"
#include "swapchain.h"

/* UIS_CAPTURE as a UIS_CAPTURE_*; an unknown word is said and taken as host. */
uint32_t uis_zero_copy_mode(void);

/* --- devices (zero_copy_device.c) --- */

#define UIS_ZERO_COPY_EXTENSIONS 3

/* What vkCreateDevice needs besides what the app asks for. Holds copies of the app's structures,
 * so it must outlive the call. */
typedef struct uis_zero_copy_plan {
    bool possible;
    uint32_t extension_count;
    const char *extensions[UIS_ZERO_COPY_EXTENSIONS]; /* those to be added */
    const void *chain;                                /* for VkDeviceCreateInfo.pNext */
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    void *copies[8]; /* malloc'ed; the app's structures before and with the one changed */
    uint32_t copy_count;
    VkBaseOutStructure *relinked; /* a structure of the loader's whose pNext was changed */
    VkBaseOutStructure *relinked_next;
    uint8_t uuid[VK_UUID_SIZE];
    char problem[200]; /* when not possible and wanted; else empty */
} uis_zero_copy_plan;

void uis_zero_copy_make_plan(uis_instance *instance, VkPhysicalDevice physical,
                             const VkDeviceCreateInfo *info, uint32_t offered_count,
                             const VkExtensionProperties *offered, uis_zero_copy_plan *plan);
/* Frees the copies and mends the loader's chain; after vkCreateDevice. */
void uis_zero_copy_drop_plan(uis_zero_copy_plan *plan);
/* Finds the GPU in CUDA; fills device->cuda or device->no_zero_copy. */
void uis_zero_copy_open_device(uis_device *device, const uis_zero_copy_plan *plan);
void uis_zero_copy_close_device(uis_device *device);

/* --- images (zero_copy.c) --- */

/* True when images like INFO can be exported from DEVICE; else the reason goes to `why`. */
bool uis_zero_copy_can_export(uis_device *device, const VkImageCreateInfo *info, char *why,
                              size_t why_size);
/* Makes the image's semaphore; its memory, of `size` bytes, is exportable. */
VkResult uis_zero_copy_export(uis_swapchain *swapchain, uis_image *image, VkDeviceSize size,
                              bool dedicated);
/* Imports a main window's images, once; settles swapchain->on_device and the ring's header. */
void uis_zero_copy_prepare(uis_swapchain *swapchain);
/* The semaphore and the value that the present of IMAGE is to signal. */
VkSemaphore uis_zero_copy_signal(uis_image *image, uint64_t *value);

/* True while presents of the swapchain are to be copied on the GPU. */
bool uis_zero_copy_wants(const uis_swapchain *swapchain);
/* A present that is copied on the GPU and nowhere else. */
bool uis_zero_copy_alone(const uis_swapchain *swapchain, const uis_image *image);
/* Enqueues CUDA's wait and copy of a present that was submitted. False: lost, counted. */
bool uis_zero_copy_begin(uis_swapchain *swapchain, uis_image *image);
/* Waits until the copy is done; the present's fence has signalled. False: lost, counted. */
bool uis_zero_copy_finish(uis_swapchain *swapchain, uis_image *image);
/* Gives up zero-copy for the swapchain, saying why, after a copy was begun or tried that never
 * ended well: it is counted lost, its slot stays out of use (the GPU may still write to it), and
 * later presents are captured to the host. */
void uis_zero_copy_abandon(uis_swapchain *swapchain, const char *why);
/* Compares the finished copy with PIXELS, tightly packed, and counts. */
void uis_zero_copy_compare(uis_swapchain *swapchain, uis_image *image, const uint8_t *pixels);
void uis_zero_copy_publish(uis_image *image);

/* Frees what export and prepare made. */
void uis_zero_copy_release(uis_swapchain *swapchain);

#endif
