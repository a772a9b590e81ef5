/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "encoder.h"
#include "uisplice/recorder.h"

const uis_encoder_backend *uis_encoder_backend_of(uint32_t encoder) {
    switch (encoder) {
    case UIS_ENCODER_X264:
        return &uis_backend_x264;
    case UIS_ENCODER_NVENC:
        return &uis_backend_nvenc;
    default:
        return NULL;
    }
}
