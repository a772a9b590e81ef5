/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The process's end of the frame ring: attaching it, which swapchain is the
 * main window, the counters, and writing frames.
 *
 * One ring a process, attached at the first vkCreateInstance (Chrome's GPU
 * process is sandboxed later) and let go with the last instance.
 * Any thread may call; slots are taken by one thread at a time (a lock inside).
 * Nothing here waits for the reader. Times are CLOCK_MONOTONIC ns.
 */
#ifndef UIS_CAPTURE_H
#define UIS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "damage.h"
#include "pacing.h"
#include "uisplice/frame_ring.h"

/* One present of the main window on its way to the ring. */
typedef struct uis_frame {
    uint64_t sequence; /* ordinal of the present, from 1 */
    uint64_t present_ns;
    uint32_t width, height;
    bool swap_red_blue; /* pixels are R,G,B,A */
    uis_damage damage;
} uis_frame;

/* Attaches the ring named by UIS_RING unless it is; without the variable does nothing. The
 * instance that it is for is registered before. */
void uis_capture_attach(void);
/* An instance was unregistered: with the last one, ends what encodes here and unmaps the ring. Not
 * left to the layer's being unloaded, which holds the dynamic linker's lock: encoders that load or
 * close libraries would wait for that, and it for them. */
void uis_capture_detach(void);

/* The recorder's beat; period 0 when there is no ring or it names none. */
uis_beat uis_capture_beat(void);

/* Offers a new swapchain for the role of the main window: it takes the role from
 * `old` (may be NULL) or, while nobody has it, when its extent is the ring's. */
void uis_capture_claim(const void *swapchain, const void *old, VkExtent2D extent,
                       const char *device_name, bool passthrough);
/* The same at a present, for a swapchain made while another one had the role that is gone
 * since: a window that took the place of another. */
void uis_capture_offer(const void *swapchain, VkExtent2D extent, const char *device_name,
                       bool passthrough);
/* The swapchain is gone. */
void uis_capture_release(const void *swapchain);

/* True while SWAPCHAIN is the main window, the ring is read and capture works. */
bool uis_capture_wants(const void *swapchain);

/* False for a format whose bytes are neither B,G,R,A nor R,G,B,A. */
bool uis_capture_format(VkFormat format, bool *swap_red_blue);

/* Counts a present of the main window and gives it its sequence. The first one of a
 * swapchain that took the role has all of it as damage. */
void uis_capture_count(uis_frame *frame);

/* That present will never be READY. */
void uis_capture_lost(void);

/* The ring's mapping and its size, or NULL without a ring. Constant. */
uint8_t *uis_capture_memory(uint64_t *bytes);

/* True for a frame that is neither wider nor higher than the view, nor larger than a slot:
 * one that is wider and lower may fit a slot all the same. */
bool uis_capture_fits(uint32_t width, uint32_t height);

/* How many slots there are. */
uint32_t uis_capture_slots(void);

/* A slot for FRAME, all but its pixels and ready_ns filled in; NULL when every
 * slot is being read or written. It is the caller's until it is published or
 * given back, which any one thread may do. */
uis_ring_slot *uis_capture_begin(const uis_frame *frame);
/* The slot's pixels are there. In the order of the presents. */
void uis_capture_publish(uis_ring_slot *slot);
/* The frame is on the GPU (device_frame.h), ready: publishes what the ring says of it, without
 * pixels, or counts the present as lost. In the order of the presents. */
void uis_capture_announce(const uis_frame *frame);
/* They never will be: frees the slot; the present is the caller's to count. */
void uis_capture_cancel(uis_ring_slot *slot);

/* The ring's view: no captured window is wider or higher. */
VkExtent2D uis_capture_view(void);

/* What uis_device_capture in the ring's header counts (zero_copy.h). */
typedef enum uis_device_counter {
    UIS_DEVICE_COPIED,
    UIS_DEVICE_LOST,
    UIS_DEVICE_SUPERSEDED,
    UIS_DEVICE_EQUAL,
    UIS_DEVICE_DIFFERENT,
} uis_device_counter;
void uis_capture_device_count(uis_device_counter counter, uint64_t n);
/* UIS_CAPTURE_* that was asked for, before anything of it is known to work. */
void uis_capture_device_wanted(uint32_t mode);
/* What the main window's frames do from now on, and why not what was asked for (empty: they
 * do). Logs each reason once. */
void uis_capture_device_state(uint32_t mode, const char *fallback);
/* Writes what presents have cost so far (present_cost.h) into the header. */
void uis_capture_costs(void);

/* Copies tightly packed pixels into a ring slot and publishes it, or counts the
 * present as lost. */
void uis_capture_store(const uis_frame *frame, const uint8_t *pixels);

/* Gives up capture in this process, saying why once (log and ring). */
void uis_capture_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
