/* SPDX-License-Identifier: GPL-2.0-or-later
 * The process's end of the frame ring; see capture.h. */
#define _GNU_SOURCE
#include "capture.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatch.h"
#include "encode.h"
#include "log.h"
#include "present_cost.h"
#include "uisplice/frame_ring.h"

/* Guards attaching, the role, the error text and `failed`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Held while a slot is taken: the ring takes one writer thread at a time. What
 * follows, publishing or giving back, is a store to a slot that is one's own. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

static bool attach_tried;
static uis_ring *ring;             /* set once before any device exists, then constant */
static uis_ring_header *header;    /* of the ring, or NULL */
static uis_ring_geometry geometry; /* of the ring, as checked when attaching */
static const void *main_swapchain; /* (atomic) identity only, never followed */
static bool main_is_new;           /* (atomic) none of its presents was counted yet */
static bool failed;                /* (atomic) */
static bool too_large_said;

/* The state only climbs, except that FAILED gives way to whoever works again. */
static void raise_state(uint32_t state) {
    uint32_t seen = __atomic_load_n(&header->writer_state, __ATOMIC_ACQUIRE);
    while ((seen < state || seen == UIS_WRITER_FAILED) &&
           !__atomic_compare_exchange_n(&header->writer_state, &seen, state, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
}

void uis_capture_attach(void) {
    pthread_mutex_lock(&lock);
    const char *name = getenv("UIS_RING");
    if (attach_tried || !name || !name[0]) {
        pthread_mutex_unlock(&lock);
        return;
    }
    attach_tried = true;
    char error[256];
    if (uis_ring_attach(name, &ring, error, sizeof error) != 0) {
        uis_log(UIS_LOG_ERROR, "no capture: %s", error);
    } else {
        header = uis_ring_get_header(ring);
        geometry = uis_ring_get_geometry(ring);
        if (geometry.encode == UIS_ENCODE_LAYER)
            uis_encode_attach(name);
        uint32_t none = 0;
        /* A process that only looks at the devices must not take over from the
         * one that presents: claiming the main window does that. */
        __atomic_compare_exchange_n(&header->writer_pid, &none, (uint32_t)getpid(), false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        uint32_t state = UIS_WRITER_NONE;
        __atomic_compare_exchange_n(&header->writer_state, &state, UIS_WRITER_ATTACHED, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        uis_log(UIS_LOG_INFO, "attached frame ring %s (%ux%u, %u slots)", name, geometry.max_width,
                geometry.max_height, geometry.slot_count);
    }
    pthread_mutex_unlock(&lock);
}

/* While devices and their worker threads live the mapping must stay. */
static void let_go(void) {
    if (uis_device_count() != 0)
        return;
    uis_encode_detach();
    header = NULL;
    uis_ring_close(ring);
    ring = NULL;
    attach_tried = false;
}

void uis_capture_detach(void) {
    pthread_mutex_lock(&lock);
    if (uis_instance_count() == 0) /* looked at where attaching waits */
        let_go();
    pthread_mutex_unlock(&lock);
}

/* A process may end with instances of its own. */
__attribute__((destructor)) static void detach(void) {
    let_go();
}

uis_beat uis_capture_beat(void) {
    if (!header)
        return (uis_beat){0, 0};
    return (uis_beat){__atomic_load_n(&header->pace_origin_ns, __ATOMIC_ACQUIRE),
                      __atomic_load_n(&header->pace_period_ns, __ATOMIC_ACQUIRE)};
}

/* A writer process that was killed may leave a slot half written, which nobody
 * would ever free, and presents that never became READY: settle both. The lost
 * ones are what its presents lack to be published or lost. */
static void take_over_from(uint32_t pid) {
    uis_ring_drop_writer(ring);
    uint64_t presented = __atomic_load_n(&header->presented, __ATOMIC_ACQUIRE);
    uint64_t published = __atomic_load_n(&header->published, __ATOMIC_ACQUIRE);
    __atomic_store_n(&header->lost, presented - published, __ATOMIC_RELEASE);
    header->writer_error[0] = '\0';
    uis_log(UIS_LOG_INFO, "taking over the frame ring from process %u", pid);
}

static void fail_locked(const char *text) {
    if (failed)
        return;
    snprintf(header->writer_error, sizeof header->writer_error, "%s", text);
    __atomic_store_n(&failed, true, __ATOMIC_RELEASE);
    __atomic_store_n(&header->writer_state, UIS_WRITER_FAILED, __ATOMIC_RELEASE);
    uis_log(UIS_LOG_ERROR, "capture stopped: %s", text);
}

static void start_encoding(void) {
    const char *problem = uis_encode_start();
    if (!problem)
        return;
    char text[sizeof header->writer_error];
    snprintf(text, sizeof text, "cannot encode in Chrome's process: %s", problem);
    fail_locked(text);
}

void uis_capture_claim(const void *swapchain, const void *old, VkExtent2D extent,
                       const char *device_name, bool passthrough) {
    if (!header)
        return;
    pthread_mutex_lock(&lock);
    bool inherits = main_swapchain && main_swapchain == old;
    bool matches = !main_swapchain &&
                   extent.width == __atomic_load_n(&header->width, __ATOMIC_ACQUIRE) &&
                   extent.height == __atomic_load_n(&header->height, __ATOMIC_ACQUIRE);
    if (inherits || matches) {
        uint32_t pid = (uint32_t)getpid();
        uint32_t before = __atomic_exchange_n(&header->writer_pid, pid, __ATOMIC_ACQ_REL);
        if (before != pid && before != 0)
            take_over_from(before);
        snprintf(header->device_name, sizeof header->device_name, "%s", device_name);
        header->passthrough = passthrough;
        __atomic_add_fetch(&header->swapchains, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&main_is_new, true, __ATOMIC_RELEASE);
        __atomic_store_n(&main_swapchain, swapchain, __ATOMIC_RELEASE);
        if (!failed)
            raise_state(UIS_WRITER_SWAPCHAIN);
        if (geometry.encode == UIS_ENCODE_LAYER)
            start_encoding();
        uis_log(UIS_LOG_INFO, "main window: %ux%u on %s%s%s", extent.width, extent.height,
                device_name, inherits ? ", recreated" : "", passthrough ? ", passthrough" : "");
    }
    pthread_mutex_unlock(&lock);
}

void uis_capture_offer(const void *swapchain, VkExtent2D extent, const char *device_name,
                       bool passthrough) {
    if (header && !__atomic_load_n(&main_swapchain, __ATOMIC_ACQUIRE))
        uis_capture_claim(swapchain, NULL, extent, device_name, passthrough);
}

void uis_capture_release(const void *swapchain) {
    pthread_mutex_lock(&lock);
    if (main_swapchain == swapchain)
        __atomic_store_n(&main_swapchain, NULL, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
}

bool uis_capture_wants(const void *swapchain) {
    return header && __atomic_load_n(&main_swapchain, __ATOMIC_ACQUIRE) == swapchain &&
           !__atomic_load_n(&failed, __ATOMIC_ACQUIRE) &&
           !__atomic_load_n(&header->reader_closed, __ATOMIC_ACQUIRE);
}

bool uis_capture_format(VkFormat format, bool *swap_red_blue) {
    switch (format) {
    case VK_FORMAT_B8G8R8A8_UNORM:
    case VK_FORMAT_B8G8R8A8_SRGB:
        *swap_red_blue = false;
        return true;
    case VK_FORMAT_R8G8B8A8_UNORM:
    case VK_FORMAT_R8G8B8A8_SRGB:
        *swap_red_blue = true;
        return true;
    default:
        return false;
    }
}

void uis_capture_count(uis_frame *frame) {
    frame->sequence = __atomic_add_fetch(&header->presented, 1, __ATOMIC_ACQ_REL);
    if (frame->damage.missing)
        __atomic_add_fetch(&header->without_damage, 1, __ATOMIC_RELAXED);
    /* What a new main window shows differs from the old one's picture, whatever it says. */
    if (__atomic_exchange_n(&main_is_new, false, __ATOMIC_ACQ_REL)) {
        frame->damage.missing = true;
        frame->damage.count = 0;
    }
}

void uis_capture_lost(void) {
    __atomic_add_fetch(&header->lost, 1, __ATOMIC_RELAXED);
}

uint8_t *uis_capture_memory(uint64_t *bytes) {
    *bytes = geometry.frame_bytes;
    return (uint8_t *)header;
}

bool uis_capture_fits(uint32_t width, uint32_t height) {
    return width <= geometry.max_width && height <= geometry.max_height &&
           (uint64_t)width * height * 4 <= geometry.slot_room;
}

VkExtent2D uis_capture_view(void) {
    return (VkExtent2D){geometry.max_width, geometry.max_height};
}

void uis_capture_device_count(uis_device_counter counter, uint64_t n) {
    if (!header)
        return;
    uint64_t *const counters[] = {
        [UIS_DEVICE_COPIED] = &header->device.copied,
        [UIS_DEVICE_LOST] = &header->device.lost,
        [UIS_DEVICE_SUPERSEDED] = &header->device.superseded,
        [UIS_DEVICE_EQUAL] = &header->device.equal,
        [UIS_DEVICE_DIFFERENT] = &header->device.different,
    };
    __atomic_add_fetch(counters[counter], n, __ATOMIC_RELAXED);
    if (counter == UIS_DEVICE_COPIED && !__atomic_load_n(&failed, __ATOMIC_ACQUIRE))
        raise_state(UIS_WRITER_PRESENTING);
}

void uis_capture_device_wanted(uint32_t mode) {
    if (header)
        header->device.wanted = mode;
}

void uis_capture_device_state(uint32_t mode, const char *fallback) {
    if (!header)
        return;
    pthread_mutex_lock(&lock);
    if (fallback[0] &&
        strncmp(header->device.fallback, fallback, sizeof header->device.fallback - 1) != 0)
        uis_log(UIS_LOG_WARNING, "no zero-copy, frames are copied to the host: %s", fallback);
    else if (!fallback[0] &&
             __atomic_load_n(&header->device.active, __ATOMIC_ACQUIRE) == UIS_CAPTURE_HOST)
        uis_log(UIS_LOG_INFO, "zero-copy: frames stay on the GPU%s",
                mode == UIS_CAPTURE_VERIFY ? " and are compared with the host's" : "");
    snprintf(header->device.fallback, sizeof header->device.fallback, "%s", fallback);
    __atomic_store_n(&header->device.active, mode, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
}

void uis_capture_costs(void) {
    if (!header)
        return;
    uis_device_capture *device = &header->device;
    __atomic_store_n(&device->presents, uis_cost_count(UIS_COST_PRESENT), __ATOMIC_RELAXED);
    __atomic_store_n(&device->median_ns, uis_cost_percentile(UIS_COST_PRESENT, 0.5),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&device->p99_ns, uis_cost_percentile(UIS_COST_PRESENT, 0.99),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&device->copy_ns, uis_cost_percentile(UIS_COST_COPY, 0.5), __ATOMIC_RELAXED);
}

uint32_t uis_capture_slots(void) {
    return geometry.slot_count;
}

uis_ring_slot *uis_capture_begin(const uis_frame *frame) {
    pthread_mutex_lock(&write_lock);
    uis_ring_slot *slot = uis_ring_begin_write(ring);
    pthread_mutex_unlock(&write_lock);
    if (!slot)
        return NULL;
    slot->flags = frame->damage.missing ? UIS_SLOT_DAMAGE_MISSING : 0;
    slot->sequence = frame->sequence;
    slot->present_ns = frame->present_ns;
    slot->width = frame->width;
    slot->height = frame->height;
    slot->stride = frame->width * 4;
    slot->damage_count = frame->damage.count;
    memcpy(slot->damage, frame->damage.rects, frame->damage.count * sizeof slot->damage[0]);
    return slot;
}

void uis_capture_publish(uis_ring_slot *slot) {
    slot->ready_ns = uis_now_ns();
    uis_ring_publish(ring, slot);
    if (!__atomic_load_n(&failed, __ATOMIC_ACQUIRE))
        raise_state(UIS_WRITER_PRESENTING);
}

void uis_capture_announce(const uis_frame *frame) {
    uis_ring_slot *slot = uis_capture_begin(frame);
    if (!slot) {
        uis_capture_lost();
        return;
    }
    slot->flags |= UIS_SLOT_ON_DEVICE;
    uis_capture_publish(slot);
}

void uis_capture_cancel(uis_ring_slot *slot) {
    uis_ring_cancel(ring, slot);
}

static void copy_swapped(uint8_t *out, const uint8_t *in, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        uint32_t p;
        memcpy(&p, in + 4 * i, 4);
        p = (p & 0xff00ff00u) | ((p >> 16) & 0xffu) | ((p & 0xffu) << 16);
        memcpy(out + 4 * i, &p, 4);
    }
}

static void say_too_large(const uis_frame *frame) {
    pthread_mutex_lock(&lock);
    if (!too_large_said) {
        too_large_said = true;
        char text[sizeof header->writer_error]; /* not read back from where others write */
        snprintf(text, sizeof text,
                 "the window grew to %ux%u, the frame ring holds up to %ux%u: frames are lost",
                 frame->width, frame->height, geometry.max_width, geometry.max_height);
        snprintf(header->writer_error, sizeof header->writer_error, "%s", text);
        uis_log(UIS_LOG_ERROR, "%s", text);
    }
    pthread_mutex_unlock(&lock);
}

void uis_capture_store(const uis_frame *frame, const uint8_t *pixels) {
    uint64_t bytes = (uint64_t)frame->width * frame->height * 4;
    if (!uis_capture_fits(frame->width, frame->height)) {
        say_too_large(frame);
        uis_capture_lost();
        return;
    }
    uis_ring_slot *slot = uis_capture_begin(frame);
    if (!slot) {
        uis_capture_lost();
        return;
    }
    if (frame->swap_red_blue)
        copy_swapped(uis_ring_slot_pixels(slot), pixels, (size_t)(bytes / 4));
    else
        memcpy(uis_ring_slot_pixels(slot), pixels, (size_t)bytes);
    uis_capture_publish(slot);
}

void uis_capture_fail(const char *format, ...) {
    if (!header)
        return;
    char text[sizeof header->writer_error];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    fail_locked(text);
    pthread_mutex_unlock(&lock);
}
