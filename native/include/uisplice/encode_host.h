/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The encoder host: encodes the frames of a ring in the process that captures them, and
 * hands records to the recorder of another process through the ring's encode link. The
 * Vulkan layer loads this library for it, by dlopen; the recorder there is the one in
 * recorder.h, made on a ring whose `encode` is UIS_ENCODE_LAYER.
 */
#ifndef UISPLICE_ENCODE_HOST_H
#define UISPLICE_ENCODE_HOST_H

#include "uisplice/frame_ring.h"
#include "uisplice/image.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)
/* cffi: begin */
typedef struct uis_encode_host uis_encode_host;

/* Attaches the ring NAME on its own and opens `spool` (a file that a tape's frames can go to;
 * NULL or "": none), because later a sandbox may forbid both. Starts nothing. 0 or a negative
 * errno with a sentence in err. */
int uis_encode_host_open(const char *name, const char *spool, uis_encode_host **out, char *err,
                         size_t err_size);

/* Starts the threads, which block all signals: this process captures the main window now.
 * `frames` are those that it keeps on the GPU (slots with UIS_SLOT_ON_DEVICE), NULL: none; the
 * functions must stay callable until close, and are called by these threads. The threads
 * wait until no other process has the role and the recorder gave its settings, encode until
 * the recording ends or nobody reads, and say what fails through the link. The frame on screen is
 * held, and can be asked for (uis_ring_ask_held), until the recorder is closed. Returns at once;
 * again: does nothing. 0 or a negative errno. */
int uis_encode_host_start(uis_encode_host *host, const uis_device_frames *frames);

/* Ends the threads (a recording that runs breaks off, saying so), unmaps, frees. NULL is fine. */
void uis_encode_host_close(uis_encode_host *host);
/* cffi: end */
#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
