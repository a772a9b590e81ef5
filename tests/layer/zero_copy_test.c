/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Presents frames of noise through the layer and says what became of them, as JSON on stdout: how
 * many were captured to the host, stayed on the GPU, were equal in both (UIS_CAPTURE=verify), and
 * what a present took. The environment is wsi_test.c's, with the layer's own variables besides.
 *
 *     zero_copy_test WIDTH HEIGHT FRAMES [VARIANT [TIMES]]
 *
 * VARIANT is how the app makes its device: "1.0", "1.1" and "1.2" ask for that version and nothing
 * more; "timeline-on", "timeline-off" chain the extension's features, "v12-on", "v12-off" all of
 * Vulkan 1.2's, "v12-behind" those behind others; "opaque" has something before them that the
 * layer does not know. Default "1.2". TIMES is how often each frame is drawn, over itself, so that
 * the GPU is at it for a while; default 1. Exit status 0: all was presented; 77: no device to run
 * on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "surface.h"
#include "uisplice/frame_ring.h"

#define IN_FLIGHT 3
#define MAX_IMAGES 16
/* Bytes that the picture's place in the noise moves by from frame to frame, and how far. */
#define SHIFT 4004u
#define SHIFTS 64u

typedef struct turn {
    VkSemaphore acquired, drawn;
    VkFence fence;
    VkCommandBuffer commands;
} turn;

static VkInstance instance;
static bool headless;
static VkPhysicalDevice physical;
static VkDevice device;
static VkQueue queue;
static uis_ring *ring;
static uis_ring_header *header;
static bool stop_reading; /* (atomic) */

static void close_ring(void) {
    uis_ring_close(ring);
}

static bool passthrough(void) {
    const char *wsi = getenv("UIS_WSI");
    return wsi && strcmp(wsi, "passthrough") == 0;
}

static void make_instance(uint32_t version) {
    uint32_t count = 0;
    VK(vkEnumerateInstanceExtensionProperties(NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count, sizeof *list);
    VK(vkEnumerateInstanceExtensionProperties(NULL, &count, list));
    for (uint32_t i = 0; i < count; i++)
        headless |= strcmp(list[i].extensionName, "VK_EXT_headless_surface") == 0;
    free(list);
    /* A driver asks the Wayland display that does not exist; the layer never does. */
    if (!headless && passthrough()) {
        fprintf(stderr, "no headless surfaces for passthrough\n");
        exit(77);
    }
    const char *const extensions[] = {
        "VK_KHR_surface",
        headless ? "VK_EXT_headless_surface" : "VK_KHR_wayland_surface",
        "VK_KHR_get_physical_device_properties2",
    };
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .apiVersion = version};
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &app,
        .enabledExtensionCount = 3,
        .ppEnabledExtensionNames = extensions,
    };
    uint32_t one = 1;
    if (vkCreateInstance(&info, NULL, &instance) != VK_SUCCESS) {
        fprintf(stderr, "no Vulkan with headless or Wayland surfaces\n");
        exit(77);
    }
    VkResult result = vkEnumeratePhysicalDevices(instance, &one, &physical);
    if (header->writer_error[0]) {
        fprintf(stderr, "%s\n", header->writer_error);
        exit(1);
    }
    if (result < 0 || one == 0) {
        fprintf(stderr, "no Vulkan device\n");
        exit(77);
    }
}

/* All in read-only memory: a layer that edits the app's structures in place ends here. */
static const VkPhysicalDeviceTimelineSemaphoreFeatures timeline_on = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
    .timelineSemaphore = VK_TRUE,
};
static const VkPhysicalDeviceTimelineSemaphoreFeatures timeline_off = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
};
static const VkPhysicalDeviceVulkan12Features v12_on = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
    .timelineSemaphore = VK_TRUE,
};
static const VkPhysicalDeviceVulkan12Features v12_off = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
};
static const VkPhysicalDeviceVulkan11Features behind_11 = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
    .pNext = (void *)&v12_off,
};
static const VkPhysicalDeviceFeatures2 behind = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
    .pNext = (void *)&behind_11,
};
static const VkPhysicalDeviceSubgroupSizeControlFeatures opaque = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
    .pNext = (void *)&v12_off,
};

static const struct variant {
    const char *name;
    uint32_t version;
    const void *chain;
} variants[] = {
    {"1.0", VK_API_VERSION_1_0, NULL},
    {"1.1", VK_API_VERSION_1_1, NULL},
    {"1.2", VK_API_VERSION_1_2, NULL},
    {"timeline-on", VK_API_VERSION_1_2, &timeline_on},
    {"timeline-off", VK_API_VERSION_1_2, &timeline_off},
    {"v12-on", VK_API_VERSION_1_2, &v12_on},
    {"v12-off", VK_API_VERSION_1_2, &v12_off},
    {"v12-behind", VK_API_VERSION_1_2, &behind},
    {"opaque", VK_API_VERSION_1_3, &opaque},
};

static const struct variant *find_variant(const char *name) {
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(variants[i].name, name) == 0)
            return &variants[i];
    fprintf(stderr, "no variant %s\n", name);
    exit(2);
}

/* A family that renders; not always the first. */
static uint32_t graphics_family(void) {
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    for (uint32_t i = 0; i < count; i++)
        if (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)
            return i;
    return 0;
}

static void make_device(const void *chain, uint32_t family) {
    static const char *const extensions[] = {"VK_KHR_swapchain", "VK_KHR_incremental_present"};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queues = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueFamilyIndex = family,
                                            .queueCount = 1,
                                            .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = chain,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queues,
        .enabledExtensionCount = 2,
        .ppEnabledExtensionNames = extensions,
    };
    VK(vkCreateDevice(physical, &info, NULL, &device));
    vkGetDeviceQueue(device, family, 0, &queue);
}

static void make_turn(turn *t, VkCommandPool pool) {
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    VK(vkCreateSemaphore(device, &semaphore, NULL, &t->acquired));
    VK(vkCreateSemaphore(device, &semaphore, NULL, &t->drawn));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                                     .flags = VK_FENCE_CREATE_SIGNALED_BIT};
    VK(vkCreateFence(device, &fence, NULL, &t->fence));
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .commandBufferCount = 1,
    };
    VK(vkAllocateCommandBuffers(device, &commands, &t->commands));
}

static void free_turn(turn *t) {
    vkDestroySemaphore(device, t->acquired, NULL);
    vkDestroySemaphore(device, t->drawn, NULL);
    vkDestroyFence(device, t->fence, NULL);
}

static VkBuffer make_noise(VkDeviceSize size, VkDeviceMemory *memory) {
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = size,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT};
    VkBuffer buffer;
    VK(vkCreateBuffer(device, &info, NULL, &buffer));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(device, buffer, &needs);
    VkPhysicalDeviceMemoryProperties types;
    vkGetPhysicalDeviceMemoryProperties(physical, &types);
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = 0;
    while (type < types.memoryTypeCount &&
           (!(needs.memoryTypeBits & (1u << type)) ||
            (types.memoryTypes[type].propertyFlags & wanted) != wanted))
        type++;
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .allocationSize = needs.size,
                                           .memoryTypeIndex = type};
    VK(vkAllocateMemory(device, &allocate, NULL, memory));
    VK(vkBindBufferMemory(device, buffer, *memory, 0));
    void *map;
    VK(vkMapMemory(device, *memory, 0, VK_WHOLE_SIZE, 0, &map));
    uint32_t *words = map, state = 2463534242u;
    for (VkDeviceSize i = 0; i < size / 4; i++) {
        state ^= state << 13; /* xorshift32 */
        state ^= state >> 17;
        state ^= state << 5;
        words[i] = state;
    }
    vkUnmapMemory(device, *memory);
    return buffer;
}

static void barrier(VkCommandBuffer commands, VkImage image, VkAccessFlags from_access,
                    VkAccessFlags to_access, VkImageLayout from, VkImageLayout to) {
    const VkImageMemoryBarrier info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = from_access,
        .dstAccessMask = to_access,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         0, 0, NULL, 0, NULL, 1, &info);
}

/* A flat colour, then noise over it: a copy that comes too early shows something else. */
static void record(VkCommandBuffer commands, VkImage image, VkExtent2D extent, VkBuffer noise,
                   uint32_t frame, uint32_t times) {
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VK(vkBeginCommandBuffer(commands, &begin));
    barrier(commands, image, 0, VK_ACCESS_TRANSFER_WRITE_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
            VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    const VkClearColorValue colour = {.float32 = {(float)(frame % 7) / 7, 0.5f, 0.25f, 1}};
    const VkImageSubresourceRange all = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    for (uint32_t i = 0; i < times; i++) {
        vkCmdClearColorImage(commands, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, &colour, 1,
                             &all);
        barrier(commands, image, VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
        const VkBufferImageCopy region = {
            .bufferOffset = (VkDeviceSize)(frame % SHIFTS) * SHIFT,
            .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
            .imageExtent = {extent.width, extent.height, 1},
        };
        vkCmdCopyBufferToImage(commands, noise, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                               &region);
        barrier(commands, image, VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    }
    barrier(commands, image, VK_ACCESS_TRANSFER_WRITE_BIT, 0, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
            VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
    VK(vkEndCommandBuffer(commands));
}

static void present(VkSwapchainKHR chain, const VkImage *images, VkExtent2D extent, VkBuffer noise,
                    uint32_t frame, uint32_t times, turn *t) {
    uint32_t index;
    VK(vkWaitForFences(device, 1, &t->fence, VK_TRUE, UINT64_MAX));
    VK(vkResetFences(device, 1, &t->fence));
    VK(vkAcquireNextImageKHR(device, chain, UINT64_MAX, t->acquired, VK_NULL_HANDLE, &index));
    record(t->commands, images[index], extent, noise, frame, times);
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &t->acquired,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &t->commands,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &t->drawn,
    };
    VK(vkQueueSubmit(queue, 1, &submit, t->fence));
    const VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &t->drawn,
        .swapchainCount = 1,
        .pSwapchains = &chain,
        .pImageIndices = &index,
    };
    VK(vkQueuePresentKHR(queue, &info));
}

static unsigned long long without_pixels; /* slots that say so; the reader's, then main's */

/* The recorder: takes what comes, as fast as it comes. */
static void *read_ring(void *unused) {
    (void)unused;
    while (!__atomic_load_n(&stop_reading, __ATOMIC_ACQUIRE)) {
        uint32_t seen = __atomic_load_n(&header->publish_word, __ATOMIC_ACQUIRE);
        uis_ring_slot *slot = uis_ring_take(ring, 0);
        if (slot) {
            if (slot->flags & UIS_SLOT_ON_DEVICE)
                without_pixels++;
            uis_ring_release(slot);
        } else {
            uis_ring_wait(ring, seen, 20000000);
        }
    }
    return NULL;
}

static void report(VkExtent2D extent, const char *variant, double seconds) {
    const uis_device_capture *d = &header->device;
    static const char *const modes[] = {"host", "device", "verify"};
    printf("{\"gpu\": \"%s\", \"width\": %u, \"height\": %u, \"variant\": \"%s\", "
           "\"wanted\": \"%s\", \"active\": \"%s\", \"presented\": %llu, \"published\": %llu, "
           "\"without_pixels\": %llu, \"superseded_in_ring\": %llu, \"lost\": %llu, \"copied\": "
           "%llu, \"device_lost\": %llu, \"superseded\": %llu, "
           "\"equal\": %llu, \"different\": %llu, \"timed\": %llu, \"present_median_us\": %.1f, "
           "\"present_p99_us\": %.1f, \"copy_median_us\": %.1f, \"frames_a_second\": %.1f, "
           "\"fallback\": \"%s\"}\n",
           header->device_name, extent.width, extent.height, variant, modes[d->wanted],
           modes[d->active], (unsigned long long)header->presented,
           (unsigned long long)header->published, without_pixels,
           (unsigned long long)header->superseded, (unsigned long long)header->lost,
           (unsigned long long)d->copied, (unsigned long long)d->lost,
           (unsigned long long)d->superseded, (unsigned long long)d->equal,
           (unsigned long long)d->different, (unsigned long long)d->presents,
           (double)d->median_ns / 1e3, (double)d->p99_ns / 1e3, (double)d->copy_ns / 1e3,
           (double)header->presented / seconds, d->fallback);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "zero_copy_test WIDTH HEIGHT FRAMES [VARIANT [TIMES]]\n");
        return 2;
    }
    const VkExtent2D extent = {(uint32_t)strtoul(argv[1], NULL, 10),
                               (uint32_t)strtoul(argv[2], NULL, 10)};
    uint32_t frames = (uint32_t)strtoul(argv[3], NULL, 10);
    const struct variant *variant = find_variant(argc > 4 ? argv[4] : "1.2");
    uint32_t times = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1;
    char name[64], error[256];
    snprintf(name, sizeof name, "/uisplice-zero-copy-%d", (int)getpid());
    if (uis_ring_create(name, extent.width, extent.height, 12, UIS_ENCODE_RECORDER, &ring, error,
                        sizeof error) != 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    atexit(close_ring);
    header = uis_ring_get_header(ring);
    setenv("UIS_RING", name, 1);
    make_instance(variant->version);
    if (__atomic_load_n(&header->writer_state, __ATOMIC_ACQUIRE) != UIS_WRITER_ATTACHED) {
        fprintf(stderr, "the layer is not loaded (set VK_INSTANCE_LAYERS)\n");
        return 1;
    }
    uint32_t family = graphics_family();
    make_device(variant->chain, family);
    VkSurfaceKHR surface = make_surface(instance, headless);
    VkBool32 supported = VK_FALSE;
    VkResult result = vkGetPhysicalDeviceSurfaceSupportKHR(physical, family, surface, &supported);
    if (result != VK_SUCCESS || !supported) {
        fprintf(stderr, "the queue family cannot present (VkResult %d)\n", result);
        return passthrough() ? 77 : 1; /* the layer's own answer is yes */
    }
    const VkSwapchainCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
        .surface = surface,
        .minImageCount = 3,
        .imageFormat = VK_FORMAT_B8G8R8A8_UNORM,
        .imageColorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
        .imageExtent = extent,
        .imageArrayLayers = 1,
        /* As Chrome and ANGLE ask for it. */
        .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                      VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_SAMPLED_BIT |
                      VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT,
        .preTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
        .presentMode = VK_PRESENT_MODE_FIFO_KHR,
        .clipped = VK_TRUE,
    };
    VkSwapchainKHR chain;
    VK(vkCreateSwapchainKHR(device, &info, NULL, &chain));
    VkImage images[MAX_IMAGES];
    uint32_t count = MAX_IMAGES;
    VK(vkGetSwapchainImagesKHR(device, chain, &count, images));

    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = family,
    };
    VkCommandPool pool;
    VK(vkCreateCommandPool(device, &pool_info, NULL, &pool));
    turn turns[IN_FLIGHT];
    for (int i = 0; i < IN_FLIGHT; i++)
        make_turn(&turns[i], pool);
    VkDeviceMemory memory;
    VkBuffer noise =
        make_noise((VkDeviceSize)extent.width * extent.height * 4 + SHIFTS * SHIFT, &memory);

    pthread_t reader;
    pthread_create(&reader, NULL, read_ring, NULL);
    uint64_t started = uis_now_ns();
    for (uint32_t frame = 0; frame < frames; frame++)
        present(chain, images, extent, noise, frame, times, &turns[frame % IN_FLIGHT]);
    VK(vkDeviceWaitIdle(device));
    double seconds = (double)(uis_now_ns() - started) / 1e9;
    vkDestroySwapchainKHR(device, chain, NULL); /* waits for what the layer still does */
    __atomic_store_n(&stop_reading, true, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);

    for (int i = 0; i < IN_FLIGHT; i++)
        free_turn(&turns[i]);
    vkDestroyCommandPool(device, pool, NULL);
    vkDestroyBuffer(device, noise, NULL);
    vkFreeMemory(device, memory, NULL);
    vkDestroySurfaceKHR(instance, surface, NULL);
    vkDestroyDevice(device, NULL);
    vkDestroyInstance(instance, NULL);
    report(extent, variant->name, seconds);
    return 0;
}
