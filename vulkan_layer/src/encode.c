/* SPDX-License-Identifier: GPL-2.0-or-later
 * The encoder host in this process; see encode.h. */
#define _GNU_SOURCE
#include "encode.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_frame.h"
#include "log.h"
#include "uisplice/encode_host.h"

static __typeof__(uis_encode_host_open) *host_open;
static __typeof__(uis_encode_host_start) *host_start;
static __typeof__(uis_encode_host_close) *host_close;
static uis_encode_host *host;
static char problem[400]; /* why there is no host; empty: there is one */

/* --- frames on the GPU, as the host takes them --- */

static int32_t take(uint64_t sequence, uis_taken_frame *out) {
    uis_device_frame frame;
    if (!sequence || !uis_device_frame_take(sequence, &frame))
        return 0;
    *out = (uis_taken_frame){.image = {.address = frame.address,
                                       .pitch = frame.pitch,
                                       .width = frame.width,
                                       .height = frame.height,
                                       .context = frame.context},
                             .sequence = frame.sequence,
                             .slot = frame.slot};
    return 1;
}

/* As much of a frame as releasing and copying it need. */
static uis_device_frame frame_of(const uis_taken_frame *taken) {
    return (uis_device_frame){.address = taken->image.address,
                              .pitch = taken->image.pitch,
                              .width = taken->image.width,
                              .height = taken->image.height,
                              .context = taken->image.context,
                              .sequence = taken->sequence,
                              .slot = taken->slot};
}

static void release(const uis_taken_frame *taken) {
    const uis_device_frame frame = frame_of(taken);
    uis_device_frame_release(&frame);
}

static int32_t download(const uis_taken_frame *taken, uint8_t *pixels, size_t stride) {
    const uis_device_frame frame = frame_of(taken);
    return uis_device_frame_download(&frame, pixels, stride) ? 0 : -1;
}

static const uis_device_frames device_frames = {
    .take = take, .release = release, .download = download};

/* NULL, or the name that is missing. */
static const char *find_functions(void *library) {
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        {"uis_encode_host_open", &host_open},
        {"uis_encode_host_start", &host_start},
        {"uis_encode_host_close", &host_close},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = dlsym(library, wanted[i].name);
        if (!found)
            return wanted[i].name;
        memcpy(wanted[i].to, &found, sizeof found);
    }
    return NULL;
}

void uis_encode_attach(const char *name) {
    const char *path = getenv("UISPLICE_LIBRARY");
    problem[0] = '\0';
    if (!path || !path[0]) {
        snprintf(problem, sizeof problem, "UISPLICE_LIBRARY does not name the encoders' library");
        return;
    }
    /* It stays for good: encoder libraries are not made for being unloaded. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        snprintf(problem, sizeof problem, "%s", dlerror());
        return;
    }
    const char *missing = find_functions(library);
    if (missing)
        snprintf(problem, sizeof problem,
                 "%s has no %s: build and install library and layer together", path, missing);
    else if (host_open(name, getenv("UISPLICE_SPOOL"), &host, problem, sizeof problem) == 0)
        uis_log(UIS_LOG_INFO, "%s is loaded, to encode here", path);
    dlclose(library);
}

const char *uis_encode_start(void) {
    if (!host)
        return problem;
    if (host_start(host, &device_frames) == 0)
        return NULL;
    return "no thread can be started";
}

void uis_encode_detach(void) {
    if (host)
        host_close(host);
    host = NULL;
}
