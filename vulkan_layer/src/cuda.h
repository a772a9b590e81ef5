/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The CUDA driver API for zero-copy: the library, loaded at run time, and the CUDA device that
 * is the same GPU as a Vulkan device. Nothing links to NVIDIA's libraries.
 *
 * Ownership: a uis_cuda is made for a VkDevice and freed with it; it retains the GPU's primary
 * context, which others in the process (an encoder) share. Threads: open and make run on the
 * thread that creates instances and devices; the stream is the device's readback worker's.
 * Every call on the context is made between push and pop, on any thread.
 */
#ifndef UIS_CUDA_H
#define UIS_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ffnvcodec/dynlink_cuda.h>

struct CudaFunctions;

typedef struct uis_cuda {
    struct CudaFunctions *functions; /* the process's, constant */
    CUdevice device;
    CUcontext context;
    CUstream stream; /* non-blocking */
    char name[64];
} uis_cuda;

/* Loads libcuda (UISPLICE_CUDA_LIBRARY names another file) and initialises it, once a process,
 * before a sandbox may close the door. False: why in uis_cuda_problem(). */
bool uis_cuda_open(void);
/* What open found missing. Constant after it. */
const char *uis_cuda_problem(void);

/* The GPU whose UUID that is (VkPhysicalDeviceIDProperties.deviceUUID). NULL with a sentence in
 * `why`. */
uis_cuda *uis_cuda_make(const uint8_t uuid[16], char *why, size_t why_size);
void uis_cuda_free(uis_cuda *cuda);

/* Makes the context the thread's own until the matching pop. False: it cannot be. */
bool uis_cuda_push(uis_cuda *cuda);
void uis_cuda_pop(uis_cuda *cuda);

/* "CUDA_ERROR_...", a constant. */
const char *uis_cuda_error(CUresult result);

#endif
