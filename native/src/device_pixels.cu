/* SPDX-License-Identifier: GPL-2.0-or-later
 * The GPU's twins of dirty_map.c and of uis_convert; device_pixels.h says what they do.
 * scripts/build-ptx.sh makes device_pixels.ptx of this file; run it after every change. */
#include <stdint.h>

struct rect {
    int32_t x, y, w, h;
};
struct rects {
    rect r[8];
    uint32_t count;
};

__device__ static uint32_t pixel(const uint8_t *frame, size_t pitch, int x, int y) {
    return *reinterpret_cast<const uint32_t *>(frame + y * pitch + 4 * static_cast<size_t>(x));
}

/* A block of 16x16 threads a macroblock; `clip` is where pixels count. */
extern "C" __global__ void uis_dirty_map_kernel(const uint8_t *now, size_t now_pitch,
                                                const uint8_t *before, size_t before_pitch,
                                                rect clip, uint32_t first_col, uint32_t first_row,
                                                uint32_t mb_width, uint8_t *map) {
    const int col = first_col + blockIdx.x, row = first_row + blockIdx.y;
    const int x = col * 16 + threadIdx.x, y = row * 16 + threadIdx.y;
    const bool counts =
        x >= clip.x && y >= clip.y && x < clip.x + clip.w && y < clip.y + clip.h;
    const bool differs =
        counts && pixel(now, now_pitch, x, y) != pixel(before, before_pitch, x, y);
    const int any = __syncthreads_or(differs);
    if (threadIdx.x == 0 && threadIdx.y == 0)
        map[static_cast<size_t>(row) * mb_width + col] = any != 0;
}

/* Of the dirty macroblocks, those with a changed pixel that no rectangle covers. */
extern "C" __global__ void uis_dirty_outside_kernel(const uint8_t *now, size_t now_pitch,
                                                    const uint8_t *before, size_t before_pitch,
                                                    uint32_t width, uint32_t height, rects videos,
                                                    uint32_t mb_width, const uint8_t *map,
                                                    uint32_t *outside) {
    if (!map[static_cast<size_t>(blockIdx.y) * mb_width + blockIdx.x])
        return; /* the same for all of the block */
    const int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
    bool differs = x < static_cast<int>(width) && y < static_cast<int>(height) &&
                   pixel(now, now_pitch, x, y) != pixel(before, before_pitch, x, y);
    for (uint32_t i = 0; differs && i < videos.count; i++) {
        const rect &r = videos.r[i];
        if (x >= r.x && y >= r.y && x - r.x < r.w && y - r.y < r.h)
            differs = false;
    }
    const int any = __syncthreads_or(differs);
    if (any && threadIdx.x == 0 && threadIdx.y == 0)
        atomicAdd(outside, 1u);
}

__device__ static int average(int a, int b) {
    return (a + b + 1) >> 1;
}

/* A thread a square of 2x2 pixels of the picture, from (x0, y0) on; what lies beyond the view
 * repeats its last column and row. */
extern "C" __global__ void uis_convert_kernel(const uint8_t *from, size_t pitch, uint32_t width,
                                              uint32_t height, uint32_t x0, uint32_t y0,
                                              uint32_t squares_w, uint32_t squares_h, uint8_t *luma,
                                              size_t luma_pitch, uint8_t *chroma,
                                              size_t chroma_pitch) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t j = blockIdx.y * blockDim.y + threadIdx.y;
    if (i >= squares_w || j >= squares_h)
        return;
    const uint32_t x = x0 + 2 * i, y = y0 + 2 * j;
    for (uint32_t k = 0; k < 4; k++) {
        const uint32_t px = x + (k & 1), py = y + (k >> 1);
        const uint32_t p = pixel(from, pitch, min(px, width - 1), min(py, height - 1));
        const int b = p & 255, g = p >> 8 & 255, r = p >> 16 & 255;
        luma[py * luma_pitch + px] = (66 * r + 129 * g + 25 * b + 0x1080) >> 8;
    }
    const uint32_t cx = min(x, width - 2), cy = min(y, height - 2);
    const uint32_t top = pixel(from, pitch, cx, cy), top_right = pixel(from, pitch, cx + 1, cy);
    const uint32_t low = pixel(from, pitch, cx, cy + 1);
    const uint32_t low_right = pixel(from, pitch, cx + 1, cy + 1);
    int mean[3]; /* rounded up twice, down first: libyuv's vector code does so */
    for (int k = 0; k < 3; k++)
        mean[k] = average(average(top >> 8 * k & 255, low >> 8 * k & 255),
                          average(top_right >> 8 * k & 255, low_right >> 8 * k & 255));
    uint8_t *out = chroma + y / 2 * chroma_pitch + x;
    out[0] = (112 * mean[0] - 74 * mean[1] - 38 * mean[2] + 0x8000) >> 8;
    out[1] = (112 * mean[2] - 94 * mean[1] - 18 * mean[0] + 0x8000) >> 8;
}
