/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copy of presented images and the worker thread; see readback.h. */
#define _GNU_SOURCE
#include "readback.h"

#include <stdlib.h>
#include <string.h>

#include "host_import.h"
#include "log.h"
#include "uisplice/thread_signals.h"
#include "zero_copy.h"

#define FENCE_SLICE_NS 100000000u /* between looks at whether to go on waiting */
#define SLOW_FENCE_NS 5000000000u /* then the log says that the GPU hangs */
/* Slots a reader may hold at a time: the standing frame, the newest, the next. */
#define READER_SLOTS 3
/* Presents between two looks at what they cost. */
#define COST_EVERY 64

typedef struct uis_job {
    struct uis_job *next_job;
    uis_swapchain *swapchain;
    uint32_t index;
} uis_job;

struct uis_readback {
    uis_device *device;
    pthread_t thread;
    pthread_mutex_t lock; /* the fields below */
    pthread_cond_t wake;
    uis_job *first;
    uis_job *last;
    bool stop;
};

/* Success, an error, or VK_TIMEOUT when the swapchain's destruction gave up. */
static VkResult wait_fence(uis_swapchain *swapchain, VkFence fence) {
    uis_device *device = swapchain->device;
    uint64_t started = uis_now_ns();
    bool said = false;
    for (;;) {
        VkResult result =
            device->next.WaitForFences(device->handle, 1, &fence, VK_TRUE, FENCE_SLICE_NS);
        if (result != VK_TIMEOUT)
            return result;
        pthread_mutex_lock(&swapchain->lock);
        bool abandoned = swapchain->abandoned;
        pthread_mutex_unlock(&swapchain->lock);
        if (abandoned)
            return VK_TIMEOUT;
        if (!said && uis_now_ns() - started > SLOW_FENCE_NS) {
            said = true;
            uis_log(UIS_LOG_WARNING, "a present has not finished on the GPU for 5 s");
        }
    }
}

/* `compare`: the frame's copy on the GPU is there, to be compared with these pixels. */
static void store(uis_swapchain *swapchain, uis_image *image, bool compare) {
    uis_device *device = swapchain->device;
    if (image->slot) {
        if (compare)
            uis_zero_copy_compare(swapchain, image, uis_ring_slot_pixels(image->slot));
        uis_capture_publish(image->slot);
        image->slot = NULL;
        return;
    }
    if (!swapchain->coherent) {
        const VkMappedMemoryRange range = {
            .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
            .memory = image->host_memory,
            .size = VK_WHOLE_SIZE,
        };
        VkResult result = device->next.InvalidateMappedMemoryRanges(device->handle, 1, &range);
        if (result != VK_SUCCESS) {
            uis_capture_lost();
            uis_capture_fail("vkInvalidateMappedMemoryRanges failed (VkResult %d)", result);
            return;
        }
    }
    if (compare)
        uis_zero_copy_compare(swapchain, image, image->pixels);
    uis_capture_store(&image->frame, image->pixels);
}

static void finish(uis_job *job) {
    uis_swapchain *swapchain = job->swapchain;
    uis_image *image = &swapchain->images[job->index];
    /* Enqueued before the fence is waited for: the GPU goes from the present to the copy
     * without the CPU. */
    bool copying = image->on_device && uis_zero_copy_begin(swapchain, image);
    VkResult result = wait_fence(swapchain, image->fence);
    if (copying) {
        if (result != VK_SUCCESS)
            uis_zero_copy_abandon(swapchain, "a present never finished");
        copying = result == VK_SUCCESS && uis_zero_copy_finish(swapchain, image);
    }
    if (image->capture) {
        /* A copy that may still run while its slot serves another frame would
         * spoil that one: nothing more is captured here. Told before the slot is
         * free again. */
        if (result < 0 || (result != VK_SUCCESS && image->slot))
            uis_capture_fail("waiting for a frame failed (VkResult %d)", result);
        if (result == VK_SUCCESS) {
            store(swapchain, image, copying);
        } else {
            uis_readback_cancel(image);
            uis_capture_lost();
        }
    }
    if (copying)
        uis_zero_copy_publish(image);
    if (uis_zero_copy_alone(swapchain, image)) {
        /* The ring names it once it is there to be taken. */
        if (copying)
            uis_capture_announce(&image->frame);
        else
            uis_capture_lost();
    }
    if ((image->capture || image->on_device) && image->frame.sequence % COST_EVERY == 0)
        uis_capture_costs();
    pthread_mutex_lock(&swapchain->lock);
    if (result < 0)
        swapchain->status = result;
    /* An image whose fence never signalled stays the GPU's for good. */
    if (result == VK_SUCCESS) {
        image->state = UIS_IMAGE_FREE;
        image->job = false;
    }
    swapchain->jobs--;
    pthread_cond_broadcast(&swapchain->changed);
    pthread_mutex_unlock(&swapchain->lock);
}

static void *work(void *argument) {
    struct uis_readback *readback = argument;
    /* Its own name, for another thread's is written to a file, which a sandbox refuses. */
    pthread_setname_np(pthread_self(), "uisplice");
    pthread_mutex_lock(&readback->lock);
    for (;;) {
        while (!readback->first && !readback->stop)
            pthread_cond_wait(&readback->wake, &readback->lock);
        uis_job *job = readback->first;
        if (!job)
            break;
        readback->first = job->next_job;
        if (!readback->first)
            readback->last = NULL;
        pthread_mutex_unlock(&readback->lock);
        finish(job);
        free(job);
        pthread_mutex_lock(&readback->lock);
    }
    pthread_mutex_unlock(&readback->lock);
    return NULL;
}

bool uis_readback_start(uis_device *device) {
    pthread_mutex_lock(&device->lock);
    struct uis_readback *readback = device->readback;
    if (!readback && (readback = calloc(1, sizeof *readback))) {
        readback->device = device;
        pthread_mutex_init(&readback->lock, NULL);
        pthread_cond_init(&readback->wake, NULL);
        sigset_t before;
        uis_block_sent_signals(&before);
        int error = pthread_create(&readback->thread, NULL, work, readback);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error) {
            uis_log(UIS_LOG_ERROR, "cannot start the readback thread: %s", strerror(error));
            pthread_cond_destroy(&readback->wake);
            pthread_mutex_destroy(&readback->lock);
            free(readback);
            readback = NULL;
        } else {
            device->readback = readback;
        }
    }
    pthread_mutex_unlock(&device->lock);
    return readback != NULL;
}

void uis_readback_stop(uis_device *device) {
    struct uis_readback *readback = device->readback;
    if (!readback)
        return;
    pthread_mutex_lock(&readback->lock);
    readback->stop = true;
    pthread_cond_signal(&readback->wake);
    pthread_mutex_unlock(&readback->lock);
    pthread_join(readback->thread, NULL);
    pthread_cond_destroy(&readback->wake);
    pthread_mutex_destroy(&readback->lock);
    free(readback);
    device->readback = NULL;
}

void uis_readback_push(uis_swapchain *swapchain, uint32_t index) {
    struct uis_readback *readback = swapchain->device->readback;
    pthread_mutex_lock(&swapchain->lock);
    swapchain->jobs++;
    swapchain->images[index].job = true;
    pthread_mutex_unlock(&swapchain->lock);
    uis_job *job = calloc(1, sizeof *job);
    if (!job) {
        /* No memory for 24 bytes: finish it here rather than lose the image. */
        uis_job here = {.swapchain = swapchain, .index = index};
        finish(&here);
        return;
    }
    job->swapchain = swapchain;
    job->index = index;
    pthread_mutex_lock(&readback->lock);
    if (readback->last)
        readback->last->next_job = job;
    else
        readback->first = job;
    readback->last = job;
    pthread_cond_signal(&readback->wake);
    pthread_mutex_unlock(&readback->lock);
}

static VkDeviceSize frame_bytes(const uis_swapchain *swapchain) {
    return (VkDeviceSize)swapchain->extent.width * swapchain->extent.height * 4;
}

/* One image's host buffer. Cached memory, since reading uncached memory on the
 * CPU is many times slower; coherent besides if there is such a type. */
static VkResult make_host_buffer(uis_swapchain *swapchain, uis_image *image) {
    uis_device *device = swapchain->device;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = frame_bytes(swapchain),
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkResult result = device->next.CreateBuffer(device->handle, &info, NULL, &image->host_buffer);
    if (result != VK_SUCCESS) {
        image->host_buffer = VK_NULL_HANDLE; /* a failed call may have written anything there */
        return result;
    }
    VkMemoryRequirements needs;
    device->next.GetBufferMemoryRequirements(device->handle, image->host_buffer, &needs);
    static const VkMemoryPropertyFlags wishes[] = {
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT |
            VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    };
    uint32_t type = UINT32_MAX;
    for (size_t i = 0; type == UINT32_MAX && i < sizeof wishes / sizeof wishes[0]; i++) {
        type = uis_memory_type(device, needs.memoryTypeBits, wishes[i]);
        swapchain->coherent = wishes[i] & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    }
    if (type == UINT32_MAX)
        return VK_ERROR_FEATURE_NOT_PRESENT;
    const VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = type,
    };
    result = device->next.AllocateMemory(device->handle, &allocate, NULL, &image->host_memory);
    if (result != VK_SUCCESS) {
        image->host_memory = VK_NULL_HANDLE;
        return result;
    }
    result =
        device->next.BindBufferMemory(device->handle, image->host_buffer, image->host_memory, 0);
    if (result != VK_SUCCESS)
        return result;
    void *map = NULL;
    result = device->next.MapMemory(device->handle, image->host_memory, 0, VK_WHOLE_SIZE, 0, &map);
    image->pixels = map;
    return result;
}

/* Records the copy to TARGET unless that is what was recorded last: a buffer of
 * the image's own is recorded once, a ring slot when the image last used another.
 * The copy's last submission has ended. */
static VkResult record_copy(uis_swapchain *swapchain, uis_image *image, VkBuffer target,
                            VkDeviceSize offset) {
    uis_device *device = swapchain->device;
    if (image->copy_target == target && image->copy_offset == offset)
        return VK_SUCCESS;
    image->copy_target = VK_NULL_HANDLE;
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
    };
    VkResult result = device->next.BeginCommandBuffer(image->copy, &begin);
    if (result != VK_SUCCESS)
        return result;
    VkImageMemoryBarrier image_barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
        .oldLayout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
        .newLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image->image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    /* All commands, not only the semaphores' transfer stage: an app may order
     * rendering and present by the queue alone. */
    device->next.CmdPipelineBarrier(image->copy, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                    VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL, 1,
                                    &image_barrier);
    const VkBufferImageCopy region = {
        .bufferOffset = offset,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageExtent = {swapchain->extent.width, swapchain->extent.height, 1},
    };
    device->next.CmdCopyImageToBuffer(image->copy, image->image,
                                      VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, target, 1, &region);
    const VkBufferMemoryBarrier buffer_barrier = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .buffer = target,
        .offset = offset,
        .size = frame_bytes(swapchain),
    };
    image_barrier.srcAccessMask = VK_ACCESS_TRANSFER_READ_BIT;
    image_barrier.dstAccessMask = 0;
    image_barrier.oldLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
    image_barrier.newLayout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR;
    device->next.CmdPipelineBarrier(image->copy, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                    VK_PIPELINE_STAGE_HOST_BIT |
                                        VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                                    0, 0, NULL, 1, &buffer_barrier, 1, &image_barrier);
    result = device->next.EndCommandBuffer(image->copy);
    if (result != VK_SUCCESS)
        return result;
    image->copy_target = target;
    image->copy_offset = offset;
    return VK_SUCCESS;
}

static VkResult prepare(uis_swapchain *swapchain, uint32_t family, const char **what) {
    uis_device *device = swapchain->device;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = family,
    };
    *what = "vkCreateCommandPool";
    VkResult result =
        device->next.CreateCommandPool(device->handle, &pool, NULL, &swapchain->copy_pool);
    if (result != VK_SUCCESS) {
        swapchain->copy_pool = VK_NULL_HANDLE;
        return result;
    }
    swapchain->copy_family = family;
    const VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = swapchain->copy_pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        uis_image *image = &swapchain->images[i];
        *what = "a host buffer";
        if (!swapchain->ring_buffer && !image->pixels &&
            (result = make_host_buffer(swapchain, image)) != VK_SUCCESS)
            return result;
        *what = "a semaphore";
        if (swapchain->passthrough && !image->copied &&
            (result = device->next.CreateSemaphore(device->handle, &semaphore, NULL,
                                                   &image->copied)) != VK_SUCCESS) {
            image->copied = VK_NULL_HANDLE;
            return result;
        }
        *what = "vkAllocateCommandBuffers";
        result = device->next.AllocateCommandBuffers(device->handle, &allocate, &image->copy);
        if (result != VK_SUCCESS)
            return result;
        /* The loader only knows command buffers that the app allocated. */
        *what = "the loader's data for a command buffer";
        result = device->set_loader_data(device->handle, image->copy);
        if (result != VK_SUCCESS)
            return result;
    }
    return VK_SUCCESS;
}

static void drop_pool(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    if (swapchain->copy_pool)
        device->next.DestroyCommandPool(device->handle, swapchain->copy_pool, NULL);
    swapchain->copy_pool = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        swapchain->images[i].copy = NULL;
        swapchain->images[i].copy_target = VK_NULL_HANDLE;
    }
    swapchain->capture_ready = false;
}

/* Copies may go straight into the ring when its slots hold these images as they
 * are, and when enough slots are left while the GPU writes the others. */
static VkBuffer straight_target(const uis_swapchain *swapchain, bool swap_red_blue) {
    if (swap_red_blue || !uis_capture_fits(swapchain->extent.width, swapchain->extent.height))
        return VK_NULL_HANDLE;
    if (uis_capture_slots() < swapchain->image_count + READER_SLOTS) {
        static bool said; /* (atomic) each resize comes here */
        if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
            uis_log(UIS_LOG_INFO,
                    "the ring's %u slots are too few for the GPU to write %u of "
                    "them: frames are copied twice",
                    uis_capture_slots(), swapchain->image_count);
        return VK_NULL_HANDLE;
    }
    return uis_host_import_buffer(swapchain->device);
}

/* What all frames of a swapchain share. */
static bool set_up(uis_swapchain *swapchain, uint32_t family) {
    if (swapchain->capture_ready && swapchain->copy_family == family)
        return true;
    bool swap;
    if (!uis_capture_format(swapchain->format, &swap)) {
        uis_capture_fail("the main window's swapchain has VkFormat %d, which is not 8-bit BGRA "
                         "or RGBA",
                         swapchain->format);
        return false;
    }
    if (!(swapchain->usage & VK_IMAGE_USAGE_TRANSFER_SRC_BIT)) {
        uis_capture_fail("the surface does not let swapchain images be copied (no TRANSFER_SRC)");
        return false;
    }
    if (swapchain->capture_ready) {
        /* Presents moved to another queue family: the pool is only free to go
         * when its last copies have ended. The worker ends them soon. */
        pthread_mutex_lock(&swapchain->lock);
        bool busy = swapchain->jobs != 0;
        pthread_mutex_unlock(&swapchain->lock);
        if (busy)
            return false;
        drop_pool(swapchain);
    }
    swapchain->ring_buffer = straight_target(swapchain, swap);
    const char *what = "";
    VkResult result = prepare(swapchain, family, &what);
    if (result != VK_SUCCESS) {
        uis_capture_fail("cannot set up the copy of %ux%u images: %s failed (VkResult %d)",
                         swapchain->extent.width, swapchain->extent.height, what, result);
        return false;
    }
    swapchain->capture_ready = true;
    return true;
}

bool uis_readback_prepare(uis_swapchain *swapchain, uis_image *image, uint32_t family) {
    if (!set_up(swapchain, family))
        return false;
    VkBuffer target = image->host_buffer;
    VkDeviceSize offset = 0;
    if (swapchain->ring_buffer) {
        image->slot = uis_capture_begin(&image->frame);
        if (!image->slot)
            return false;
        uint64_t bytes;
        target = swapchain->ring_buffer;
        offset = (VkDeviceSize)(uis_ring_slot_pixels(image->slot) - uis_capture_memory(&bytes));
    }
    VkResult result = record_copy(swapchain, image, target, offset);
    if (result != VK_SUCCESS) {
        uis_readback_cancel(image);
        uis_capture_fail("recording the copy failed (VkResult %d)", result);
        return false;
    }
    return true;
}

void uis_readback_cancel(uis_image *image) {
    if (image->slot)
        uis_capture_cancel(image->slot);
    image->slot = NULL;
}

void uis_readback_release(uis_swapchain *swapchain) {
    uis_device *device = swapchain->device;
    drop_pool(swapchain);
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        uis_image *image = &swapchain->images[i];
        if (image->copied)
            device->next.DestroySemaphore(device->handle, image->copied, NULL);
        if (image->host_buffer)
            device->next.DestroyBuffer(device->handle, image->host_buffer, NULL);
        if (image->host_memory) /* freeing unmaps */
            device->next.FreeMemory(device->handle, image->host_memory, NULL);
        image->copied = VK_NULL_HANDLE;
        image->host_buffer = VK_NULL_HANDLE;
        image->host_memory = VK_NULL_HANDLE;
        image->pixels = NULL;
    }
}
