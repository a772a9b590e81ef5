/* SPDX-License-Identifier: GPL-2.0-or-later
 * The CUDA driver API for zero-copy; see cuda.h. */
#define _GNU_SOURCE
#include "cuda.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char problem[160];

static char library_problem[sizeof problem];

static void *open_library(const char *name) {
    const char *other = getenv("UISPLICE_CUDA_LIBRARY");
    void *library = dlopen(other && other[0] ? other : name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        snprintf(library_problem, sizeof library_problem, "%s", why ? why : "dlopen failed");
    }
    return library;
}

/* The loader's messages end in a newline; the last one is the one that counts. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    problem[strcspn(problem, "\n")] = '\0';
}

#define FFNV_LOAD_FUNC(path) open_library(path)
#define FFNV_SYM_FUNC(library, symbol) dlsym(library, symbol)
#define FFNV_FREE_FUNC(library) dlclose(library)
#define FFNV_LOG_FUNC(context, message, ...) note(message, __VA_ARGS__)
#define FFNV_DEBUG_LOG_FUNC(context, message, ...)
#include <ffnvcodec/dynlink_loader.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CudaFunctions *functions; /* set once, never unloaded: libcuda has threads of its own */

const char *uis_cuda_error(CUresult result) {
    const char *name = NULL;
    if (functions && functions->cuGetErrorName(result, &name) == CUDA_SUCCESS && name)
        return name;
    return "an unknown CUDA error";
}

static void open_once(void) {
    CudaFunctions *loaded = NULL;
    if (cuda_load_functions(&loaded, NULL) != 0) {
        if (library_problem[0]) /* says more than the loader does */
            note("%s", library_problem);
        return;
    }
    functions = loaded;
    if (!loaded->cuDeviceGetUuid || !loaded->cuImportExternalMemory ||
        !loaded->cuDestroyExternalMemory || !loaded->cuExternalMemoryGetMappedMipmappedArray ||
        !loaded->cuMipmappedArrayGetLevel || !loaded->cuMipmappedArrayDestroy ||
        !loaded->cuImportExternalSemaphore || !loaded->cuDestroyExternalSemaphore ||
        !loaded->cuWaitExternalSemaphoresAsync) {
        note("the CUDA driver is older than 10.0: it imports no memory and no semaphores");
        functions = NULL;
        return;
    }
    CUresult result = loaded->cuInit(0);
    if (result != CUDA_SUCCESS) {
        note("cuInit failed (%s)", uis_cuda_error(result));
        functions = NULL;
    }
}

bool uis_cuda_open(void) {
    pthread_once(&once, open_once);
    return functions != NULL;
}

const char *uis_cuda_problem(void) {
    return problem;
}

static bool find_device(const uint8_t uuid[16], CUdevice *out) {
    int count = 0;
    if (functions->cuDeviceGetCount(&count) != CUDA_SUCCESS)
        return false;
    for (int i = 0; i < count; i++) {
        CUuuid own;
        if (functions->cuDeviceGet(out, i) == CUDA_SUCCESS &&
            functions->cuDeviceGetUuid(&own, *out) == CUDA_SUCCESS &&
            memcmp(own.bytes, uuid, sizeof own.bytes) == 0)
            return true;
    }
    return false;
}

uis_cuda *uis_cuda_make(const uint8_t uuid[16], char *why, size_t why_size) {
    CUdevice device;
    if (!uis_cuda_open()) {
        snprintf(why, why_size, "CUDA: %s", problem);
        return NULL;
    }
    if (!find_device(uuid, &device)) {
        snprintf(why, why_size, "no CUDA device is the GPU that Vulkan renders on");
        return NULL;
    }
    uis_cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    cuda->functions = functions;
    cuda->device = device;
    (void)functions->cuDeviceGetName(cuda->name, sizeof cuda->name, device);
    CUresult result = functions->cuDevicePrimaryCtxRetain(&cuda->context, device);
    if (result != CUDA_SUCCESS) {
        snprintf(why, why_size, "cuDevicePrimaryCtxRetain failed (%s)", uis_cuda_error(result));
        free(cuda);
        return NULL;
    }
    result = CUDA_ERROR_UNKNOWN;
    if (uis_cuda_push(cuda)) {
        result = functions->cuStreamCreate(&cuda->stream, CU_STREAM_NON_BLOCKING);
        uis_cuda_pop(cuda);
    }
    if (result != CUDA_SUCCESS) {
        snprintf(why, why_size, "cuStreamCreate failed (%s)", uis_cuda_error(result));
        cuda->stream = NULL;
        uis_cuda_free(cuda);
        return NULL;
    }
    return cuda;
}

void uis_cuda_free(uis_cuda *cuda) {
    if (!cuda)
        return;
    if (cuda->stream && uis_cuda_push(cuda)) {
        functions->cuStreamDestroy(cuda->stream);
        uis_cuda_pop(cuda);
    }
    functions->cuDevicePrimaryCtxRelease(cuda->device);
    free(cuda);
}

bool uis_cuda_push(uis_cuda *cuda) {
    return functions->cuCtxPushCurrent(cuda->context) == CUDA_SUCCESS;
}

void uis_cuda_pop(uis_cuda *cuda) {
    (void)cuda;
    CUcontext context;
    (void)functions->cuCtxPopCurrent(&context);
}
