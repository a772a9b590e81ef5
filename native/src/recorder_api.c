/* SPDX-License-Identifier: GPL-2.0-or-later
 * The recorder's public functions: each one's work is its kind's. */
#include "recorder_kind.h"

int uis_recorder_create(const uis_recorder_config *config, uis_ring *ring, uis_recorder **out,
                        char *err, size_t err_size) {
    if (uis_ring_get_geometry(ring).encode == UIS_ENCODE_LAYER)
        return uis_recorder_create_remote(config, ring, out, err, err_size);
    return uis_recorder_create_local(config, ring, NULL, 0, out, err, err_size);
}

int uis_recorder_spool(uis_recorder *recorder, int fd) {
    return recorder->kind->spool(recorder, fd);
}

int uis_recorder_start(uis_recorder *recorder, uint64_t origin_ns) {
    return recorder->kind->start(recorder, origin_ns);
}

uint64_t uis_recorder_origin(const uis_recorder *recorder) {
    return recorder->kind->origin(recorder);
}

void uis_recorder_request_keyframe(uis_recorder *recorder) {
    recorder->kind->request_keyframe(recorder);
}

uint64_t uis_recorder_ticks(const uis_recorder *recorder) {
    return recorder->kind->ticks(recorder);
}

void uis_recorder_stop(uis_recorder *recorder, uint64_t end_ns) {
    recorder->kind->stop(recorder, end_ns);
}

int uis_recorder_next(uis_recorder *recorder, int timeout_ms, uis_tick *tick) {
    return recorder->kind->next(recorder, timeout_ms, tick);
}

const char *uis_recorder_error(const uis_recorder *recorder) {
    return recorder->kind->error(recorder);
}

uint64_t uis_recorder_unseen_drops(const uis_recorder *recorder) {
    return recorder->kind->unseen_drops(recorder);
}

void uis_recorder_destroy(uis_recorder *recorder) {
    if (recorder)
        recorder->kind->destroy(recorder);
}

const char *uis_version(void) {
    return UISPLICE_VERSION;
}
