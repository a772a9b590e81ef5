/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interface of an encoder backend. A backend codes one picture a call,
 * with no delay, no reordering, one reference, CAVLC Baseline, constant QP,
 * no constrained intra prediction (the splicer's PPS has it where it must be),
 * and tells what it reconstructed. libx264 is the embedded default. An encoder is
 * used by one thread at a time. */
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
    uint32_t mv_range;      /* full pixels; 0: the backend's own. A wish: vectors are checked */
    bool deblock;           /* of every picture, where the backend does not switch it */
    char preset[16];        /* libx264's names; other backends map them to theirs */
} uis_encoder_config;

/* A picture in a device's memory, for backends that take one: linear memory or an array
 * of the CUDA context `context`, of which the encoder codes its own width x height from
 * (x, y) on. Nothing may write to it during the call, and whatever wrote to it must be
 * complete; it stays its maker's. */
typedef enum uis_device_format {
    UIS_DEVICE_BGRA, /* B, G, R, A in memory: NVENC's ARGB; converted by the encoder */
    UIS_DEVICE_NV12  /* the plane of Cb and Cr lies `height` rows below luma's first row */
} uis_device_format;
typedef struct uis_device_picture {
    uis_device_format format;
    uint64_t pointer;       /* CUdeviceptr; 0: `array` has the pixels */
    void *array;            /* CUarray */
    size_t pitch;           /* of linear memory, bytes */
    uint32_t width, height; /* pixels */
    uint32_t x, y;          /* even */
    void *context;          /* CUcontext that the memory belongs to */
} uis_device_picture;

/* One picture to code. */
typedef struct uis_encode_request {
    const uis_i420 *picture; /* in host memory */
    /* Or where it lies in the device's memory, for a backend that has a `context`; one of the
     * two is NULL. */
    const uis_device_picture *device;
    /* One byte a macroblock, 1 where the input equals the previous input and shall
     * be predicted from it with a zero vector; NULL: nothing is known. */
    const uint8_t *constant;
    bool force_idr;
    bool deblock; /* use the deblocking filter in this picture, if the backend can choose */
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

/* The smallest picture that an encoder of this kind takes, pixels. */
typedef struct uis_encoder_limits {
    uint32_t min_width, min_height;
} uis_encoder_limits;

typedef struct uis_encoder_backend {
    const char *name;
    /* The deblocking filter can be switched from picture to picture. */
    bool switches_deblocking;
    /* 0 with *out set, or negative with a sentence in err. */
    int (*open)(const uis_encoder_config *config, uis_encoder **out, char *err, size_t err_size);
    /* SPS and PPS of this encoder, Annex B; valid while it is open. */
    void (*headers)(uis_encoder *encoder, const uint8_t **data, size_t *size);
    int (*encode)(uis_encoder *encoder, const uis_encode_request *request, uis_encoded *out,
                  char *err, size_t err_size);
    void (*close)(uis_encoder *encoder); /* NULL is fine */
    /* What really codes, for reports: library, version, device; valid while it is open. */
    const char *(*describe)(const uis_encoder *encoder);
    uis_encoder_limits (*limits)(const uis_encoder *encoder);
    /* The CUcontext that a picture of the device must belong to; NULL: it takes none. */
    void *(*context)(const uis_encoder *encoder);
} uis_encoder_backend;

extern const uis_encoder_backend uis_backend_x264;
extern const uis_encoder_backend uis_backend_nvenc;

/* The backend of UIS_ENCODER_* (recorder.h); NULL: there is none of that number. */
const uis_encoder_backend *uis_encoder_backend_of(uint32_t encoder);
#endif
