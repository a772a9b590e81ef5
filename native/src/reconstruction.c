/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "reconstruction.h"
#include "uisplice/openh264_decoder.h"

#include <dlfcn.h>
#include <libyuv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECODER_LIBRARY "libuisplice_openh264.so"

struct uis_reconstruction {
    void *library;
    uis_openh264 *decoder;
    int (*decode)(uis_openh264 *, const uint8_t *, size_t, uis_openh264_picture *);
    void (*close)(uis_openh264 *);
    uint32_t width, height;
    size_t stride, rows; /* of luma, whole macroblocks */
    uint8_t *headers;
    size_t header_size;
    uint8_t *joined; /* an IDR picture behind the parameter sets */
    size_t joined_capacity;
    uint8_t *nv12;
};

/* The decoder lies beside this very library, or in $UISPLICE_LIB_DIR as all of them. */
static void *open_library(char *err, size_t err_size) {
    char path[4096] = DECODER_LIBRARY;
    const char *folder = getenv("UISPLICE_LIB_DIR");
    Dl_info self;
    if (folder && *folder) {
        snprintf(path, sizeof path, "%s/" DECODER_LIBRARY, folder);
    } else if (dladdr((const void *)&uis_reconstruct, &self) && self.dli_fname) {
        const char *slash = strrchr(self.dli_fname, '/');
        if (slash)
            snprintf(path, sizeof path, "%.*s/" DECODER_LIBRARY, (int)(slash - self.dli_fname),
                     self.dli_fname);
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(err, err_size,
                 "this encoder's pictures are reconstructed with OpenH264, and that does not load: "
                 "%s; apt install libopenh264-dev and build again",
                 dlerror());
    return library;
}

int uis_reconstruction_open(uint32_t width, uint32_t height, const uint8_t *headers,
                            size_t header_size, uis_reconstruction **out, char *err,
                            size_t err_size) {
    *out = NULL;
    uis_reconstruction *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    r->width = width;
    r->height = height;
    r->stride = (width + 15) / 16 * 16;
    r->rows = (height + 15) / 16 * 16;
    r->header_size = header_size;
    r->headers = malloc(header_size ? header_size : 1);
    r->nv12 = calloc(r->stride * r->rows * 3 / 2, 1);
    if (!r->headers || !r->nv12) {
        snprintf(err, err_size, "out of memory for pictures of %ux%u", width, height);
        uis_reconstruction_close(r);
        return -1;
    }
    memcpy(r->headers, headers, header_size);
    r->library = open_library(err, err_size);
    uis_openh264 *(*open)(char *, size_t) = NULL;
    if (r->library) {
        *(void **)&open = dlsym(r->library, "uis_openh264_open");
        *(void **)&r->decode = dlsym(r->library, "uis_openh264_decode");
        *(void **)&r->close = dlsym(r->library, "uis_openh264_close");
        if (open && r->decode && r->close)
            r->decoder = open(err, err_size);
        else
            snprintf(err, err_size, DECODER_LIBRARY " is of another build: build again");
    }
    if (!r->decoder) {
        uis_reconstruction_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

void uis_reconstruction_close(uis_reconstruction *r) {
    if (!r)
        return;
    if (r->decoder)
        r->close(r->decoder);
    if (r->library)
        dlclose(r->library);
    free(r->headers);
    free(r->joined);
    free(r->nv12);
    free(r);
}

/* The parameter sets in front of the picture. 0 or -1. */
static int join(uis_reconstruction *r, const uint8_t **data, size_t *size) {
    if (r->joined_capacity < r->header_size + *size) {
        uint8_t *bigger = realloc(r->joined, r->header_size + *size);
        if (!bigger)
            return -1;
        r->joined = bigger;
        r->joined_capacity = r->header_size + *size;
    }
    memcpy(r->joined, r->headers, r->header_size);
    memcpy(r->joined + r->header_size, *data, *size);
    *data = r->joined;
    *size += r->header_size;
    return 0;
}

/* Repeats what is shown up to whole macroblocks; `step` bytes a sample of a plane of
 * `width` x `height` samples. */
static void pad(uint8_t *plane, size_t stride, size_t rows, size_t width, size_t height,
                size_t step) {
    for (size_t y = 0; y < height; y++)
        for (size_t x = width * step; x < stride; x++)
            plane[y * stride + x] = plane[y * stride + x - step];
    for (size_t y = height; y < rows; y++)
        memcpy(plane + y * stride, plane + (height - 1) * stride, stride);
}

int uis_reconstruct(uis_reconstruction *r, uis_encoded *encoded, char *err, size_t err_size) {
    const uint8_t *data = encoded->data;
    size_t size = encoded->size;
    if (encoded->idr && join(r, &data, &size) != 0) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    uis_openh264_picture shown;
    const int rc = r->decode(r->decoder, data, size, &shown);
    if (rc != 1) {
        snprintf(err, err_size,
                 "OpenH264 does not decode what the encoder wrote (%d), so nobody knows what it "
                 "reconstructed",
                 rc);
        return -1;
    }
    if (shown.width != (int)r->width || shown.height != (int)r->height) {
        snprintf(err, err_size, "the encoder's stream is %dx%d, not %ux%u", shown.width,
                 shown.height, r->width, r->height);
        return -1;
    }
    uint8_t *uv = r->nv12 + r->stride * r->rows;
    I420ToNV12(shown.planes[0], shown.strides[0], shown.planes[1], shown.strides[1],
               shown.planes[2], shown.strides[2], r->nv12, (int)r->stride, uv, (int)r->stride,
               (int)r->width, (int)r->height);
    if (r->stride != r->width || r->rows != r->height) {
        pad(r->nv12, r->stride, r->rows, r->width, r->height, 1);
        pad(uv, r->stride, r->rows / 2, r->width / 2, r->height / 2, 2);
    }
    encoded->recon_y = r->nv12;
    encoded->recon_uv = uv;
    encoded->recon_y_stride = encoded->recon_uv_stride = r->stride;
    return 0;
}
