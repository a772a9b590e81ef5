/* SPDX-License-Identifier: GPL-2.0-or-later
 * C twins of native/src/device_pixels.cu for the CUDA double, thread by thread; the names and
 * the order of the arguments are the kernels'. They stand for them in tests without a GPU: that
 * the kernels themselves compute this is tests/layer/device_pixels_test.c's to show, on one. */
#include "cuda_kernels.h"

#include <stdint.h>
#include <string.h>

typedef struct rect {
    int32_t x, y, w, h;
} rect;
typedef struct rects {
    rect r[8];
    uint32_t count;
} rects;

#define ARGUMENT(type, number) (*(const type *)how->arguments[number])

static uint32_t pixel(CUdeviceptr frame, size_t pitch, int x, int y) {
    uint32_t p;
    memcpy(&p, (const uint8_t *)(uintptr_t)frame + (size_t)y * pitch + 4 * (size_t)x, 4);
    return p;
}

static bool holds(const double_launch *how, CUdeviceptr frame, size_t pitch, uint32_t width,
                  uint32_t height) {
    return pitch >= 4 * (size_t)width && pitch % 4 == 0 && frame % 4 == 0 &&
           how->is_device_memory(frame, pitch * (height - 1) + 4 * (size_t)width);
}

static bool is_inside(const rect *r, int x, int y) {
    return x >= r->x && y >= r->y && x - r->x < r->w && y - r->y < r->h;
}

static bool play_dirty_map(const double_launch *how) {
    const CUdeviceptr now = ARGUMENT(CUdeviceptr, 0), before = ARGUMENT(CUdeviceptr, 2);
    const size_t now_pitch = ARGUMENT(size_t, 1), before_pitch = ARGUMENT(size_t, 3);
    const rect clip = ARGUMENT(rect, 4);
    const uint32_t first_col = ARGUMENT(uint32_t, 5), first_row = ARGUMENT(uint32_t, 6);
    const uint32_t mb_width = ARGUMENT(uint32_t, 7);
    const CUdeviceptr map = ARGUMENT(CUdeviceptr, 8);
    const uint32_t right = (uint32_t)(clip.x + clip.w), bottom = (uint32_t)(clip.y + clip.h);
    if (how->block[0] != 16 || how->block[1] != 16 || !holds(how, now, now_pitch, right, bottom) ||
        !holds(how, before, before_pitch, right, bottom) ||
        !how->is_device_memory(map, (size_t)(first_row + how->grid[1] - 1) * mb_width + first_col +
                                        how->grid[0]))
        return false;
    for (uint32_t j = 0; j < how->grid[1]; j++)
        for (uint32_t i = 0; i < how->grid[0]; i++) {
            bool any = false;
            for (int k = 0; k < 256; k++) {
                const int x = (int)(first_col + i) * 16 + k % 16;
                const int y = (int)(first_row + j) * 16 + k / 16;
                any |= is_inside(&clip, x, y) &&
                       pixel(now, now_pitch, x, y) != pixel(before, before_pitch, x, y);
            }
            ((uint8_t *)(uintptr_t)map)[(size_t)(first_row + j) * mb_width + first_col + i] = any;
        }
    return true;
}

static bool play_dirty_outside(const double_launch *how) {
    const CUdeviceptr now = ARGUMENT(CUdeviceptr, 0), before = ARGUMENT(CUdeviceptr, 2);
    const size_t now_pitch = ARGUMENT(size_t, 1), before_pitch = ARGUMENT(size_t, 3);
    const uint32_t width = ARGUMENT(uint32_t, 4), height = ARGUMENT(uint32_t, 5);
    const rects *videos = how->arguments[6];
    const uint32_t mb_width = ARGUMENT(uint32_t, 7);
    const CUdeviceptr map = ARGUMENT(CUdeviceptr, 8), outside = ARGUMENT(CUdeviceptr, 9);
    if (how->block[0] != 16 || how->block[1] != 16 || how->grid[0] != mb_width ||
        !holds(how, now, now_pitch, width, height) ||
        !holds(how, before, before_pitch, width, height) ||
        !how->is_device_memory(map, (size_t)mb_width * how->grid[1]) ||
        !how->is_device_memory(outside, 4))
        return false;
    uint32_t *count = (uint32_t *)(uintptr_t)outside;
    for (uint32_t block = 0; block < mb_width * how->grid[1]; block++) {
        bool any = false;
        for (int k = 0; k < 256 && ((const uint8_t *)(uintptr_t)map)[block]; k++) {
            const int x = (int)(block % mb_width) * 16 + k % 16;
            const int y = (int)(block / mb_width) * 16 + k / 16;
            bool differs = x < (int)width && y < (int)height &&
                           pixel(now, now_pitch, x, y) != pixel(before, before_pitch, x, y);
            for (uint32_t i = 0; i < videos->count; i++)
                differs &= !is_inside(&videos->r[i], x, y);
            any |= differs;
        }
        *count += any;
    }
    return true;
}

static int average(int a, int b) {
    return (a + b + 1) >> 1;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static bool play_convert(const double_launch *how) {
    const CUdeviceptr from = ARGUMENT(CUdeviceptr, 0);
    const size_t pitch = ARGUMENT(size_t, 1);
    const uint32_t width = ARGUMENT(uint32_t, 2), height = ARGUMENT(uint32_t, 3);
    const uint32_t x0 = ARGUMENT(uint32_t, 4), y0 = ARGUMENT(uint32_t, 5);
    const uint32_t squares_w = ARGUMENT(uint32_t, 6), squares_h = ARGUMENT(uint32_t, 7);
    const CUdeviceptr luma = ARGUMENT(CUdeviceptr, 8), chroma = ARGUMENT(CUdeviceptr, 10);
    const size_t luma_pitch = ARGUMENT(size_t, 9), chroma_pitch = ARGUMENT(size_t, 11);
    const uint32_t right = x0 + 2 * squares_w, bottom = y0 + 2 * squares_h;
    if (!holds(how, from, pitch, width, height) || right > luma_pitch || right > chroma_pitch ||
        !how->is_device_memory(luma, luma_pitch * (bottom - 1) + right) ||
        !how->is_device_memory(chroma, chroma_pitch * (bottom / 2 - 1) + right))
        return false;
    const uint32_t threads_w = least(squares_w, how->grid[0] * how->block[0]);
    const uint32_t threads_h = least(squares_h, how->grid[1] * how->block[1]);
    for (uint32_t j = 0; j < threads_h; j++)
        for (uint32_t i = 0; i < threads_w; i++) {
            const uint32_t x = x0 + 2 * i, y = y0 + 2 * j;
            for (uint32_t k = 0; k < 4; k++) {
                const uint32_t px = x + (k & 1), py = y + (k >> 1);
                const uint32_t p =
                    pixel(from, pitch, (int)least(px, width - 1), (int)least(py, height - 1));
                const int b = p & 255, g = p >> 8 & 255, r = p >> 16 & 255;
                ((uint8_t *)(uintptr_t)luma)[py * luma_pitch + px] =
                    (uint8_t)((66 * r + 129 * g + 25 * b + 0x1080) >> 8);
            }
            const int cx = (int)least(x, width - 2), cy = (int)least(y, height - 2);
            int mean[3];
            for (int k = 0; k < 3; k++) {
                const int shift = 8 * k;
                mean[k] = average(average(pixel(from, pitch, cx, cy) >> shift & 255,
                                          pixel(from, pitch, cx, cy + 1) >> shift & 255),
                                  average(pixel(from, pitch, cx + 1, cy) >> shift & 255,
                                          pixel(from, pitch, cx + 1, cy + 1) >> shift & 255));
            }
            uint8_t *out = (uint8_t *)(uintptr_t)chroma + (size_t)(y / 2) * chroma_pitch + x;
            out[0] = (uint8_t)((112 * mean[0] - 74 * mean[1] - 38 * mean[2] + 0x8000) >> 8);
            out[1] = (uint8_t)((112 * mean[2] - 94 * mean[1] - 18 * mean[0] + 0x8000) >> 8);
        }
    return true;
}

const double_kernel *double_find_kernel(const char *name) {
    static const double_kernel kernels[] = {
        {"uis_dirty_map_kernel", play_dirty_map},
        {"uis_dirty_outside_kernel", play_dirty_outside},
        {"uis_convert_kernel", play_convert},
    };
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        if (strcmp(kernels[i].name, name) == 0)
            return &kernels[i];
    return NULL;
}
