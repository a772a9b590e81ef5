/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device_pixels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_loader.h>

/* The file UIS_DEVICE_PIXELS_PTX, as a string. */
__asm__(".pushsection .rodata\n"
        ".hidden uis_device_pixels_ptx\n"
        ".global uis_device_pixels_ptx\n"
        "uis_device_pixels_ptx:\n"
        ".incbin \"" UIS_DEVICE_PIXELS_PTX "\"\n"
        ".byte 0\n"
        ".popsection\n");
extern __attribute__((visibility("hidden"))) const char uis_device_pixels_ptx[];

struct uis_device_pixels {
    CudaFunctions *cuda;
    CUcontext context;
    CUmodule module;
    CUfunction dirty_map, dirty_outside, convert;
    CUstream stream;
    CUdeviceptr map;     /* mb_width x mb_height bytes */
    CUdeviceptr outside; /* one uint32_t */
    uint32_t width, height, mb_width, mb_height;
};

/* As the kernel takes it. */
typedef struct kernel_rects {
    uis_rect r[UIS_RING_MAX_REGIONS];
    uint32_t count;
} kernel_rects;

static bool enter(uis_device_pixels *p) {
    return p->cuda->cuCtxPushCurrent(p->context) == CUDA_SUCCESS;
}

static void leave(uis_device_pixels *p) {
    CUcontext context;
    (void)p->cuda->cuCtxPopCurrent(&context);
}

static CUresult load(uis_device_pixels *p, const char **what) {
    CudaFunctions *f = p->cuda;
    *what = "cuModuleLoadData";
    CUresult result = f->cuModuleLoadData(&p->module, uis_device_pixels_ptx);
    if (result != CUDA_SUCCESS) {
        p->module = NULL;
        return result;
    }
    const struct {
        CUfunction *function;
        const char *name;
    } kernels[] = {
        {&p->dirty_map, "uis_dirty_map_kernel"},
        {&p->dirty_outside, "uis_dirty_outside_kernel"},
        {&p->convert, "uis_convert_kernel"},
    };
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        *what = kernels[i].name;
        result = f->cuModuleGetFunction(kernels[i].function, p->module, kernels[i].name);
        if (result != CUDA_SUCCESS)
            return result;
    }
    *what = "cuStreamCreate";
    result = f->cuStreamCreate(&p->stream, CU_STREAM_NON_BLOCKING);
    if (result != CUDA_SUCCESS) {
        p->stream = NULL;
        return result;
    }
    *what = "cuMemAlloc";
    result = f->cuMemAlloc(&p->map, (size_t)p->mb_width * p->mb_height);
    if (result != CUDA_SUCCESS) {
        p->map = 0;
        return result;
    }
    result = f->cuMemAlloc(&p->outside, sizeof(uint32_t));
    if (result != CUDA_SUCCESS)
        p->outside = 0;
    return result;
}

int uis_device_pixels_create(CudaFunctions *functions, CUcontext context, uint32_t width,
                             uint32_t height, uis_device_pixels **out, char *err, size_t err_size) {
    *out = NULL;
    if (!width || !height || width % 2 || height % 2 || width > 16384 || height > 16384) {
        snprintf(err, err_size, "%ux%u is not an even size up to 16384", width, height);
        return -1;
    }
    uis_device_pixels *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    p->cuda = functions;
    p->context = context;
    p->width = width;
    p->height = height;
    p->mb_width = (width + 15) / 16;
    p->mb_height = (height + 15) / 16;
    CUresult result = CUDA_ERROR_UNKNOWN;
    const char *what = "cuCtxPushCurrent";
    if (enter(p)) {
        result = load(p, &what);
        leave(p);
    }
    if (result != CUDA_SUCCESS) {
        const char *name = NULL;
        (void)functions->cuGetErrorName(result, &name);
        snprintf(err, err_size, "the GPU's pixel kernels cannot be used: %s failed (%s)", what,
                 name ? name : "unknown");
        uis_device_pixels_destroy(p);
        return -1;
    }
    *out = p;
    return 0;
}

void uis_device_pixels_destroy(uis_device_pixels *p) {
    if (!p)
        return;
    if (enter(p)) {
        if (p->outside)
            (void)p->cuda->cuMemFree(p->outside);
        if (p->map)
            (void)p->cuda->cuMemFree(p->map);
        if (p->stream)
            (void)p->cuda->cuStreamDestroy(p->stream);
        if (p->module)
            (void)p->cuda->cuModuleUnload(p->module);
        leave(p);
    }
    free(p);
}

static uis_rect view_of(const uis_device_pixels *p) {
    return (uis_rect){0, 0, (int32_t)p->width, (int32_t)p->height};
}

static CUresult launch_map(uis_device_pixels *p, uis_device_bgra now, uis_device_bgra before,
                           uis_rect area) {
    uint32_t first_col = (uint32_t)area.x / 16, first_row = (uint32_t)area.y / 16;
    uint32_t cols = (uint32_t)(area.x + area.w + 15) / 16 - first_col;
    uint32_t rows = (uint32_t)(area.y + area.h + 15) / 16 - first_row;
    void *arguments[] = {&now.pixels, &now.pitch, &before.pixels, &before.pitch, &area,
                         &first_col,  &first_row, &p->mb_width,   &p->map};
    return p->cuda->cuLaunchKernel(p->dirty_map, cols, rows, 1, 16, 16, 1, 0, p->stream, arguments,
                                   NULL);
}

int64_t uis_device_dirty_map(uis_device_pixels *p, uis_device_bgra now, uis_device_bgra before,
                             const uis_rect *damage, uint8_t *map, uis_rect *box) {
    CudaFunctions *f = p->cuda;
    const size_t size = (size_t)p->mb_width * p->mb_height;
    const uis_rect area = uis_rect_intersect(*damage, view_of(p));
    *box = (uis_rect){0, 0, 0, 0};
    if (!enter(p))
        return -1;
    CUresult result = f->cuMemsetD8Async(p->map, 0, size, p->stream);
    if (result == CUDA_SUCCESS && !uis_rect_empty(area))
        result = launch_map(p, now, before, area);
    if (result == CUDA_SUCCESS)
        result = f->cuMemcpyDtoHAsync(map, p->map, size, p->stream);
    if (result == CUDA_SUCCESS)
        result = f->cuStreamSynchronize(p->stream);
    leave(p);
    if (result != CUDA_SUCCESS)
        return -1;
    int64_t dirty = 0;
    for (uint32_t row = 0; row < p->mb_height; row++)
        for (uint32_t col = 0; col < p->mb_width; col++)
            if (map[(size_t)row * p->mb_width + col]) {
                dirty++;
                *box =
                    uis_rect_union(*box, (uis_rect){(int32_t)col * 16, (int32_t)row * 16, 16, 16});
            }
    *box = uis_rect_intersect(*box, view_of(p));
    return dirty;
}

int64_t uis_device_dirty_outside(uis_device_pixels *p, uis_device_bgra now, uis_device_bgra before,
                                 const uis_rect *rects, uint32_t count) {
    CudaFunctions *f = p->cuda;
    if (count > UIS_RING_MAX_REGIONS || !enter(p))
        return -1;
    kernel_rects videos = {.count = count};
    if (count)
        memcpy(videos.r, rects, count * sizeof *rects);
    uint32_t outside = 0;
    void *arguments[] = {&now.pixels, &now.pitch, &before.pixels, &before.pitch, &p->width,
                         &p->height,  &videos,    &p->mb_width,   &p->map,       &p->outside};
    CUresult result = f->cuMemsetD8Async(p->outside, 0, sizeof outside, p->stream);
    if (result == CUDA_SUCCESS)
        result = f->cuLaunchKernel(p->dirty_outside, p->mb_width, p->mb_height, 1, 16, 16, 1, 0,
                                   p->stream, arguments, NULL);
    if (result == CUDA_SUCCESS)
        result = f->cuMemcpyDtoHAsync(&outside, p->outside, sizeof outside, p->stream);
    if (result == CUDA_SUCCESS)
        result = f->cuStreamSynchronize(p->stream);
    leave(p);
    return result == CUDA_SUCCESS ? (int64_t)outside : -1;
}

int uis_device_convert(uis_device_pixels *p, uis_device_bgra from, const uis_rect *area,
                       uis_device_nv12 to) {
    const uis_rect a = uis_rect_intersect(*area, view_of(p));
    if (uis_rect_empty(a))
        return 0;
    uint32_t x0 = (uint32_t)a.x & ~1u, y0 = (uint32_t)a.y & ~1u;
    uint32_t x1 = ((uint32_t)(a.x + a.w) + 1) & ~1u, y1 = ((uint32_t)(a.y + a.h) + 1) & ~1u;
    /* What repeats the last column and row changes with them. */
    if (x1 == p->width)
        x1 = p->mb_width * 16;
    if (y1 == p->height)
        y1 = p->mb_height * 16;
    uint32_t squares_w = (x1 - x0) / 2, squares_h = (y1 - y0) / 2;
    void *arguments[] = {&from.pixels, &from.pitch,     &p->width,  &p->height, &x0,
                         &y0,          &squares_w,      &squares_h, &to.luma,   &to.luma_pitch,
                         &to.chroma,   &to.chroma_pitch};
    if (!enter(p))
        return -1;
    CUresult result =
        p->cuda->cuLaunchKernel(p->convert, (squares_w + 31) / 32, (squares_h + 7) / 8, 1, 32, 8, 1,
                                0, p->stream, arguments, NULL);
    if (result == CUDA_SUCCESS)
        result = p->cuda->cuStreamSynchronize(p->stream);
    leave(p);
    return result == CUDA_SUCCESS ? 0 : -1;
}
