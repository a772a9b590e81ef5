/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The pixel kernels on a real GPU against the CPU's routines, on random frames, damage and video
 * rectangles of many sizes: every map, box, count and plane has to be the same. Exit status 0: all
 * were; 77: no CUDA here.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_loader.h>

#include "device_pixels.h"
#include "pixels.h"

static uint32_t state = 2463534242u;

static uint32_t below(uint32_t limit) {
    state ^= state << 13; /* xorshift32 */
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 3) % limit;
}

static uis_rect any_rect(uint32_t width, uint32_t height) {
    return (uis_rect){(int32_t)below(width + 40) - 20, (int32_t)below(height + 40) - 20,
                      (int32_t)below(width + 20), (int32_t)below(height + 20)};
}

static CudaFunctions *f;

static CUdeviceptr device_memory(size_t size) {
    CUdeviceptr memory = 0;
    if (f->cuMemAlloc(&memory, size) != CUDA_SUCCESS) {
        fprintf(stderr, "no GPU memory\n");
        exit(1);
    }
    return memory;
}

/* One size: the number of results that differ from the CPU's. */
static unsigned compare_size(CUcontext context, uint32_t width, uint32_t height, int rounds) {
    uis_device_pixels *pixels;
    char error[200];
    if (uis_device_pixels_create(f, context, width, height, &pixels, error, sizeof error) != 0) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    const uint32_t mb_width = (width + 15) / 16, mb_height = (height + 15) / 16;
    const uint32_t padded_w = mb_width * 16, padded_h = mb_height * 16;
    const size_t stride = (size_t)width * 4 + 4 * below(5), bytes = stride * height;
    const size_t maps = (size_t)mb_width * mb_height, luma = (size_t)padded_w * padded_h;
    uint8_t *now = malloc(bytes), *before = malloc(bytes);
    uint8_t *map = malloc(maps), *expected_map = malloc(maps), *planes = malloc(luma * 3 / 2);
    uis_device_bgra d_now = {device_memory(bytes), stride},
                    d_before = {device_memory(bytes), stride};
    uis_device_nv12 d_planes = {
        .luma = device_memory(luma * 3 / 2), .luma_pitch = padded_w, .chroma_pitch = padded_w};
    d_planes.chroma = d_planes.luma + luma;
    uis_i420 expected;
    if (uis_i420_alloc(&expected, padded_w, padded_h) != 0)
        exit(1);
    memset(planes, 128, luma * 3 / 2); /* as uis_i420_alloc leaves them */
    f->cuMemcpyHtoD(d_planes.luma, planes, luma * 3 / 2);
    unsigned wrong = 0;
    uint64_t map_ns = 0, convert_ns = 0;
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < bytes; i++) /* saturated, flat or anything */
            now[i] = round % 3 == 0   ? (uint8_t)below(256)
                     : round % 3 == 1 ? (uint8_t)(below(2) * 255)
                                      : (uint8_t)(below(4) * 85);
        memcpy(before, now, bytes);
        for (uint32_t i = below(12); i > 0; i--) /* one bit of a few pixels */
            before[below(height) * stride + below(width * 4)] ^= (uint8_t)(1u << below(8));
        f->cuMemcpyHtoD(d_now.pixels, now, bytes);
        f->cuMemcpyHtoD(d_before.pixels, before, bytes);
        const uis_bgra h_now = {now, stride, width, height},
                       h_before = {before, stride, width, height};
        uis_rect damage =
            round % 4 ? any_rect(width, height) : (uis_rect){0, 0, (int32_t)width, (int32_t)height};
        uis_rect box, expected_box, videos[UIS_RING_MAX_REGIONS];
        memset(map, 7, maps);
        uint64_t started = uis_now_ns();
        int64_t dirty = uis_device_dirty_map(pixels, d_now, d_before, &damage, map, &box);
        map_ns += uis_now_ns() - started;
        uint32_t expected_dirty =
            uis_dirty_map_plain(&h_now, &h_before, &damage, expected_map, &expected_box);
        wrong += dirty != expected_dirty || memcmp(map, expected_map, maps) != 0 ||
                 memcmp(&box, &expected_box, sizeof box) != 0;
        uint32_t count = below(UIS_RING_MAX_REGIONS + 1);
        for (uint32_t i = 0; i < count; i++)
            videos[i] = any_rect(width, height);
        wrong += uis_device_dirty_outside(pixels, d_now, d_before, videos, count) !=
                 uis_dirty_outside(&h_now, &h_before, expected_map, videos, count);

        started = uis_now_ns();
        wrong += uis_device_convert(pixels, d_now, &damage, d_planes) != 0;
        convert_ns += uis_now_ns() - started;
        uis_convert(&h_now, &damage, &expected);
        f->cuMemcpyDtoH(planes, d_planes.luma, luma * 3 / 2);
        size_t differ = 0;
        for (uint32_t y = 0; y < padded_h; y++)
            for (uint32_t x = 0; x < padded_w; x++)
                differ += planes[(size_t)y * padded_w + x] !=
                          expected.y[(size_t)y * expected.y_stride + x];
        for (uint32_t y = 0; y < padded_h / 2; y++)
            for (uint32_t x = 0; x < padded_w / 2; x++) {
                const uint8_t *uv = planes + luma + (size_t)y * padded_w + 2 * x;
                differ += uv[0] != expected.u[(size_t)y * expected.c_stride + x] ||
                          uv[1] != expected.v[(size_t)y * expected.c_stride + x];
            }
        wrong += differ != 0;
        if (wrong == 1 && differ)
            fprintf(stderr, "%ux%u: %zu samples differ from uis_convert\n", width, height, differ);
    }
    printf("%ux%u: dirty map %.0f us, conversion %.0f us\n", width, height,
           (double)map_ns / rounds / 1e3, (double)convert_ns / rounds / 1e3);
    uis_device_pixels_destroy(pixels);
    f->cuMemFree(d_now.pixels);
    f->cuMemFree(d_before.pixels);
    f->cuMemFree(d_planes.luma);
    uis_i420_free(&expected);
    free(now);
    free(before);
    free(map);
    free(expected_map);
    free(planes);
    return wrong;
}

int main(void) {
    CUdevice device;
    CUcontext context;
    if (cuda_load_functions(&f, NULL) != 0 || f->cuInit(0) != CUDA_SUCCESS ||
        f->cuDeviceGet(&device, 0) != CUDA_SUCCESS ||
        f->cuDevicePrimaryCtxRetain(&context, device) != CUDA_SUCCESS) {
        fprintf(stderr, "no CUDA here\n");
        return 77;
    }
    f->cuCtxPushCurrent(context);
    static const uint32_t sizes[][2] = {{16, 16},    {2, 2},      {18, 34},     {320, 200},
                                        {1366, 768}, {1280, 720}, {1920, 1080}, {3840, 2160}};
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        wrong += compare_size(context, sizes[i][0], sizes[i][1], sizes[i][0] < 1000 ? 60 : 12);
    f->cuDevicePrimaryCtxRelease(device);
    printf("%u results differ from the CPU's\n", wrong);
    return wrong != 0;
}
