/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Drives the layer as an application would, without a window system or Chrome:
 * on a headless surface, or where the driver has none (Mesa 22) on a Wayland
 * surface of a display that does not exist, which the virtual swapchain never
 * looks at. Run with VK_ADD_LAYER_PATH and
 * VK_INSTANCE_LAYERS=VK_LAYER_UISPLICE_capture in the environment; add
 * VK_LAYER_KHRONOS_validation behind it to have the layer's own calls checked.
 * The first argument, if given, is the ring's number of slots: from 6 on the GPU
 * writes straight into them where the driver can, below it never does. "encode" as
 * the second has the layer start the encoder host alone; a third, "x264" or "nvenc",
 * has that open encoders.
 * Exit status 0: all checks held; 77: no device to run on.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "encode_link.h"
#include "surface.h"
#include "uisplice/frame_ring.h"

#define WIDTH 320
#define HEIGHT 200
#define MAX_IMAGES 8

/* The absolute time up to which this thread last asked to sleep, and how far that was away by
 * then; 0: it did not. */
static _Thread_local uint64_t slept_until_ns;
static _Thread_local int64_t sleep_ahead_ns;

/* Stands in front of libc's also for the layer. What an acquire waits for is then known to the
 * nanosecond; when the system wakes it up says more about the machine than about the layer. */
__attribute__((visibility("default"))) int
clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    if (clock == CLOCK_MONOTONIC && (flags & TIMER_ABSTIME)) {
        slept_until_ns = (uint64_t)until->tv_sec * 1000000000u + (uint64_t)until->tv_nsec;
        sleep_ahead_ns = (int64_t)(slept_until_ns - uis_now_ns());
    }
    return syscall(SYS_clock_nanosleep, clock, flags, until, left) == 0 ? 0 : errno;
}

static VkInstance instance;
static bool headless;
static VkPhysicalDevice physical;
static uis_ring *ring;
static uis_ring_header *header;

typedef struct device {
    VkDevice handle;
    VkQueue queue;
    pthread_mutex_t lock; /* what the app itself owes the queue */
    VkCommandPool pool;
} device;

typedef struct window {
    device *dev;
    VkSurfaceKHR surface;
    VkSwapchainKHR chain;
    VkExtent2D extent;
    uint32_t count;
    VkImage images[MAX_IMAGES];
    VkSemaphore acquired, drawn;
    VkFence fence;
    VkCommandBuffer commands;
} window;

static void make_instance(void) {
    VkExtensionProperties list[128];
    uint32_t count = 128;
    VK(vkEnumerateInstanceExtensionProperties(NULL, &count, list));
    for (uint32_t i = 0; i < count; i++)
        headless |= strcmp(list[i].extensionName, "VK_EXT_headless_surface") == 0;
    const char *const extensions[] = {
        "VK_KHR_surface",
        headless ? "VK_EXT_headless_surface" : "VK_KHR_wayland_surface",
    };
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &app,
        .enabledExtensionCount = 2,
        .ppEnabledExtensionNames = extensions,
    };
    uint32_t one = 1;
    if (vkCreateInstance(&info, NULL, &instance) != VK_SUCCESS ||
        vkEnumeratePhysicalDevices(instance, &one, &physical) < 0 || one == 0) {
        fprintf(stderr, "no Vulkan device with headless or Wayland surfaces\n");
        exit(77);
    }
}

static bool has_extension(const char *name) {
    uint32_t count = 0;
    VK(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count, sizeof *list);
    VK(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, list));
    uint32_t times = 0;
    for (uint32_t i = 0; i < count; i++)
        times += strcmp(list[i].extensionName, name) == 0;
    CHECK(times <= 1, "%s is listed %u times", name, times);
    if (count > 1) {
        uint32_t fewer = count - 1;
        CHECK(vkEnumerateDeviceExtensionProperties(physical, NULL, &fewer, list) == VK_INCOMPLETE,
              "a short extension list is not VK_INCOMPLETE");
    }
    free(list);
    return times != 0;
}

static void make_device(device *dev) {
    static const char *const extensions[] = {"VK_KHR_swapchain", "VK_KHR_incremental_present"};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = 2,
        .ppEnabledExtensionNames = extensions,
    };
    VK(vkCreateDevice(physical, &info, NULL, &dev->handle));
    vkGetDeviceQueue(dev->handle, 0, 0, &dev->queue);
    pthread_mutex_init(&dev->lock, NULL);
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
    };
    VK(vkCreateCommandPool(dev->handle, &pool, NULL, &dev->pool));
}

static void free_device(device *dev) {
    VK(vkDeviceWaitIdle(dev->handle));
    vkDestroyCommandPool(dev->handle, dev->pool, NULL);
    vkDestroyDevice(dev->handle, NULL);
    pthread_mutex_destroy(&dev->lock);
}

static VkResult make_chain(window *win, VkExtent2D extent, VkFormat format, VkPresentModeKHR mode) {
    const VkSwapchainCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
        .surface = win->surface,
        .minImageCount = 3,
        .imageFormat = format,
        .imageColorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
        .imageExtent = extent,
        .imageArrayLayers = 1,
        .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        .preTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
        .presentMode = mode,
        .clipped = VK_TRUE,
        .oldSwapchain = win->chain,
    };
    VkResult result = vkCreateSwapchainKHR(win->dev->handle, &info, NULL, &win->chain);
    win->extent = extent;
    win->count = MAX_IMAGES;
    if (result == VK_SUCCESS)
        VK(vkGetSwapchainImagesKHR(win->dev->handle, win->chain, &win->count, win->images));
    return result;
}

static void make_window(window *win, device *dev, VkExtent2D extent, VkFormat format,
                        VkPresentModeKHR mode) {
    memset(win, 0, sizeof *win);
    win->dev = dev;
    win->surface = make_surface(instance, headless);
    VkBool32 supported = VK_FALSE;
    VK(vkGetPhysicalDeviceSurfaceSupportKHR(physical, 0, win->surface, &supported));
    CHECK(supported, "the queue family cannot present");
    VkSurfaceCapabilitiesKHR caps;
    VK(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(physical, win->surface, &caps));
    VkSurfaceFormatKHR formats[8];
    uint32_t count = 8;
    VK(vkGetPhysicalDeviceSurfaceFormatsKHR(physical, win->surface, &count, formats));
    CHECK(count && formats[0].format == VK_FORMAT_B8G8R8A8_UNORM, "BGRA is not the first format");
    VkPresentModeKHR modes[8];
    count = 8;
    VK(vkGetPhysicalDeviceSurfacePresentModesKHR(physical, win->surface, &count, modes));
    VK(make_chain(win, extent, format, mode));
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    VK(vkCreateSemaphore(dev->handle, &semaphore, NULL, &win->acquired));
    VK(vkCreateSemaphore(dev->handle, &semaphore, NULL, &win->drawn));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK(vkCreateFence(dev->handle, &fence, NULL, &win->fence));
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = dev->pool,
        .commandBufferCount = 1,
    };
    VK(vkAllocateCommandBuffers(dev->handle, &commands, &win->commands));
}

static void free_window(window *win) {
    VkDevice handle = win->dev->handle;
    pthread_mutex_lock(&win->dev->lock);
    VK(vkQueueWaitIdle(win->dev->queue));
    pthread_mutex_unlock(&win->dev->lock);
    vkDestroySwapchainKHR(handle, win->chain, NULL);
    vkFreeCommandBuffers(handle, win->dev->pool, 1, &win->commands);
    vkDestroySemaphore(handle, win->acquired, NULL);
    vkDestroySemaphore(handle, win->drawn, NULL);
    vkDestroyFence(handle, win->fence, NULL);
    vkDestroySurfaceKHR(instance, win->surface, NULL);
}

/* Acquires and clears an image to a colour; it then waits to be presented. */
static uint32_t draw(window *win, const float rgba[4]) {
    device *dev = win->dev;
    uint32_t index = UINT32_MAX;
    VK(vkAcquireNextImageKHR(dev->handle, win->chain, UINT64_MAX, win->acquired, VK_NULL_HANDLE,
                             &index));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VK(vkBeginCommandBuffer(win->commands, &begin));
    VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .newLayout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = win->images[index],
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    vkCmdPipelineBarrier(win->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
    VkClearColorValue colour;
    memcpy(colour.float32, rgba, sizeof colour.float32);
    vkCmdClearColorImage(win->commands, barrier.image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                         &colour, 1, &barrier.subresourceRange);
    barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
    barrier.dstAccessMask = 0;
    barrier.oldLayout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL;
    barrier.newLayout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR;
    vkCmdPipelineBarrier(win->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
    VK(vkEndCommandBuffer(win->commands));
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &win->acquired,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &win->commands,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &win->drawn,
    };
    pthread_mutex_lock(&dev->lock);
    VK(vkQueueSubmit(dev->queue, 1, &submit, win->fence));
    pthread_mutex_unlock(&dev->lock);
    VK(vkWaitForFences(dev->handle, 1, &win->fence, VK_TRUE, UINT64_MAX));
    VK(vkResetFences(dev->handle, 1, &win->fence));
    return index;
}

static VkResult present(window *win, uint32_t index, const VkPresentRegionsKHR *regions) {
    const VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .pNext = regions,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &win->drawn,
        .swapchainCount = 1,
        .pSwapchains = &win->chain,
        .pImageIndices = &index,
    };
    pthread_mutex_lock(&win->dev->lock);
    VkResult result = vkQueuePresentKHR(win->dev->queue, &info);
    pthread_mutex_unlock(&win->dev->lock);
    return result;
}

/* What has to come comes within this time, also on a machine that has much else to do. */
#define PATIENCE_NS 10000000000u

/* The next frame in the ring, or NULL: none came. */
static uis_ring_slot *take(void) {
    uint64_t end = uis_now_ns() + PATIENCE_NS;
    while (uis_now_ns() < end) {
        uint32_t seen = __atomic_load_n(&header->publish_word, __ATOMIC_ACQUIRE);
        uis_ring_slot *slot = uis_ring_take(ring, 0);
        if (slot)
            return slot;
        uis_ring_wait(ring, seen, 100000000);
    }
    return NULL;
}

/* Presents that have reached the ring, or are known not to. */
static uint64_t settled(void) {
    return __atomic_load_n(&header->published, __ATOMIC_ACQUIRE) +
           __atomic_load_n(&header->lost, __ATOMIC_ACQUIRE);
}

/* Takes and forgets every frame presented until now. */
static void drain(void) {
    uint64_t end = uis_now_ns() + PATIENCE_NS;
    while (settled() < __atomic_load_n(&header->presented, __ATOMIC_ACQUIRE) && uis_now_ns() < end)
        usleep(1000);
    for (uis_ring_slot *slot; (slot = uis_ring_take(ring, 0));)
        uis_ring_release(slot);
}

static void expect_frame(const uint8_t bgra[4], uint64_t sequence, uint32_t flags,
                         uint32_t damage_count, const uis_rect *damage) {
    uis_ring_slot *slot = take();
    CHECK(slot, "no frame came");
    if (!slot)
        return;
    const uint8_t *pixels = uis_ring_slot_pixels(slot);
    CHECK(slot->sequence == sequence, "sequence %llu, not %llu", (unsigned long long)slot->sequence,
          (unsigned long long)sequence);
    CHECK(slot->flags == flags, "flags %u, not %u", slot->flags, flags);
    CHECK(slot->present_ns && slot->ready_ns >= slot->present_ns, "times run backwards");
    size_t wrong = 0;
    for (uint32_t y = 0; y < slot->height; y++)
        for (uint32_t x = 0; x < slot->width; x++)
            wrong += memcmp(pixels + (size_t)y * slot->stride + 4 * x, bgra, 4) != 0;
    CHECK(wrong == 0, "%zu pixels differ, first %u,%u,%u,%u", wrong, pixels[0], pixels[1],
          pixels[2], pixels[3]);
    CHECK(slot->damage_count == damage_count, "%u damage rectangles, not %u", slot->damage_count,
          damage_count);
    for (uint32_t i = 0; damage && i < damage_count && i < slot->damage_count; i++)
        CHECK(memcmp(&slot->damage[i], &damage[i], sizeof damage[i]) == 0,
              "damage %u is %d,%d %dx%d", i, slot->damage[i].x, slot->damage[i].y,
              slot->damage[i].w, slot->damage[i].h);
    uis_ring_release(slot);
}

static const VkExtent2D MAIN = {WIDTH, HEIGHT};
static const float RED[4] = {1, 0, 0, 1}, BLUE[4] = {0, 0, 1, 1};
static const uint8_t RED_BGRA[4] = {0, 0, 255, 255}, BLUE_BGRA[4] = {255, 0, 0, 255};

static uint64_t presented(void) {
    return __atomic_load_n(&header->presented, __ATOMIC_ACQUIRE);
}

static void test_pixels_and_damage(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_FIFO_KHR);
    uint64_t n = presented();

    uint32_t before = draw(&win, RED);
    VK(present(&win, before, NULL));
    expect_frame(RED_BGRA, n + 1, UIS_SLOT_DAMAGE_MISSING, 0, NULL);

    /* Clipped at all sides; the empty ones vanish. */
    const VkRectLayerKHR rects[] = {
        {{-10, -10}, {30, 30}, 0},
        {{300, 190}, {100, 100}, 0},
        {{5000, 0}, {10, 10}, 0},
        {{1, 2}, {3, 4}, 0},
    };
    const uis_rect clipped[] = {{0, 0, 20, 20}, {300, 190, 20, 10}, {1, 2, 3, 4}};
    VkPresentRegionKHR region = {4, rects};
    const VkPresentRegionsKHR regions = {VK_STRUCTURE_TYPE_PRESENT_REGIONS_KHR, NULL, 1, &region};
    uint32_t index = draw(&win, BLUE);
    CHECK(index != before, "image indices do not rotate");
    VK(present(&win, index, &regions));
    expect_frame(BLUE_BGRA, n + 2, 0, 3, clipped);

    /* More than a slot holds: their union. */
    VkRectLayerKHR many[40];
    for (int i = 0; i < 40; i++)
        many[i] = (VkRectLayerKHR){{i * 2, i * 3}, {10, 10}, 0};
    const uis_rect all = {0, 0, 88, 127};
    region = (VkPresentRegionKHR){40, many};
    VK(present(&win, draw(&win, RED), &regions));
    expect_frame(RED_BGRA, n + 3, 0, 1, &all);

    /* No rectangles: everything may have changed. */
    region = (VkPresentRegionKHR){0, NULL};
    VK(present(&win, draw(&win, RED), &regions));
    expect_frame(RED_BGRA, n + 4, UIS_SLOT_DAMAGE_MISSING, 0, NULL);
    free_window(&win);

    /* The role is free again, and RGBA becomes BGRA. */
    make_window(&win, &dev, MAIN, VK_FORMAT_R8G8B8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    VK(present(&win, draw(&win, BLUE), NULL));
    expect_frame(BLUE_BGRA, n + 5, UIS_SLOT_DAMAGE_MISSING, 0, NULL);
    free_window(&win);
    free_device(&dev);
}

static void test_acquire(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, (VkExtent2D){64, 64}, VK_FORMAT_B8G8R8A8_UNORM,
                VK_PRESENT_MODE_IMMEDIATE_KHR);
    uint32_t index;
    for (uint32_t i = 0; i < win.count; i++) {
        VK(vkAcquireNextImageKHR(dev.handle, win.chain, 0, VK_NULL_HANDLE, win.fence, &index));
        VK(vkWaitForFences(dev.handle, 1, &win.fence, VK_TRUE, UINT64_MAX));
        VK(vkResetFences(dev.handle, 1, &win.fence));
    }
    CHECK(vkAcquireNextImageKHR(dev.handle, win.chain, 0, win.acquired, VK_NULL_HANDLE, &index) ==
              VK_NOT_READY,
          "all images are acquired, yet there was one more");
    uint64_t start = uis_now_ns();
    CHECK(vkAcquireNextImageKHR(dev.handle, win.chain, 30000000, win.acquired, VK_NULL_HANDLE,
                                &index) == VK_TIMEOUT,
          "no timeout");
    CHECK(uis_now_ns() - start >= 29000000, "the timeout came too early");
    free_window(&win);

    /* FIFO acquires wait for the recorder's beat: first one that is far away. */
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_FIFO_KHR);
    VK(present(&win, draw(&win, RED), NULL));
    __atomic_store_n(&header->pace_period_ns, 120000000000u, __ATOMIC_RELEASE);
    __atomic_store_n(&header->pace_origin_ns, uis_now_ns() + 60000000000u, __ATOMIC_RELEASE);
    CHECK(vkAcquireNextImageKHR(dev.handle, win.chain, 1000000, win.acquired, VK_NULL_HANDLE,
                                &index) == VK_TIMEOUT,
          "an acquire came before its beat");

    /* Then 20 a second. A draw that took long (a busy machine) may find its beat passed and
     * use it at once, so not every acquire sleeps; who does sleeps to the next beat, exactly. */
    const uint64_t origin = 12345678, period = 50000000;
    __atomic_store_n(&header->pace_origin_ns, origin, __ATOMIC_RELEASE);
    __atomic_store_n(&header->pace_period_ns, period, __ATOMIC_RELEASE);
    VK(present(&win, draw(&win, RED), NULL));
    start = uis_now_ns();
    for (int i = 0; i < 10; i++) {
        slept_until_ns = 0;
        index = draw(&win, RED);
        if (slept_until_ns) {
            CHECK((slept_until_ns - origin) % period == 0,
                  "an acquire waits for %.3f ms off its beat",
                  (double)((slept_until_ns - origin) % period) / 1e6);
            CHECK(slept_until_ns <= uis_now_ns(), "an acquire came before its beat");
            CHECK(sleep_ahead_ns <= (int64_t)period, "an acquire left out a beat");
        }
        VK(present(&win, index, NULL));
    }
    /* Ten beats, of which the first may be one that has just passed. */
    double seconds = (double)(uis_now_ns() - start) / 1e9;
    CHECK(seconds >= 0.4, "10 beats of 50 ms took %.3f s", seconds);
    __atomic_store_n(&header->pace_period_ns, 1000000, __ATOMIC_RELEASE);
    free_window(&win);
    drain();
    free_device(&dev);
}

/* As Chrome does when a window goes: acquired, and never waited for. The semaphore goes before its
 * swapchain or after it, which the validation layer judges. */
static void test_acquires_nobody_waits_for(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, (VkExtent2D){64, 64}, VK_FORMAT_B8G8R8A8_UNORM,
                VK_PRESENT_MODE_IMMEDIATE_KHR);
    uint32_t index;
    const VkSemaphore acquires[] = {win.acquired, win.drawn};
    for (int i = 0; i < 2; i++)
        VK(vkAcquireNextImageKHR(dev.handle, win.chain, 0, acquires[i], VK_NULL_HANDLE, &index));
    vkDestroySemaphore(dev.handle, win.acquired, NULL);
    VK(vkAcquireNextImageKHR(dev.handle, win.chain, 0, VK_NULL_HANDLE, win.fence, &index));
    vkDestroySwapchainKHR(dev.handle, win.chain, NULL);
    vkDestroySemaphore(dev.handle, win.drawn, NULL);
    vkDestroyFence(dev.handle, win.fence, NULL);
    vkDestroySurfaceKHR(instance, win.surface, NULL);
    free_device(&dev);
}

/* Presents once larger than a slot of the ring, which loses and counts that; then the window is
 * gone. */
static void outgrow(window *win) {
    VkSwapchainKHR old = win->chain;
    uint64_t lost = __atomic_load_n(&header->lost, __ATOMIC_ACQUIRE);
    VK(make_chain(win, (VkExtent2D){WIDTH + 200, HEIGHT + 200}, VK_FORMAT_B8G8R8A8_UNORM,
                  VK_PRESENT_MODE_IMMEDIATE_KHR));
    vkDestroySwapchainKHR(win->dev->handle, old, NULL);
    VK(present(win, draw(win, RED), NULL));
    free_window(win);
    CHECK(__atomic_load_n(&header->lost, __ATOMIC_ACQUIRE) == lost + 1, "too large, yet not lost");
}

static void test_recreation(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    uint64_t n = presented();
    VkSwapchainKHR old = win.chain;
    /* Acquired before the resize, presented after it: legal, and not captured. */
    uint32_t index = draw(&win, RED);
    VK(make_chain(&win, (VkExtent2D){100, 50}, VK_FORMAT_B8G8R8A8_UNORM,
                  VK_PRESENT_MODE_IMMEDIATE_KHR));
    VkSwapchainKHR successor = win.chain;
    win.chain = old;
    VK(present(&win, index, NULL));
    CHECK(vkAcquireNextImageKHR(dev.handle, old, 0, win.acquired, VK_NULL_HANDLE, &index) ==
              VK_ERROR_OUT_OF_DATE_KHR,
          "a retired swapchain still gives images");
    win.chain = successor;
    vkDestroySwapchainKHR(dev.handle, old, NULL); /* its present may be in flight */
    VK(present(&win, draw(&win, BLUE), NULL));
    uis_ring_slot *slot = take();
    CHECK(slot && slot->sequence == n + 1 && slot->width == 100 && slot->height == 50,
          "the resized window is not the main window any more");
    if (slot)
        uis_ring_release(slot);
    for (uint32_t i = 0; i < 20; i++) {
        old = win.chain;
        VK(present(&win, draw(&win, RED), NULL));
        VK(make_chain(&win, (VkExtent2D){WIDTH - i, HEIGHT - i}, VK_FORMAT_B8G8R8A8_UNORM,
                      VK_PRESENT_MODE_IMMEDIATE_KHR));
        vkDestroySwapchainKHR(dev.handle, old, NULL);
    }
    /* Larger than a slot: lost, counted, and said. */
    outgrow(&win);
    CHECK(header->writer_error[0], "too large, yet no reason given");
    drain();
    free_device(&dev);
}

/* Of no more bytes than a slot holds, and wider than the view all the same. */
static void test_wider_and_lower(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    const VkExtent2D extents[] = {{WIDTH + 2, HEIGHT / 2}, {WIDTH / 2, HEIGHT + 2}};
    for (int i = 0; i < 2; i++) {
        VkSwapchainKHR old = win.chain;
        uint64_t lost = __atomic_load_n(&header->lost, __ATOMIC_ACQUIRE);
        VK(make_chain(&win, extents[i], VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR));
        VK(present(&win, draw(&win, RED), NULL));
        vkDestroySwapchainKHR(dev.handle, old, NULL);
        uint64_t end = uis_now_ns() + PATIENCE_NS;
        while (__atomic_load_n(&header->lost, __ATOMIC_ACQUIRE) == lost && uis_now_ns() < end)
            usleep(1000);
        CHECK(__atomic_load_n(&header->lost, __ATOMIC_ACQUIRE) == lost + 1,
              "a frame of %ux%u is not lost", extents[i].width, extents[i].height);
        CHECK(!uis_ring_take(ring, 0), "and was captured");
    }
    free_window(&win);
    free_device(&dev);
}

/* A window that was there before the main window went takes its place, with its size as it
 * is by then; what it says of its damage counts from its second present on. */
static void test_successor_window(void) {
    device dev;
    window first, second;
    make_device(&dev);
    make_window(&first, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    const VkExtent2D smaller = {WIDTH - 20, HEIGHT - 10};
    make_window(&second, &dev, smaller, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    uint64_t n = presented();
    VK(present(&second, draw(&second, RED), NULL));
    free_window(&first);
    VK(present(&second, draw(&second, RED), NULL));
    CHECK(presented() == n, "a window of another size was captured");
    uis_ring_set_window(ring, smaller.width, smaller.height);
    const VkRectLayerKHR rect = {{1, 2}, {3, 4}, 0};
    const uis_rect damage = {1, 2, 3, 4};
    VkPresentRegionKHR region = {1, &rect};
    const VkPresentRegionsKHR regions = {VK_STRUCTURE_TYPE_PRESENT_REGIONS_KHR, NULL, 1, &region};
    VK(present(&second, draw(&second, BLUE), &regions));
    expect_frame(BLUE_BGRA, n + 1, UIS_SLOT_DAMAGE_MISSING, 0, NULL);
    VK(present(&second, draw(&second, RED), &regions));
    expect_frame(RED_BGRA, n + 2, 0, 1, &damage);
    uis_ring_set_window(ring, WIDTH, HEIGHT);
    free_window(&second);
    free_device(&dev);
}

/* Whatever the other side writes into the header once it was checked: the layer takes over from
 * a writer that is gone, and a window that is too large stays outside. */
static void test_header_is_not_believed(void) {
    device dev;
    window win;
    const uis_ring_header before = *header;
    header->slot_count = 1u << 30;
    header->slots_offset = header->slot_stride = header->link_offset = 1ull << 40;
    header->max_width = header->max_height = 16384;
    header->encode = UIS_ENCODE_LAYER;
    header->writer_pid = 1;
    make_device(&dev);
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    uint64_t n = presented();
    VK(present(&win, draw(&win, RED), NULL));
    expect_frame(RED_BGRA, n + 1, UIS_SLOT_DAMAGE_MISSING, 0, NULL);
    outgrow(&win);
    CHECK(!uis_ring_take(ring, 0), "and was captured");
    free_device(&dev);
    header->slot_count = before.slot_count;
    header->slots_offset = before.slots_offset;
    header->slot_stride = before.slot_stride;
    header->link_offset = before.link_offset;
    header->max_width = before.max_width;
    header->max_height = before.max_height;
    header->encode = before.encode;
}

typedef struct painter {
    window win;
    int frames;
} painter;

static void *paint(void *argument) {
    painter *p = argument;
    for (int i = 0; i < p->frames; i++)
        VK(present(&p->win, draw(&p->win, i % 2 ? RED : BLUE), NULL));
    return NULL;
}

/* Several windows on two devices at once, one present of two swapchains, and a
 * reader that sleeps. */
static void test_crowd(void) {
    enum { PAINTERS = 2, FRAMES = 60 };
    device devs[2];
    static painter painters[PAINTERS];
    make_device(&devs[0]);
    make_device(&devs[1]);
    uint64_t n = presented();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        make_window(&painters[i].win, &devs[i], i ? (VkExtent2D){80, 60} : MAIN,
                    VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_MAILBOX_KHR);
        painters[i].frames = FRAMES;
        pthread_create(&threads[i], NULL, paint, &painters[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(presented() == n + FRAMES, "%llu presents of the main window, not %d",
          (unsigned long long)(presented() - n), FRAMES);

    window *a = &painters[0].win, popup;
    make_window(&popup, &devs[0], (VkExtent2D){40, 30}, VK_FORMAT_B8G8R8A8_UNORM,
                VK_PRESENT_MODE_FIFO_KHR);
    drain();
    uint32_t indices[2] = {draw(&popup, RED), draw(a, BLUE)};
    const VkSemaphore waits[2] = {popup.drawn, a->drawn};
    const VkSwapchainKHR chains[2] = {popup.chain, a->chain};
    VkResult results[2] = {VK_INCOMPLETE, VK_INCOMPLETE};
    const VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .waitSemaphoreCount = 2,
        .pWaitSemaphores = waits,
        .swapchainCount = 2,
        .pSwapchains = chains,
        .pImageIndices = indices,
        .pResults = results,
    };
    VK(vkQueuePresentKHR(devs[0].queue, &info));
    CHECK(results[0] == VK_SUCCESS && results[1] == VK_SUCCESS, "pResults is not filled");
    expect_frame(BLUE_BGRA, n + FRAMES + 1, UIS_SLOT_DAMAGE_MISSING, 0, NULL);
    free_window(&popup);
    for (int i = 0; i < 2; i++)
        free_window(&painters[i].win);
    free_device(&devs[0]);
    free_device(&devs[1]);
    drain();
    CHECK(settled() == presented(), "%llu presents are unaccounted for",
          (unsigned long long)(presented() - settled()));
}

/* Nobody reads any more: presents go on, frames do not. */
static void test_reader_gone(void) {
    device dev;
    window win;
    make_device(&dev);
    make_window(&win, &dev, MAIN, VK_FORMAT_B8G8R8A8_UNORM, VK_PRESENT_MODE_IMMEDIATE_KHR);
    VK(present(&win, draw(&win, RED), NULL));
    drain();
    __atomic_store_n(&header->reader_closed, 1, __ATOMIC_RELEASE);
    uint64_t n = presented();
    for (int i = 0; i < 10; i++)
        VK(present(&win, draw(&win, RED), NULL));
    CHECK(presented() == n, "presents are counted for a reader that has gone");
    free_window(&win);
    free_device(&dev);
}

/* What was begun was published or given back, whatever happened to its swapchain. */
static void check_no_slot_is_held(void) {
    for (uint32_t i = 0; i < header->slot_count; i++) {
        const uis_ring_slot *slot =
            (const uis_ring_slot *)((const uint8_t *)header + header->slots_offset +
                                    header->slot_stride * i);
        uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        CHECK(state == UIS_SLOT_FREE || state == UIS_SLOT_READY, "slot %u stays in state %u", i,
              state);
    }
}

/* Also after exit() in the middle of a test: no shared memory stays behind. */
static void close_ring(void) {
    uis_ring_close(ring);
}

/* Threads of this process whose name begins with NAME. */
static unsigned threads_named(const char *prefix) {
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file) && strncmp(comm, prefix, strlen(prefix)) == 0)
            count++;
        fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return count;
}

/* Stands where the recorder does: gives the host its settings, and waits for its encoders. */
static void open_encoders(uint32_t encoder) {
    uint64_t size, end = uis_now_ns() + PATIENCE_NS;
    uis_encode_link *link = (uis_encode_link *)(void *)uis_ring_link(ring, &size);
    link->config = (uis_recorder_config){.width = WIDTH,
                                         .height = HEIGHT,
                                         .fps_num = 20,
                                         .fps_den = 1,
                                         .qp = 23,
                                         .threads = 1,
                                         .encoder = encoder,
                                         .preset = "superfast"};
    link->config_size = sizeof link->config;
    link->tick_size = sizeof(uis_tick);
    link->record_size = sizeof(uis_link_record);
    __atomic_store_n(&link->configured, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&link->control_word);
    uint32_t state;
    while ((state = __atomic_load_n(&link->host_state, __ATOMIC_ACQUIRE)) < UIS_HOST_READY &&
           uis_now_ns() < end)
        usleep(1000);
    CHECK(state == UIS_HOST_READY, "the host is in state %u: %s", state, link->error);
}

/* A ring that wants its frames encoded here: the host's thread comes with the main window,
 * capture goes on, and the thread ends before the loader unloads the layer. It closes encoders
 * then, and those libraries: nobody may hold the dynamic linker's lock and wait for it. */
static void test_encoder_host(const char *encoder) {
    CHECK(threads_named("uis-host") == 0, "a thread before there is a window");
    test_pixels_and_damage();
    CHECK(threads_named("uis-host") == 1, "%u threads of the encoder host",
          threads_named("uis-host"));
    if (encoder)
        open_encoders(strcmp(encoder, "nvenc") == 0 ? UIS_ENCODER_NVENC : UIS_ENCODER_X264);
    alarm(60); /* rather than for ever */
    vkDestroyInstance(instance, NULL);
    CHECK(threads_named("uis-host") == 0, "its thread outlives the layer");
}

int main(int argc, char **argv) {
    uint32_t slots = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 8;
    const bool encode = argc > 2 && strcmp(argv[2], "encode") == 0;
    char name[64], error[256];
    snprintf(name, sizeof name, "/uisplice-wsi-test-%d", (int)getpid());
    if (uis_ring_create(name, WIDTH, HEIGHT, slots, encode ? UIS_ENCODE_LAYER : UIS_ENCODE_RECORDER,
                        &ring, error, sizeof error) != 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    atexit(close_ring);
    header = uis_ring_get_header(ring);
    header->pace_period_ns = 1000000;
    setenv("UIS_RING", name, 1);
    make_instance();
    if (__atomic_load_n(&header->writer_state, __ATOMIC_ACQUIRE) != UIS_WRITER_ATTACHED) {
        fprintf(stderr, "the layer is not loaded (set VK_INSTANCE_LAYERS)\n");
        return 1;
    }
    if (encode) {
        test_encoder_host(argc > 3 ? argv[3] : NULL);
        printf("%s\n", failures ? "FAILED" : "ok");
        return failures != 0;
    }
    CHECK(has_extension("VK_KHR_incremental_present"), "incremental present is not offered");
    CHECK(!has_extension("VK_KHR_present_wait"), "present wait is offered");
    test_pixels_and_damage();
    test_acquire();
    test_acquires_nobody_waits_for();
    test_recreation();
    test_wider_and_lower();
    test_successor_window();
    test_header_is_not_believed();
    test_crowd();
    test_reader_gone();
    check_no_slot_is_held();
    CHECK(__atomic_load_n(&header->writer_state, __ATOMIC_ACQUIRE) == UIS_WRITER_PRESENTING,
          "writer_state is %u: %s", header->writer_state, header->writer_error);
    vkDestroyInstance(instance, NULL);
    printf("%s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
