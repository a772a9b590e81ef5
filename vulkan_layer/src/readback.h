/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Presents on their way out: the copy of a presented image to host memory, and
 * the worker thread, one a device, that waits for each present's fence, takes
 * the pixels to the frame ring and frees the image.
 *
 * The presenting thread prepares and submits; the job then belongs to the
 * worker until it ends it under the swapchain's lock. The worker never touches
 * a queue. Present never waits for it.
 */
#ifndef UIS_READBACK_H
#define UIS_READBACK_H

#include "swapchain.h"

/* Starts the device's worker unless it runs. False: no thread could be made. */
bool uis_readback_start(uis_device *device);
/* Ends it; no swapchain may be left. */
void uis_readback_stop(uis_device *device);

/* Makes sure the swapchain's images can be copied on a queue of `family`. False
 * (capture has then been given up, with the reason told) if they cannot. */
bool uis_readback_prepare(uis_swapchain *swapchain, uint32_t family);
/* Frees what prepare made; nothing may be in flight. */
void uis_readback_release(uis_swapchain *swapchain);

/* Hands a submitted present to the worker: image->fence will signal. Counts the
 * job. */
void uis_readback_push(uis_swapchain *swapchain, uint32_t index);

#endif
