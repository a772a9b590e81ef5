/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SSIM (Wang et al. 2004) over windows of 8x8 samples, four apart. A window is four blocks
 * of 4x4, so every sample is looked at once and each block's sums serve four windows: about
 * ten times as fast as one window after the other, fast enough for a live recording.
 */
#include "pixels.h"

#define BLOCK 4
#define STRIP 64                   /* columns summed at once: they stay in registers and L1 */
#define MAX_BLOCKS (16384 / BLOCK) /* the widest view that the pipeline takes */
#define SAMPLES 64.0               /* of a window */

/* Sums over one block, or over a window. */
typedef struct sums {
    uint32_t a, b;    /* samples of either picture */
    uint32_t squares; /* a * a + b * b */
    uint32_t product; /* a * b */
} sums;

/* Sums of `blocks` blocks side by side. */
static void sum_blocks(const uint8_t *a, size_t a_stride, const uint8_t *b, size_t b_stride,
                       uint32_t blocks, sums *out) {
    for (uint32_t x = 0; x < blocks * BLOCK; x += STRIP) {
        const uint32_t columns = blocks * BLOCK - x < STRIP ? blocks * BLOCK - x : STRIP;
        uint16_t sum_a[STRIP] = {0}, sum_b[STRIP] = {0};
        uint32_t squares[STRIP] = {0}, product[STRIP] = {0};
        for (uint32_t y = 0; y < BLOCK; y++) {
            const uint8_t *p = a + y * a_stride + x, *q = b + y * b_stride + x;
            for (uint32_t i = 0; i < columns; i++) {
                /* Products of 8 bits fit into 16, which SSE2 multiplies eight at a time. */
                const uint16_t s = p[i], t = q[i];
                const uint16_t ss = (uint16_t)(s * s), tt = (uint16_t)(t * t);
                const uint16_t st = (uint16_t)(s * t);
                sum_a[i] = (uint16_t)(sum_a[i] + s);
                sum_b[i] = (uint16_t)(sum_b[i] + t);
                squares[i] += (uint32_t)ss + tt;
                product[i] += st;
            }
        }
        for (uint32_t i = 0; i < columns; i += BLOCK) {
            sums *o = &out[(x + i) / BLOCK];
            *o = (sums){0};
            for (uint32_t k = i; k < i + BLOCK; k++) {
                o->a += sum_a[k];
                o->b += sum_b[k];
                o->squares += squares[k];
                o->product += product[k];
            }
        }
    }
}

static double window(const sums *above, const sums *below) {
    const double c1 = SAMPLES * SAMPLES * (0.01 * 255) * (0.01 * 255);
    const double c2 = SAMPLES * SAMPLES * (0.03 * 255) * (0.03 * 255);
    const double a = above[0].a + above[1].a + below[0].a + below[1].a;
    const double b = above[0].b + above[1].b + below[0].b + below[1].b;
    const double squares =
        above[0].squares + above[1].squares + below[0].squares + below[1].squares;
    const double product =
        above[0].product + above[1].product + below[0].product + below[1].product;
    const double ab = a * b, aa_bb = a * a + b * b;
    return (2 * ab + c1) * (2 * (SAMPLES * product - ab) + c2) /
           ((aa_bb + c1) * (SAMPLES * squares - aa_bb + c2));
}

/* The mean over all windows. As in libyuv one that ends with the last row or column is left
 * out, so that its numbers and these can be compared. */
static double plane_ssim(const uint8_t *a, size_t a_stride, const uint8_t *b, size_t b_stride,
                         uint32_t width, uint32_t height) {
    sums rows[2][MAX_BLOCKS];
    const uint32_t blocks = width / BLOCK;
    double total = 0;
    uint64_t windows = 0;
    for (uint32_t y = 0; y + BLOCK <= height; y += BLOCK) {
        sums *below = rows[y / BLOCK % 2], *above = rows[(y / BLOCK + 1) % 2];
        sum_blocks(a + y * a_stride, a_stride, b + y * b_stride, b_stride, blocks, below);
        if (y == 0 || y + BLOCK >= height)
            continue;
        for (uint32_t i = 0; i * BLOCK + 8 < width; i++, windows++)
            total += window(above + i, below + i);
    }
    return windows ? total / (double)windows : 1;
}

double uis_ssim(const uis_i420 *a, const uis_i420 *b, uint32_t width, uint32_t height) {
    const double y = plane_ssim(a->y, a->y_stride, b->y, b->y_stride, width, height);
    const double u = plane_ssim(a->u, a->c_stride, b->u, b->c_stride, width / 2, height / 2);
    const double v = plane_ssim(a->v, a->c_stride, b->v, b->c_stride, width / 2, height / 2);
    return 0.8 * y + 0.1 * (u + v);
}
