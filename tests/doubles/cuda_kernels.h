/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the CUDA double plays of kernels: their C twins, chosen by name. */
#ifndef CUDA_KERNELS_H
#define CUDA_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include <ffnvcodec/dynlink_cuda.h>

typedef struct double_launch {
    unsigned grid[2], block[2];
    void **arguments; /* as cuLaunchKernel takes them */
    bool (*is_device_memory)(CUdeviceptr p, size_t size);
} double_launch;

typedef struct double_kernel {
    const char *name;
    bool (*play)(const double_launch *how); /* false: it reaches out of the device's memory */
} double_kernel;

/* NULL: there is no kernel of that name. */
const double_kernel *double_find_kernel(const char *name);
#endif
