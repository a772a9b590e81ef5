/* SPDX-License-Identifier: GPL-2.0-or-later
 * The CUDA driver, loaded when it is asked for: one device and its primary context.
 * $UISPLICE_CUDA_LIBRARY names another file than libcuda.so.1, $UISPLICE_CUDA_DEVICE the
 * device, by ordinal or UUID. */
#ifndef UIS_CUDA_DRIVER_H
#define UIS_CUDA_DRIVER_H

#include "driver_loader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct uis_cuda {
    CudaFunctions *api;
    CUdevice device;
    CUcontext context; /* the device's primary one, retained */
    char name[96];     /* the device's */
    bool is_double;    /* the library says that it plays a device */
} uis_cuda;

/* Loads the driver, chooses the device and retains its context. 0, or -1 with a sentence
 * in err and nothing to close. */
int uis_cuda_open(uis_cuda *cuda, char *err, size_t err_size);
void uis_cuda_close(uis_cuda *cuda); /* a zeroed one is fine */

/* Makes the context the thread's current one, until pop. 0 or -1. */
int uis_cuda_push(const uis_cuda *cuda, char *err, size_t err_size);
void uis_cuda_pop(const uis_cuda *cuda);

/* Host memory that the device fills while the thread goes on: page-locked, or plain where the
 * driver gives none, and then such a copy holds the thread up. The context is current. */
typedef struct uis_cuda_host {
    uint8_t *bytes; /* NULL: out of memory, or nothing was allocated */
    bool locked;
} uis_cuda_host;
uis_cuda_host uis_cuda_alloc_host(const uis_cuda *cuda, size_t size);
void uis_cuda_free_host(const uis_cuda *cuda, uis_cuda_host *memory); /* a zeroed one is fine */

/* 0 for CUDA_SUCCESS, else -1 and a sentence: what failed, the driver's name for it. */
int uis_cuda_check(const uis_cuda *cuda, CUresult result, const char *what, char *err,
                   size_t err_size);
#endif
