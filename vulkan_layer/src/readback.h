/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Presents on their way out: the copy of a presented image to host memory, and
 * the worker thread, one a device, that waits for each present's fence, sees the
 * pixels into the frame ring and frees the image.
 *
 * Where the ring can be imported (host_import.h) the GPU copies straight into a
 * slot, taken at the present and published by the worker. Else, and for frames
 * that are not B,G,R,A or too large, it copies to a buffer of the image's and the
 * worker copies on, taking a slot only then.
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

/* Makes image->copy ready to be submitted once on a queue of `family`, for
 * image->frame; the image's last job must have ended. False if the frame cannot
 * be captured: the caller counts it lost (if no frame can be, capture has been
 * given up with the reason told). */
bool uis_readback_prepare(uis_swapchain *swapchain, uis_image *image, uint32_t family);
/* Undoes it for a copy that could not be submitted. */
void uis_readback_cancel(uis_image *image);
/* Frees what prepare made; nothing may be in flight. */
void uis_readback_release(uis_swapchain *swapchain);

/* Hands a submitted present to the worker: image->fence will signal. Counts the
 * job. */
void uis_readback_push(uis_swapchain *swapchain, uint32_t index);

#endif
