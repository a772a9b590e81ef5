/* SPDX-License-Identifier: GPL-2.0-or-later
 * The source for frames on the GPU; see source.h. What changed is found by a kernel, the planes
 * are NV12 in the GPU's memory, and encoders get pictures of the device. To the host comes the
 * map of what changed and, to be measured, the luma of what changed: the encoders'
 * reconstructions are there, so that to measure on the GPU as much would have to go the other
 * way. To the GPU goes what stands in a region's place when that begins, and a frame that was
 * captured to the host. */
#include "source.h"

#include "cuda_driver.h"
#include "device_pixels.h"

#include <libyuv.h>

/* Frames uploaded: the one before and the newest. */
enum { BEFORE, NOW, UPLOADS };

typedef struct device_source {
    uis_source base;
    uis_cuda cuda;
    uis_device_pixels *kernels;
    CUstream stream; /* copies; the kernels have their own */
    bool pending;    /* copies that may still run */
    uint32_t width, height, plane_width, plane_height;
    CUdeviceptr planes[2]; /* by uis_source_planes: luma, and below it Cb and Cr interleaved */
    size_t pitch;
    CUdeviceptr uploads[UPLOADS]; /* 0 until one is needed */
    size_t upload_pitch;
    uis_device_bgra now, before;
    uint8_t *chroma; /* Cb and Cr interleaved, on the host */

    /* `newest` in host memory. */
    uis_i420 mirror;        /* u and v NULL: chroma is not measured */
    uis_cuda_host mirrored; /* its luma, and below it Cb and Cr interleaved */
    CUstream mirroring;
    uis_rect coming; /* what is being copied; empty: nothing */
    int64_t came;    /* bytes, since somebody looked */
} device_source;

static int check(const device_source *s, CUresult result, const char *what, char *err,
                 size_t err_size) {
    return uis_cuda_check(&s->cuda, result, what, err, err_size);
}

/* Waits for copies. The context is current. */
static int settle(device_source *s, char *err, size_t err_size) {
    if (!s->pending)
        return 0;
    s->pending = false;
    return check(s, s->cuda.api->cuStreamSynchronize(s->stream), "copying on the device", err,
                 err_size);
}

static int start_copy(device_source *s, const CUDA_MEMCPY2D *copy, char *err, size_t err_size) {
    s->pending = true;
    return check(s, s->cuda.api->cuMemcpy2DAsync(copy, s->stream), "copying on the device", err,
                 err_size);
}

/* A frame in host memory, on the device. The context is current. */
static int upload(device_source *s, const uis_bgra *frame, int which, uis_device_bgra *out,
                  char *err, size_t err_size) {
    if (!s->uploads[which] &&
        check(s,
              s->cuda.api->cuMemAllocPitch(&s->uploads[which], &s->upload_pitch,
                                           (size_t)s->width * 4, s->height, 16),
              "allocating a frame", err, err_size) != 0) {
        s->uploads[which] = 0;
        return -1;
    }
    *out = (uis_device_bgra){s->uploads[which], s->upload_pitch};
    const CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                                .srcHost = frame->pixels,
                                .srcPitch = frame->stride,
                                .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                                .dstDevice = out->pixels,
                                .dstPitch = out->pitch,
                                .WidthInBytes = (size_t)s->width * 4,
                                .Height = s->height};
    return start_copy(s, &copy, err, err_size);
}

static int locate(device_source *s, const uis_image *frame, int which, uis_device_bgra *out,
                  char *err, size_t err_size) {
    if (frame->host.pixels)
        return upload(s, &frame->host, which, out, err, err_size);
    if (frame->device.context != s->cuda.context) {
        snprintf(err, err_size, "a frame is in another CUDA context than the encoder's, of %s",
                 s->cuda.name);
        return -1;
    }
    *out = (uis_device_bgra){frame->device.address, frame->device.pitch};
    return 0;
}

static int device_take(uis_source *base, const uis_image *now, const uis_image *before, char *err,
                       size_t err_size) {
    device_source *s = (device_source *)base;
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    int rc = locate(s, now, NOW, &s->now, err, err_size);
    if (rc == 0 && before)
        rc = locate(s, before, BEFORE, &s->before, err, err_size);
    if (rc == 0)
        rc = settle(s, err, err_size);
    uis_cuda_pop(&s->cuda);
    return rc;
}

static int64_t device_dirty_map(uis_source *base, const uis_rect *damage, uint8_t *map,
                                uis_rect *box, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    const int64_t dirty = uis_device_dirty_map(s->kernels, s->now, s->before, damage, map, box);
    if (dirty < 0)
        snprintf(err, err_size, "comparing frames on %s failed", s->cuda.name);
    return dirty;
}

static int64_t device_dirty_outside(uis_source *base, const uint8_t *map, const uis_rect *rects,
                                    uint32_t count, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    (void)map; /* the kernel has its own */
    const int64_t outside = uis_device_dirty_outside(s->kernels, s->now, s->before, rects, count);
    if (outside < 0)
        snprintf(err, err_size, "comparing frames on %s failed", s->cuda.name);
    return outside;
}

/* What uis_convert writes of the view for `area`. */
static uis_rect converted(const device_source *s, const uis_rect *area) {
    const uis_rect view = {0, 0, (int32_t)s->width, (int32_t)s->height};
    const uis_rect a = uis_rect_intersect(*area, view);
    const int32_t x = a.x & ~1, y = a.y & ~1;
    return (uis_rect){x, y, ((a.x + a.w + 1) & ~1) - x, ((a.y + a.h + 1) & ~1) - y};
}

/* Waits until the mirror shows what was fed. The context is current. */
static int settle_mirror(device_source *s, char *err, size_t err_size) {
    const uis_rect a = s->coming;
    if (uis_rect_empty(a))
        return 0;
    s->coming = (uis_rect){0};
    if (check(s, s->cuda.api->cuStreamSynchronize(s->mirroring), "copying what is measured", err,
              err_size) != 0)
        return -1;
    if (s->mirror.u) {
        const size_t stride = s->mirror.c_stride;
        const size_t at = (size_t)a.y / 2 * stride + (size_t)a.x / 2;
        SplitUVPlane(s->mirrored.bytes + s->mirror.y_stride * s->plane_height + 2 * at,
                     (int)(2 * stride), s->mirror.u + at, (int)stride, s->mirror.v + at,
                     (int)stride, a.w / 2, a.h / 2);
    }
    return 0;
}

/* Starts to copy a part of a plane of `newest` to the same place of the mirror's. */
static int mirror_plane(device_source *s, CUdeviceptr from, uint8_t *to, const uis_rect *part,
                        char *err, size_t err_size) {
    const CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                .srcDevice = from,
                                .srcPitch = s->pitch,
                                .srcXInBytes = (size_t)part->x,
                                .srcY = (size_t)part->y,
                                .dstMemoryType = CU_MEMORYTYPE_HOST,
                                .dstHost = to,
                                .dstPitch = s->mirror.y_stride,
                                .dstXInBytes = (size_t)part->x,
                                .dstY = (size_t)part->y,
                                .WidthInBytes = (size_t)part->w,
                                .Height = (size_t)part->h};
    s->came += (int64_t)part->w * part->h;
    return check(s, s->cuda.api->cuMemcpy2DAsync(&copy, s->mirroring), "copying what is measured",
                 err, err_size);
}

static CUdeviceptr chroma_of(const device_source *s, uis_source_planes planes) {
    return s->planes[planes] + s->pitch * s->plane_height;
}

/* Starts to copy what was converted, which goes on while encoders work. The context is current. */
static int start_mirroring(device_source *s, const uis_rect *area, char *err, size_t err_size) {
    const uis_rect luma = converted(s, area);
    if (uis_rect_empty(luma))
        return 0;
    s->coming = luma;
    if (mirror_plane(s, s->planes[UIS_PLANES_NEWEST], s->mirror.y, &luma, err, err_size) != 0)
        return -1;
    if (!s->mirror.u)
        return 0;
    const uis_rect pairs = {luma.x, luma.y / 2, luma.w, luma.h / 2};
    return mirror_plane(s, chroma_of(s, UIS_PLANES_NEWEST),
                        s->mirrored.bytes + s->mirror.y_stride * s->plane_height, &pairs, err,
                        err_size);
}

static int device_feed(uis_source *base, const uis_rect *area, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    int rc = settle(s, err, err_size); /* a copy may read what is written now */
    if (rc == 0)
        rc = settle_mirror(s, err, err_size);
    uis_cuda_pop(&s->cuda);
    if (rc != 0)
        return -1;
    const uis_device_nv12 to = {.luma = s->planes[UIS_PLANES_NEWEST],
                                .chroma = chroma_of(s, UIS_PLANES_NEWEST),
                                .luma_pitch = s->pitch,
                                .chroma_pitch = s->pitch};
    if (uis_device_convert(s->kernels, s->now, area, to) != 0) {
        snprintf(err, err_size, "converting a frame on %s failed", s->cuda.name);
        return -1;
    }
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    rc = start_mirroring(s, area, err, err_size);
    uis_cuda_pop(&s->cuda);
    return rc;
}

/* To a place of `seen`: luma and chroma from where `luma` and `chroma` say. */
static int copy_to_seen(device_source *s, const uis_mb_rect *at, CUDA_MEMCPY2D luma,
                        CUDA_MEMCPY2D chroma, char *err, size_t err_size) {
    luma.dstMemoryType = chroma.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    luma.dstDevice = s->planes[UIS_PLANES_SEEN];
    chroma.dstDevice = chroma_of(s, UIS_PLANES_SEEN);
    luma.dstPitch = chroma.dstPitch = s->pitch;
    luma.dstXInBytes = chroma.dstXInBytes = at->x * 16;
    luma.dstY = at->y * 16;
    chroma.dstY = at->y * 8;
    luma.WidthInBytes = chroma.WidthInBytes = at->w * 16;
    luma.Height = at->h * 16;
    chroma.Height = at->h * 8;
    return start_copy(s, &luma, err, err_size) == 0 && start_copy(s, &chroma, err, err_size) == 0
               ? 0
               : -1;
}

static int device_keep(uis_source *base, const uis_mb_rect *at, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    const CUDA_MEMCPY2D luma = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                .srcDevice = s->planes[UIS_PLANES_NEWEST],
                                .srcPitch = s->pitch,
                                .srcXInBytes = at->x * 16,
                                .srcY = at->y * 16};
    CUDA_MEMCPY2D chroma = luma;
    chroma.srcDevice = chroma_of(s, UIS_PLANES_NEWEST);
    chroma.srcY = at->y * 8;
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    const int rc = copy_to_seen(s, at, luma, chroma, err, err_size);
    uis_cuda_pop(&s->cuda);
    return rc;
}

static int device_put(uis_source *base, const uis_mb_rect *at, const uis_i420 *from, char *err,
                      size_t err_size) {
    device_source *s = (device_source *)base;
    const size_t corner = (size_t)at->y * 8 * from->c_stride + at->x * 8;
    MergeUVPlane(from->u + corner, (int)from->c_stride, from->v + corner, (int)from->c_stride,
                 s->chroma, (int)at->w * 16, (int)at->w * 8, (int)at->h * 8);
    const CUDA_MEMCPY2D luma = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                                .srcHost = from->y,
                                .srcPitch = from->y_stride,
                                .srcXInBytes = at->x * 16,
                                .srcY = at->y * 16};
    const CUDA_MEMCPY2D chroma = {
        .srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = s->chroma, .srcPitch = (size_t)at->w * 16};
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    int rc = copy_to_seen(s, at, luma, chroma, err, err_size);
    if (rc == 0)
        rc = settle(s, err, err_size); /* both of the host's may be written to again */
    uis_cuda_pop(&s->cuda);
    return rc;
}

static int device_view(uis_source *base, uis_source_planes planes, const uis_mb_rect *at,
                       uis_source_view *out, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    *out = (uis_source_view){.on_device = true,
                             .device = {.format = UIS_DEVICE_NV12,
                                        .pointer = s->planes[planes],
                                        .pitch = s->pitch,
                                        .width = s->plane_width,
                                        .height = s->plane_height,
                                        .x = at->x * 16,
                                        .y = at->y * 16,
                                        .context = s->cuda.context}};
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    const int rc = settle(s, err, err_size);
    uis_cuda_pop(&s->cuda);
    return rc;
}

static int64_t device_pixels(uis_source *base, const uis_i420 **out, char *err, size_t err_size) {
    device_source *s = (device_source *)base;
    if (uis_cuda_push(&s->cuda, err, err_size) != 0)
        return -1;
    const int rc = settle_mirror(s, err, err_size);
    uis_cuda_pop(&s->cuda);
    if (rc != 0)
        return -1;
    const int64_t came = s->came;
    s->came = 0;
    *out = &s->mirror;
    return came;
}

static void device_close(uis_source *base) {
    device_source *s = (device_source *)base;
    char ignored[64];
    uis_device_pixels_destroy(s->kernels);
    if (s->cuda.context && uis_cuda_push(&s->cuda, ignored, sizeof ignored) == 0) {
        (void)settle(s, ignored, sizeof ignored);
        (void)settle_mirror(s, ignored, sizeof ignored);
        if (s->stream)
            s->cuda.api->cuStreamDestroy(s->stream);
        if (s->mirroring)
            s->cuda.api->cuStreamDestroy(s->mirroring);
        uis_cuda_free_host(&s->cuda, &s->mirrored);
        for (int i = 0; i < 2; i++)
            if (s->planes[i])
                s->cuda.api->cuMemFree(s->planes[i]);
        for (int i = 0; i < UPLOADS; i++)
            if (s->uploads[i])
                s->cuda.api->cuMemFree(s->uploads[i]);
        uis_cuda_pop(&s->cuda);
    }
    uis_cuda_close(&s->cuda);
    free(s->chroma);
    free(s->mirror.u); /* with v */
    free(s);
}

static const uis_source_kind device_kind = {
    .take = device_take,
    .dirty_map = device_dirty_map,
    .dirty_outside = device_dirty_outside,
    .feed = device_feed,
    .keep = device_keep,
    .put = device_put,
    .view = device_view,
    .pixels = device_pixels,
    .close = device_close,
};

/* Stream and memory of the mirror. The context is current. */
static int make_mirror(device_source *s, bool chroma, char *err, size_t err_size) {
    const size_t luma = (size_t)s->plane_width * s->plane_height;
    if (check(s, s->cuda.api->cuStreamCreate(&s->mirroring, CU_STREAM_NON_BLOCKING),
              "making a stream", err, err_size) != 0) {
        s->mirroring = NULL;
        return -1;
    }
    s->mirrored = uis_cuda_alloc_host(&s->cuda, chroma ? luma * 3 / 2 : luma);
    s->mirror = (uis_i420){.y = s->mirrored.bytes,
                           .u = chroma ? malloc(luma / 2) : NULL,
                           .y_stride = s->plane_width,
                           .c_stride = s->plane_width / 2,
                           .width = s->plane_width,
                           .height = s->plane_height};
    if (!s->mirror.y || (chroma && !s->mirror.u)) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    if (chroma)
        s->mirror.v = s->mirror.u + luma / 4;
    return 0;
}

/* Planes and stream. The context is current. */
static int allocate(device_source *s, char *err, size_t err_size) {
    const CudaFunctions *f = s->cuda.api;
    if (check(s, f->cuStreamCreate(&s->stream, CU_STREAM_NON_BLOCKING), "making a stream", err,
              err_size) != 0) {
        s->stream = NULL;
        return -1;
    }
    for (int i = 0; i < 2; i++)
        if (check(s,
                  f->cuMemAllocPitch(&s->planes[i], &s->pitch, s->plane_width,
                                     (size_t)s->plane_height * 3 / 2, 16),
                  "allocating planes", err, err_size) != 0) {
            s->planes[i] = 0;
            return -1;
        }
    return 0;
}

int uis_source_open_device(uint32_t width, uint32_t height, void *context, bool measured,
                           uis_source **out, char *err, size_t err_size) {
    *out = NULL;
    device_source *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    s->base.kind = &device_kind;
    s->width = width;
    s->height = height;
    s->plane_width = (width + 15) / 16 * 16;
    s->plane_height = (height + 15) / 16 * 16;
    s->chroma = malloc((size_t)s->plane_width * s->plane_height / 2);
    int rc = -1;
    if (!s->chroma)
        snprintf(err, err_size, "out of memory");
    else
        rc = uis_cuda_open(&s->cuda, err, err_size);
    if (rc == 0 && s->cuda.context != context) {
        snprintf(err, err_size, "the encoder's CUDA context is not that of %s", s->cuda.name);
        rc = -1;
    }
    if (rc == 0)
        rc = uis_device_pixels_create(s->cuda.api, s->cuda.context, width, height, &s->kernels, err,
                                      err_size);
    if (rc == 0)
        rc = uis_cuda_push(&s->cuda, err, err_size);
    if (rc == 0) {
        rc = allocate(s, err, err_size);
        if (rc == 0)
            rc = make_mirror(s, measured, err, err_size);
        uis_cuda_pop(&s->cuda);
    }
    if (rc != 0) {
        device_close(&s->base);
        return -1;
    }
    *out = &s->base;
    return 0;
}
