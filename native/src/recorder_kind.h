/* SPDX-License-Identifier: GPL-2.0-or-later
 * The two recorders behind uis_recorder: one that encodes in its own process (recorder.c), and
 * one that stands for an encoder host in the layer's process (recorder_remote.c). */
#ifndef UIS_RECORDER_KIND_H
#define UIS_RECORDER_KIND_H

#include <stdbool.h>

#include "uisplice/image.h"
#include "uisplice/recorder.h"

/* What each must do: see the functions of the same names in recorder.h. */
typedef struct uis_recorder_kind {
    int (*spool)(uis_recorder *recorder, int fd);
    int (*start)(uis_recorder *recorder, uint64_t origin_ns);
    uint64_t (*origin)(const uis_recorder *recorder);
    void (*request_keyframe)(uis_recorder *recorder);
    uint64_t (*ticks)(const uis_recorder *recorder);
    void (*stop)(uis_recorder *recorder, uint64_t end_ns);
    int (*next)(uis_recorder *recorder, int timeout_ms, uis_tick *tick);
    const char *(*error)(const uis_recorder *recorder);
    uint64_t (*unseen_drops)(const uis_recorder *recorder);
    void (*destroy)(uis_recorder *recorder);
} uis_recorder_kind;

/* Each kind's structure begins with this. */
struct uis_recorder {
    const uis_recorder_kind *kind;
};

/* When tick `k` of a recording that began at `origin` is due. */
static inline uint64_t uis_tick_time(const uis_recorder_config *config, uint64_t origin,
                                     uint64_t k) {
    /* 128 bits: k * 1e9 * den passes 64 after days, and we never round twice. */
    return origin +
           (uint64_t)((unsigned __int128)k * 1000000000u * config->fps_den / config->fps_num);
}

/* Encodes in this process, whatever the ring says of that. `frames` are where slots with
 * UIS_SLOT_ON_DEVICE have their pixels; NULL: such a slot is an error. With a queue_limit (bytes,
 * 0: none) records that nobody takes hold up the clock. Errors as uis_recorder_create. */
int uis_recorder_create_local(const uis_recorder_config *config, uis_ring *ring,
                              const uis_device_frames *frames, size_t queue_limit,
                              uis_recorder **out, char *err, size_t err_size);

/* Any thread, a recorder made by the call above. Gives the slot of the frame on screen its pixels,
 * if they are elsewhere (UIS_SLOT_COPIED). 0 or a negative errno: there is no such frame, or they
 * could not be copied. */
int uis_recorder_fill_held(uis_recorder *recorder);

/* Takes what an encoder host on the same ring (encode_host.h) codes, from the ring's encode
 * link. Checks the configuration; whether the encoders open is known when it starts. */
int uis_recorder_create_remote(const uis_recorder_config *config, uis_ring *ring,
                               uis_recorder **out, char *err, size_t err_size);

#endif
