/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The frame ring as a Vulkan buffer (VK_EXT_external_memory_host), so that the
 * GPU writes a presented image straight into its slot and the CPU copies nothing.
 *
 * Ownership: one buffer over the whole ring a device, made when a device first
 * captures, freed with the device; the ring's mapping outlives every device.
 * Threads: prepare may be called by any presenting thread (the device's lock
 * inside), the buffer is constant from then on. Offsets are bytes from the
 * start of the ring's mapping.
 */
#ifndef UIS_HOST_IMPORT_H
#define UIS_HOST_IMPORT_H

#include "dispatch.h"

/* True when a new device should get VK_EXT_external_memory_host in addition to
 * what the app enables: a ring is attached, the driver has the extension (it is
 * in OFFERED) and what it depends on is there. `*usable`: whether the device will
 * have it, by the layer or by the app. */
bool uis_host_import_adds(const uis_instance *instance, VkPhysicalDevice physical, bool app_enables,
                          uint32_t count, const VkExtensionProperties *offered, bool *usable);

/* The ring's buffer, VK_NULL_HANDLE where it cannot be had; the first call on a
 * device tries, and says in the log what came of it. */
VkBuffer uis_host_import_buffer(uis_device *device);

/* Frees the buffer; nothing may be in flight. */
void uis_host_import_free(uis_device *device);

#endif
