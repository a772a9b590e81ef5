/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interface of an encoder backend. A backend codes one picture a call,
 * with no delay, no reordering, one reference, CAVLC Baseline, constant QP,
 * and tells what it reconstructed. libx264 is the embedded default. */
#ifndef UIS_ENCODER_H
#define UIS_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An I420 picture; owned by whoever made it. Strides in bytes. */
typedef struct uis_i420 {
    uint8_t *y, *u, *v;
    size_t y_stride, c_stride;
    uint32_t width, height; /* of luma */
} uis_i420;

typedef struct uis_encoder_config {
    uint32_t width, height; /* even; what lacks to whole macroblocks is repeated */
    uint32_t fps_num, fps_den;
    uint32_t qp;
    uint32_t threads;
    uint32_t slice_max_mbs; /* 0: one slice a picture */
    uint32_t mv_range;      /* full pixels; 0: the backend's own */
    char preset[16];
} uis_encoder_config;

/* One picture to code. */
typedef struct uis_encode_request {
    const uis_i420 *picture;
    /* One byte a macroblock, 1 where the input equals the previous input and shall
     * be predicted from it with a zero vector; NULL: nothing is known. */
    const uint8_t *constant;
    bool force_idr;
    bool deblock; /* use the deblocking filter in this picture */
} uis_encode_request;

/* What one call coded; valid until the next call on the same encoder. */
typedef struct uis_encoded {
    const uint8_t *data; /* Annex B, slices only */
    size_t size;
    bool idr;
    /* The reconstruction, as NV12. */
    const uint8_t *recon_y, *recon_uv;
    size_t recon_y_stride, recon_uv_stride;
} uis_encoded;

typedef struct uis_encoder uis_encoder;

typedef struct uis_encoder_backend {
    const char *name;
    /* 0 with *out set, or negative with a sentence in err. */
    int (*open)(const uis_encoder_config *config, uis_encoder **out, char *err, size_t err_size);
    /* SPS and PPS of this encoder, Annex B; valid while it is open. */
    void (*headers)(uis_encoder *encoder, const uint8_t **data, size_t *size);
    int (*encode)(uis_encoder *encoder, const uis_encode_request *request, uis_encoded *out,
                  char *err, size_t err_size);
    void (*close)(uis_encoder *encoder); /* NULL is fine */
} uis_encoder_backend;

extern const uis_encoder_backend uis_backend_x264;
#endif
