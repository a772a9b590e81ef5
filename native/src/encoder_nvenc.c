/* SPDX-License-Identifier: GPL-2.0-or-later
 * NVENC. Pictures from the host are uploaded as NV12, converted by the pipeline as for any
 * backend, so that two backends code the same pixels; pictures of the device are copied
 * there, with the crop, into memory of the encoder's own, which is registered once. */
#include "encoder.h"
#include "h264.h"
#include "nvenc_session.h"
#include "reconstruction.h"

#include <libyuv.h>

/* Device memory that NVENC reads: registered when it is first used, mapped for each picture. */
typedef struct surface {
    NV_ENC_BUFFER_FORMAT format;
    CUdeviceptr memory;
    size_t pitch;
    NV_ENC_REGISTERED_PTR registered;
} surface;

struct uis_encoder {
    uis_nvenc_session session;
    uis_reconstruction *reconstruction;
    uint8_t *headers;
    size_t header_size;
    surface nv12, bgra;
    uint8_t *chroma; /* Cb and Cr interleaved, on the host */
    uint64_t number; /* of the next picture */
    uint8_t *slices; /* the last picture's */
    size_t slices_capacity;
};

/* Bytes of a row, and rows, of a surface. */
static size_t row_bytes(const uis_nvenc_session *s, NV_ENC_BUFFER_FORMAT format) {
    return format == NV_ENC_BUFFER_FORMAT_ARGB ? (size_t)s->width * 4 : s->width;
}

static size_t row_count(const uis_nvenc_session *s, NV_ENC_BUFFER_FORMAT format) {
    return format == NV_ENC_BUFFER_FORMAT_ARGB ? s->height : (size_t)s->height * 3 / 2;
}

static void surface_close(uis_nvenc_session *s, surface *u) {
    if (u->registered)
        s->api.nvEncUnregisterResource(s->encoder, u->registered);
    if (u->memory)
        s->cuda.api->cuMemFree(u->memory);
    *u = (surface){0};
}

static int surface_open(uis_nvenc_session *s, surface *u, NV_ENC_BUFFER_FORMAT format, char *err,
                        size_t err_size) {
    u->format = format;
    if (uis_cuda_check(&s->cuda,
                       s->cuda.api->cuMemAllocPitch(&u->memory, &u->pitch, row_bytes(s, format),
                                                    row_count(s, format), 16),
                       "allocating a picture", err, err_size) != 0) {
        u->memory = 0;
        return -1;
    }
    NV_ENC_REGISTER_RESOURCE p = {.version = NV_ENC_REGISTER_RESOURCE_VER,
                                  .resourceType = NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
                                  .width = s->width,
                                  .height = s->height,
                                  .pitch = (uint32_t)u->pitch,
                                  .resourceToRegister = (void *)(uintptr_t)u->memory,
                                  .bufferFormat = format,
                                  .bufferUsage = NV_ENC_INPUT_IMAGE};
    if (uis_nvenc_check(s, s->api.nvEncRegisterResource(s->encoder, &p), "registering a picture",
                        err, err_size) != 0) {
        surface_close(s, u);
        return -1;
    }
    u->registered = p.registeredResource;
    return 0;
}

static void nvenc_close(uis_encoder *e) {
    if (!e)
        return;
    char ignored[64];
    if (e->session.encoder && uis_cuda_push(&e->session.cuda, ignored, sizeof ignored) == 0) {
        surface_close(&e->session, &e->nv12);
        surface_close(&e->session, &e->bgra);
        uis_cuda_pop(&e->session.cuda);
    }
    uis_nvenc_close(&e->session);
    uis_reconstruction_close(e->reconstruction);
    free(e->headers);
    free(e->chroma);
    free(e->slices);
    free(e);
}

static int nvenc_open(const uis_encoder_config *config, uis_encoder **out, char *err,
                      size_t err_size) {
    *out = NULL;
    uis_encoder *e = calloc(1, sizeof *e);
    if (e)
        e->chroma = malloc((size_t)config->width * config->height / 2);
    if (!e || !e->chroma) {
        snprintf(err, err_size, "out of memory");
        free(e);
        return -1;
    }
    if (uis_nvenc_open(&e->session, config, err, err_size) != 0) {
        nvenc_close(e);
        return -1;
    }
    int rc = uis_cuda_push(&e->session.cuda, err, err_size);
    if (rc == 0) {
        rc = uis_nvenc_headers(&e->session, &e->headers, &e->header_size, err, err_size);
        uis_cuda_pop(&e->session.cuda);
    }
    if (rc != 0 ||
        uis_reconstruction_open(config->width, config->height, e->headers, e->header_size,
                                &e->reconstruction, err, err_size) != 0) {
        nvenc_close(e);
        return -1;
    }
    *out = e;
    return 0;
}

static void nvenc_headers(uis_encoder *e, const uint8_t **data, size_t *size) {
    *data = e->headers;
    *size = e->header_size;
}

static const char *nvenc_describe(const uis_encoder *e) {
    return e->session.description;
}

static uis_encoder_limits nvenc_limits(const uis_encoder *e) {
    return e->session.limits;
}

static void *nvenc_context(const uis_encoder *e) {
    return e->session.cuda.context;
}

static int copy(const uis_nvenc_session *s, CUDA_MEMCPY2D *c, size_t bytes, size_t rows, char *err,
                size_t err_size) {
    c->WidthInBytes = bytes;
    c->Height = rows;
    return uis_cuda_check(&s->cuda, s->cuda.api->cuMemcpy2D(c), "copying a picture", err, err_size);
}

/* The planes of the host as NV12; of whole macroblocks, which may be more than is coded. */
static int upload(uis_encoder *e, const uis_i420 *picture, char *err, size_t err_size) {
    uis_nvenc_session *s = &e->session;
    if (picture->width < s->width || picture->height < s->height) {
        snprintf(err, err_size, "the encoder codes %ux%u, and got %ux%u", s->width, s->height,
                 picture->width, picture->height);
        return -1;
    }
    MergeUVPlane(picture->u, (int)picture->c_stride, picture->v, (int)picture->c_stride, e->chroma,
                 (int)s->width, (int)s->width / 2, (int)s->height / 2);
    CUDA_MEMCPY2D luma = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = picture->y,
                          .srcPitch = picture->y_stride,
                          .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                          .dstDevice = e->nv12.memory,
                          .dstPitch = e->nv12.pitch};
    CUDA_MEMCPY2D chroma = luma;
    chroma.srcHost = e->chroma;
    chroma.srcPitch = s->width;
    chroma.dstY = s->height;
    return copy(s, &luma, s->width, s->height, err, err_size) == 0 &&
                   copy(s, &chroma, s->width, s->height / 2, err, err_size) == 0
               ? 0
               : -1;
}

/* What the encoder codes of a picture that is on the device already. A copy within the device
 * may go on after the call; NVENC reads on the same stream, the default one, so after it. */
static int take(uis_encoder *e, const uis_device_picture *d, surface *to, char *err,
                size_t err_size) {
    uis_nvenc_session *s = &e->session;
    if (d->context != s->cuda.context) {
        snprintf(err, err_size,
                 "the picture is in another CUDA context than the encoder, which uses the primary "
                 "one of %s",
                 s->cuda.name);
        return -1;
    }
    if (!d->pointer == !d->array || d->x % 2 || d->y % 2 || d->x > d->width || d->y > d->height ||
        d->width - d->x < s->width || d->height - d->y < s->height) {
        snprintf(err, err_size, "a picture of %ux%u on the device does not hold %ux%u at (%u, %u)",
                 d->width, d->height, s->width, s->height, d->x, d->y);
        return -1;
    }
    const size_t bytes = d->format == UIS_DEVICE_BGRA ? 4 : 1;
    CUDA_MEMCPY2D c = {.srcMemoryType = d->array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE,
                       .srcArray = d->array,
                       .srcDevice = d->pointer,
                       .srcPitch = d->pitch,
                       .srcXInBytes = d->x * bytes,
                       .srcY = d->y,
                       .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                       .dstDevice = to->memory,
                       .dstPitch = to->pitch};
    if (copy(s, &c, s->width * bytes, s->height, err, err_size) != 0)
        return -1;
    if (d->format == UIS_DEVICE_BGRA)
        return 0;
    c.srcY = d->height + d->y / 2;
    c.dstY = s->height;
    return copy(s, &c, s->width, s->height / 2, err, err_size);
}

/* Keeps the slices of a coded picture, and only those. 0 or -1. */
static int keep_slices(uis_encoder *e, const uint8_t *data, size_t size, uis_encoded *out,
                       char *err, size_t err_size) {
    static const uint8_t start_code[] = {0, 0, 0, 1};
    size_t position = 0, used = 0, nal_size, count = 0;
    const uint8_t *nal;
    bool idr = false;
    /* A start code of four bytes may be one longer than the encoder's. */
    while (uis_next_nal(data, size, &position, &nal, &nal_size))
        count++;
    if (e->slices_capacity < size + count) {
        uint8_t *bigger = realloc(e->slices, size + count);
        if (!bigger) {
            snprintf(err, err_size, "out of memory");
            return -1;
        }
        e->slices = bigger;
        e->slices_capacity = size + count;
    }
    position = 0;
    while (uis_next_nal(data, size, &position, &nal, &nal_size)) {
        const unsigned type = nal_size ? nal[0] & 31 : 0;
        if (type != UIS_NAL_SLICE && type != UIS_NAL_IDR)
            continue;
        idr = type == UIS_NAL_IDR;
        memcpy(e->slices + used, start_code, sizeof start_code);
        memcpy(e->slices + used + sizeof start_code, nal, nal_size);
        used += sizeof start_code + nal_size;
    }
    if (!used) {
        snprintf(err, err_size, "NVENC: a picture came without slices");
        return -1;
    }
    *out = (uis_encoded){.data = e->slices, .size = used, .idr = idr};
    return 0;
}

/* Codes what lies in `from`. The context is current. */
static int code(uis_encoder *e, const surface *from, bool force_idr, uis_encoded *out, char *err,
                size_t err_size) {
    uis_nvenc_session *s = &e->session;
    NV_ENC_MAP_INPUT_RESOURCE map = {.version = NV_ENC_MAP_INPUT_RESOURCE_VER,
                                     .registeredResource = from->registered};
    if (uis_nvenc_check(s, s->api.nvEncMapInputResource(s->encoder, &map), "mapping a picture", err,
                        err_size) != 0)
        return -1;
    const uint8_t *data;
    size_t size;
    int rc = uis_nvenc_encode(s, map.mappedResource, map.mappedBufferFmt, (uint32_t)from->pitch,
                              force_idr, e->number, &data, &size, err, err_size);
    if (rc == 0) {
        rc = keep_slices(e, data, size, out, err, err_size);
        char later[256]; /* an error before it is the one to report */
        if (uis_nvenc_unlock(s, rc == 0 ? err : later, rc == 0 ? err_size : sizeof later) != 0)
            rc = -1;
    }
    char later[256];
    if (uis_nvenc_check(s, s->api.nvEncUnmapInputResource(s->encoder, map.mappedResource),
                        "unmapping a picture", rc == 0 ? err : later,
                        rc == 0 ? err_size : sizeof later) != 0)
        rc = -1;
    return rc;
}

static int nvenc_encode(uis_encoder *e, const uis_encode_request *request, uis_encoded *out,
                        char *err, size_t err_size) {
    uis_nvenc_session *s = &e->session;
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    const uis_device_picture *device = request->device;
    const bool bgra = device && device->format == UIS_DEVICE_BGRA;
    surface *from = bgra ? &e->bgra : &e->nv12;
    int rc =
        from->registered
            ? 0
            : surface_open(s, from, bgra ? NV_ENC_BUFFER_FORMAT_ARGB : NV_ENC_BUFFER_FORMAT_NV12,
                           err, err_size);
    if (rc == 0)
        rc = device ? take(e, device, from, err, err_size)
                    : upload(e, request->picture, err, err_size);
    if (rc == 0)
        rc = code(e, from, request->force_idr, out, err, err_size);
    uis_cuda_pop(&s->cuda);
    if (rc != 0)
        return -1;
    e->number++;
    return uis_reconstruct(e->reconstruction, out, err, err_size);
}

const uis_encoder_backend uis_backend_nvenc = {
    .name = "NVENC",
    .switches_deblocking = false, /* a setting of the session */
    .open = nvenc_open,
    .headers = nvenc_headers,
    .encode = nvenc_encode,
    .close = nvenc_close,
    .describe = nvenc_describe,
    .limits = nvenc_limits,
    .context = nvenc_context,
};
