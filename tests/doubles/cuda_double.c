/* SPDX-License-Identifier: GPL-2.0-or-later
 * A double of libcuda.so.1 for tests: the host's memory plays the device. It has what an
 * encoder needs (devices, primary contexts, memory, copies, streams, arrays, memory that
 * comes as a file descriptor), checks contexts and bounds, and refuses the rest with
 * CUDA_ERROR_NOT_SUPPORTED. It proves nothing about a GPU. Kernels it cannot run: those of
 * device_pixels.cu it plays in C, known by their names (cuda_kernels.c).
 *
 * A 2D copy on a stream is made as late as a GPU may make it, when somebody waits for the stream:
 * who does not wait sees what was there before.
 *
 * UISPLICE_DOUBLE_DEVICES: how many devices there are (1).
 * UISPLICE_DOUBLE_FAULT: copy_failed: 2D copies fail, as on a device that is gone; stream_failed:
 * so does waiting for a stream with copies on it; module_failed: so does loading kernels;
 * no_locked: there is no page-locked memory; launch_failed[@N]: launching a kernel fails, from the
 * Nth time on since the variable was set (1). */
#define _GNU_SOURCE
#include "cuda_kernels.h"

#include <ffnvcodec/dynlink_cuda.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The driver API's numbers that the header above leaves out. */
enum {
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_IMAGE = 200,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
};

enum { DEVICES = 8, STACK = 16, BLOCKS = 512, STREAM_COPIES = 16 };
enum { ALIGNMENT = 512 }; /* of rows, as cuMemAllocPitch gives them */

struct CUctx_st {
    CUdevice device;
    unsigned references;
};
struct CUstream_st {
    CUDA_MEMCPY2D copies[STREAM_COPIES]; /* not made yet */
    int count;
};
struct CUarray_st {
    size_t width_bytes, height, pitch;
    uint8_t *data;
    bool owned;
};
struct CUextMemory_st {
    void *data;
    size_t size;
};
struct CUmipmappedArray_st {
    struct CUarray_st level;
};

struct CUmod_st {
    char nothing;
};

/* Memory of the "device": what is not in here is no device pointer. */
static struct block {
    uint8_t *data;
    size_t size;
    bool owned;
} blocks[BLOCKS];
static struct CUctx_st primary[DEVICES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialised;
static _Thread_local CUcontext stack[STACK];
static _Thread_local unsigned depth;

EXPORT const char *uisplice_double_name(void);
const char *uisplice_double_name(void) {
    return "CUDA test double (host memory)";
}

static int device_count(void) {
    const char *text = getenv("UISPLICE_DOUBLE_DEVICES");
    const int count = text ? atoi(text) : 1;
    return count < 0 ? 0 : count > DEVICES ? DEVICES : count;
}

#define NEED_INIT                                                                                  \
    if (!initialised)                                                                              \
    return (CUresult)NOT_INITIALIZED
#define NEED_CONTEXT                                                                               \
    NEED_INIT;                                                                                     \
    if (depth == 0)                                                                                \
    return (CUresult)INVALID_CONTEXT
#define NEED_DEVICE(d)                                                                             \
    NEED_INIT;                                                                                     \
    if ((d) < 0 || (d) >= device_count())                                                          \
    return (CUresult)INVALID_DEVICE
#define NEED(condition)                                                                            \
    if (!(condition))                                                                              \
    return (CUresult)INVALID_VALUE

static CUresult remember(void *data, size_t size, bool owned, CUdeviceptr *out) {
    CUresult rc = (CUresult)OUT_OF_MEMORY;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BLOCKS && data; i++)
        if (!blocks[i].data) {
            blocks[i] = (struct block){data, size, owned};
            *out = (CUdeviceptr)(uintptr_t)data;
            rc = CUDA_SUCCESS;
            break;
        }
    pthread_mutex_unlock(&lock);
    if (rc != CUDA_SUCCESS && owned)
        free(data);
    return rc;
}

/* True if [p, p + size) lies in one block. */
static bool is_device_memory(CUdeviceptr p, size_t size) {
    bool found = false;
    const uint8_t *at = (const uint8_t *)(uintptr_t)p;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BLOCKS && !found; i++)
        found = blocks[i].data && at >= blocks[i].data &&
                size <= (size_t)(blocks[i].data + blocks[i].size - at) &&
                at < blocks[i].data + blocks[i].size;
    pthread_mutex_unlock(&lock);
    return found;
}

static CUresult forget(CUdeviceptr p) {
    CUresult rc = (CUresult)INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].data && blocks[i].data == (uint8_t *)(uintptr_t)p) {
            if (blocks[i].owned)
                free(blocks[i].data);
            blocks[i] = (struct block){0};
            rc = CUDA_SUCCESS;
            break;
        }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* What the header declares as types is declared as functions here. */
#define DRIVER(name) EXPORT t##name name

DRIVER(cuInit);
CUresult cuInit(unsigned int flags) {
    NEED(flags == 0);
    initialised = true;
    return CUDA_SUCCESS;
}

DRIVER(cuDeviceGetCount);
CUresult cuDeviceGetCount(int *count) {
    NEED_INIT;
    NEED(count);
    *count = device_count();
    return CUDA_SUCCESS;
}

DRIVER(cuDeviceGet);
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    NEED_DEVICE(ordinal);
    NEED(device);
    *device = ordinal;
    return CUDA_SUCCESS;
}

DRIVER(cuDeviceGetAttribute);
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    NEED_DEVICE(device);
    NEED(value);
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = 8;
        return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT:
        *value = ALIGNMENT;
        return CUDA_SUCCESS;
    default:
        *value = 0;
        return CUDA_SUCCESS;
    }
}

DRIVER(cuDeviceGetName);
CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    NEED_DEVICE(device);
    NEED(name && size > 0);
    snprintf(name, (size_t)size, "test double %d", device);
    return CUDA_SUCCESS;
}

/* Device n has the UUID d0d0…d0nn. */
DRIVER(cuDeviceGetUuid);
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
    NEED_DEVICE(device);
    NEED(uuid);
    memset(uuid->bytes, 0xd0, sizeof uuid->bytes);
    uuid->bytes[15] = (char)device;
    return CUDA_SUCCESS;
}

DRIVER(cuDeviceComputeCapability);
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    NEED_DEVICE(device);
    NEED(major && minor);
    *major = 8;
    *minor = 0;
    return CUDA_SUCCESS;
}

DRIVER(cuDevicePrimaryCtxRetain);
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    NEED_DEVICE(device);
    NEED(context);
    pthread_mutex_lock(&lock);
    primary[device].device = device;
    primary[device].references++;
    pthread_mutex_unlock(&lock);
    *context = &primary[device];
    return CUDA_SUCCESS;
}

DRIVER(cuDevicePrimaryCtxRelease);
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    NEED_DEVICE(device);
    pthread_mutex_lock(&lock);
    const bool held = primary[device].references > 0;
    if (held)
        primary[device].references--;
    pthread_mutex_unlock(&lock);
    return held ? CUDA_SUCCESS : (CUresult)INVALID_CONTEXT;
}

DRIVER(cuDevicePrimaryCtxGetState);
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active) {
    NEED_DEVICE(device);
    NEED(flags && active);
    *flags = 0;
    *active = primary[device].references > 0;
    return CUDA_SUCCESS;
}

EXPORT tcuCtxPushCurrent_v2 cuCtxPushCurrent_v2;
CUresult cuCtxPushCurrent_v2(CUcontext context) {
    NEED_INIT;
    if (!context || context->references == 0 || depth == STACK)
        return (CUresult)INVALID_CONTEXT;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

EXPORT tcuCtxPopCurrent_v2 cuCtxPopCurrent_v2;
CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    NEED_CONTEXT;
    depth--;
    if (context)
        *context = stack[depth];
    return CUDA_SUCCESS;
}

DRIVER(cuCtxGetDevice);
CUresult cuCtxGetDevice(CUdevice *device) {
    NEED_CONTEXT;
    NEED(device);
    *device = stack[depth - 1]->device;
    return CUDA_SUCCESS;
}

EXPORT tcuMemAlloc_v2 cuMemAlloc_v2;
CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t size) {
    NEED_CONTEXT;
    NEED(out && size);
    return remember(malloc(size), size, true, out);
}

EXPORT tcuMemAllocPitch_v2 cuMemAllocPitch_v2;
CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width, size_t height,
                            unsigned int element) {
    NEED_CONTEXT;
    NEED(out && pitch && width && height && (element == 4 || element == 8 || element == 16));
    *pitch = (width + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return remember(malloc(*pitch * height), *pitch * height, true, out);
}

EXPORT tcuMemFree_v2 cuMemFree_v2;
CUresult cuMemFree_v2(CUdeviceptr p) {
    NEED_CONTEXT;
    return p ? forget(p) : CUDA_SUCCESS;
}

/* One side of a 2D copy: where its first byte is; NULL if it does not fit. */
static uint8_t *side(CUmemorytype type, const void *host, CUdeviceptr device, CUarray array,
                     size_t pitch_given, size_t x, size_t y, size_t width, size_t height,
                     size_t *pitch) {
    *pitch = pitch_given ? pitch_given : width + x;
    if (type == CU_MEMORYTYPE_ARRAY) {
        if (!array || x + width > array->width_bytes || y + height > array->height)
            return NULL;
        *pitch = array->pitch;
        return array->data + y * array->pitch + x;
    }
    if (*pitch < x + width)
        return NULL;
    const size_t from = y * *pitch + x;
    if (type == CU_MEMORYTYPE_HOST)
        return host ? (uint8_t *)(uintptr_t)host + from : NULL;
    if (type != CU_MEMORYTYPE_DEVICE ||
        !is_device_memory(device, from + (height ? (height - 1) * *pitch : 0) + width))
        return NULL;
    return (uint8_t *)(uintptr_t)device + from;
}

static bool has_fault(const char *name) {
    const char *fault = getenv("UISPLICE_DOUBLE_FAULT");
    return fault && strcmp(fault, name) == 0;
}

/* Not in the header above; the library looks for both itself. */
EXPORT CUresult cuMemAllocHost_v2(void **out, size_t size);
CUresult cuMemAllocHost_v2(void **out, size_t size) {
    NEED_CONTEXT;
    NEED(out && size);
    *out = has_fault("no_locked") ? NULL : malloc(size);
    return *out ? CUDA_SUCCESS : (CUresult)OUT_OF_MEMORY;
}

EXPORT CUresult cuMemFreeHost(void *memory);
CUresult cuMemFreeHost(void *memory) {
    NEED_CONTEXT;
    NEED(memory);
    free(memory);
    return CUDA_SUCCESS;
}

/* Makes a copy, or only looks whether it could be made. */
static CUresult copy_2d(const CUDA_MEMCPY2D *c, bool make) {
    NEED_CONTEXT;
    NEED(c);
    if (has_fault("copy_failed"))
        return CUDA_ERROR_UNKNOWN;
    size_t from_pitch, to_pitch;
    const uint8_t *from = side(c->srcMemoryType, c->srcHost, c->srcDevice, c->srcArray, c->srcPitch,
                               c->srcXInBytes, c->srcY, c->WidthInBytes, c->Height, &from_pitch);
    uint8_t *to = side(c->dstMemoryType, c->dstHost, c->dstDevice, c->dstArray, c->dstPitch,
                       c->dstXInBytes, c->dstY, c->WidthInBytes, c->Height, &to_pitch);
    NEED(from && to);
    for (size_t y = 0; make && y < c->Height; y++)
        memcpy(to + y * to_pitch, from + y * from_pitch, c->WidthInBytes);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpy2D_v2 cuMemcpy2D_v2;
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *c) {
    return copy_2d(c, true);
}

/* Makes the copies of a stream, in their order. */
static CUresult catch_up(CUstream stream) {
    CUresult rc = CUDA_SUCCESS;
    if (stream && stream->count && has_fault("stream_failed"))
        return CUDA_ERROR_UNKNOWN;
    for (int i = 0; stream && i < stream->count && rc == CUDA_SUCCESS; i++)
        rc = copy_2d(&stream->copies[i], true);
    if (stream)
        stream->count = 0;
    return rc;
}

EXPORT tcuMemcpy2DAsync_v2 cuMemcpy2DAsync_v2;
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *c, CUstream stream) {
    if (!stream)
        return copy_2d(c, true);
    CUresult rc = copy_2d(c, false);
    if (rc == CUDA_SUCCESS && stream->count == STREAM_COPIES)
        rc = catch_up(stream);
    if (rc == CUDA_SUCCESS)
        stream->copies[stream->count++] = *c;
    return rc;
}

EXPORT tcuMemcpyHtoD_v2 cuMemcpyHtoD_v2;
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t size) {
    NEED_CONTEXT;
    NEED(from && is_device_memory(to, size));
    memcpy((void *)(uintptr_t)to, from, size);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpyDtoH_v2 cuMemcpyDtoH_v2;
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t size) {
    NEED_CONTEXT;
    NEED(to && is_device_memory(from, size));
    memcpy(to, (const void *)(uintptr_t)from, size);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpyDtoD_v2 cuMemcpyDtoD_v2;
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t size) {
    NEED_CONTEXT;
    NEED(is_device_memory(to, size) && is_device_memory(from, size));
    memmove((void *)(uintptr_t)to, (const void *)(uintptr_t)from, size);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpyHtoDAsync_v2 cuMemcpyHtoDAsync_v2;
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, CUstream stream) {
    (void)stream;
    return cuMemcpyHtoD_v2(to, from, size);
}

EXPORT tcuMemcpyDtoHAsync_v2 cuMemcpyDtoHAsync_v2;
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, CUstream stream) {
    (void)stream;
    return cuMemcpyDtoH_v2(to, from, size);
}

EXPORT tcuMemcpyDtoDAsync_v2 cuMemcpyDtoDAsync_v2;
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream) {
    (void)stream;
    return cuMemcpyDtoD_v2(to, from, size);
}

DRIVER(cuMemsetD8Async);
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t size, CUstream stream) {
    (void)stream;
    NEED_CONTEXT;
    NEED(is_device_memory(to, size));
    memset((void *)(uintptr_t)to, value, size);
    return CUDA_SUCCESS;
}

DRIVER(cuStreamCreate);
CUresult cuStreamCreate(CUstream *stream, unsigned int flags) {
    NEED_CONTEXT;
    NEED(stream && flags <= CU_STREAM_NON_BLOCKING);
    *stream = calloc(1, sizeof **stream);
    return *stream ? CUDA_SUCCESS : (CUresult)OUT_OF_MEMORY;
}

DRIVER(cuStreamQuery);
CUresult cuStreamQuery(CUstream stream) {
    NEED_CONTEXT;
    return catch_up(stream);
}

DRIVER(cuStreamSynchronize);
CUresult cuStreamSynchronize(CUstream stream) {
    NEED_CONTEXT;
    return catch_up(stream);
}

EXPORT tcuStreamDestroy_v2 cuStreamDestroy_v2;
CUresult cuStreamDestroy_v2(CUstream stream) {
    NEED_CONTEXT;
    const CUresult rc = catch_up(stream);
    free(stream);
    return rc;
}

/* Bytes of a sample; 0 for a format that it does not have. */
static size_t sample_size(CUarray_format format) {
    switch (format) {
    case CU_AD_FORMAT_UNSIGNED_INT8:
    case CU_AD_FORMAT_SIGNED_INT8:
        return 1;
    case CU_AD_FORMAT_UNSIGNED_INT16:
    case CU_AD_FORMAT_SIGNED_INT16:
    case CU_AD_FORMAT_HALF:
        return 2;
    case CU_AD_FORMAT_UNSIGNED_INT32:
    case CU_AD_FORMAT_SIGNED_INT32:
    case CU_AD_FORMAT_FLOAT:
        return 4;
    default:
        return 0;
    }
}

EXPORT tcuArray3DCreate cuArray3DCreate_v2;
CUresult cuArray3DCreate_v2(CUarray *out, const CUDA_ARRAY3D_DESCRIPTOR *d) {
    NEED_CONTEXT;
    NEED(out && d && d->Width && d->Height && d->Depth == 0 && d->NumChannels <= 4);
    const size_t row = d->Width * d->NumChannels * sample_size(d->Format);
    NEED(row);
    CUarray a = calloc(1, sizeof *a);
    uint8_t *data = calloc(row, d->Height);
    if (!a || !data) {
        free(a);
        free(data);
        return (CUresult)OUT_OF_MEMORY;
    }
    *a = (struct CUarray_st){row, d->Height, row, data, true};
    *out = a;
    return CUDA_SUCCESS;
}

DRIVER(cuArrayDestroy);
CUresult cuArrayDestroy(CUarray a) {
    NEED_CONTEXT;
    NEED(a && a->owned);
    free(a->data);
    free(a);
    return CUDA_SUCCESS;
}

/* Memory behind a file descriptor is mapped. As with the driver, the descriptor is its
 * importer's from then on. */
DRIVER(cuImportExternalMemory);
CUresult cuImportExternalMemory(CUexternalMemory *out, const CUDA_EXTERNAL_MEMORY_HANDLE_DESC *d) {
    NEED_CONTEXT;
    NEED(out && d && d->type == CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD && d->size);
    CUexternalMemory m = calloc(1, sizeof *m);
    if (!m)
        return (CUresult)OUT_OF_MEMORY;
    m->size = d->size;
    m->data = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->handle.fd, 0);
    if (m->data == MAP_FAILED) {
        free(m);
        return (CUresult)INVALID_HANDLE;
    }
    close(d->handle.fd);
    *out = m;
    return CUDA_SUCCESS;
}

DRIVER(cuDestroyExternalMemory);
CUresult cuDestroyExternalMemory(CUexternalMemory m) {
    NEED_CONTEXT;
    NEED(m);
    munmap(m->data, m->size);
    free(m);
    return CUDA_SUCCESS;
}

DRIVER(cuExternalMemoryGetMappedBuffer);
CUresult cuExternalMemoryGetMappedBuffer(CUdeviceptr *out, CUexternalMemory m,
                                         const CUDA_EXTERNAL_MEMORY_BUFFER_DESC *d) {
    NEED_CONTEXT;
    NEED(out && m && d && d->flags == 0 && d->offset <= m->size && d->size <= m->size - d->offset);
    return remember((uint8_t *)m->data + d->offset, d->size, false, out);
}

/* Only linear images can be seen like this; the driver would know a tiled one's layout. */
DRIVER(cuExternalMemoryGetMappedMipmappedArray);
CUresult
cuExternalMemoryGetMappedMipmappedArray(CUmipmappedArray *out, CUexternalMemory m,
                                        const CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC *d) {
    NEED_CONTEXT;
    NEED(out && m && d && d->numLevels == 1 && d->offset <= m->size);
    const size_t row =
        d->arrayDesc.Width * d->arrayDesc.NumChannels * sample_size(d->arrayDesc.Format);
    NEED(row && row * d->arrayDesc.Height <= m->size - d->offset);
    CUmipmappedArray a = calloc(1, sizeof *a);
    if (!a)
        return (CUresult)OUT_OF_MEMORY;
    a->level =
        (struct CUarray_st){row, d->arrayDesc.Height, row, (uint8_t *)m->data + d->offset, false};
    *out = a;
    return CUDA_SUCCESS;
}

DRIVER(cuMipmappedArrayGetLevel);
CUresult cuMipmappedArrayGetLevel(CUarray *out, CUmipmappedArray a, unsigned int level) {
    NEED_CONTEXT;
    NEED(out && a && level == 0);
    *out = &a->level;
    return CUDA_SUCCESS;
}

DRIVER(cuMipmappedArrayDestroy);
CUresult cuMipmappedArrayDestroy(CUmipmappedArray a) {
    NEED_CONTEXT;
    NEED(a);
    free(a);
    return CUDA_SUCCESS;
}

/* True if the call is to fail. `calls` counts those of its kind. */
static bool is_to_fail(const char *name, unsigned *calls) {
    const char *text = getenv("UISPLICE_DOUBLE_FAULT");
    const size_t length = strlen(name);
    const unsigned number = __atomic_add_fetch(calls, 1, __ATOMIC_RELAXED);
    if (!text || strncmp(text, name, length) != 0) {
        __atomic_store_n(calls, 0, __ATOMIC_RELAXED); /* counted from when a fault is asked for */
        return false;
    }
    return number >= (text[length] == '@' ? (unsigned)atoi(text + length + 1) : 1);
}

DRIVER(cuModuleLoadData);
CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    NEED_CONTEXT;
    NEED(module && image);
    static unsigned calls;
    if (is_to_fail("module_failed", &calls) || !strstr(image, ".version") ||
        !strstr(image, ".target"))
        return (CUresult)INVALID_IMAGE; /* no PTX */
    *module = calloc(1, sizeof **module);
    return *module ? CUDA_SUCCESS : (CUresult)OUT_OF_MEMORY;
}

DRIVER(cuModuleUnload);
CUresult cuModuleUnload(CUmodule module) {
    NEED_CONTEXT;
    NEED(module);
    free(module);
    return CUDA_SUCCESS;
}

DRIVER(cuModuleGetFunction);
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    NEED_CONTEXT;
    NEED(function && module && name);
    *function = (CUfunction)(uintptr_t)double_find_kernel(name);
    return *function ? CUDA_SUCCESS : (CUresult)NOT_FOUND;
}

DRIVER(cuLaunchKernel);
CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                        unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                        unsigned int block_z, unsigned int shared, CUstream stream,
                        void **arguments, void **extra) {
    (void)stream;
    NEED_CONTEXT;
    NEED(function && grid_x && grid_y && grid_z == 1 && block_z == 1 && !shared && arguments &&
         !extra);
    static unsigned calls;
    if (is_to_fail("launch_failed", &calls))
        return (CUresult)LAUNCH_FAILED;
    const double_launch how = {{grid_x, grid_y}, {block_x, block_y}, arguments, is_device_memory};
    return ((const double_kernel *)(const void *)function)->play(&how) ? CUDA_SUCCESS
                                                                       : (CUresult)ILLEGAL_ADDRESS;
}

static const struct {
    int result;
    const char *name, *text;
} results[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
};

DRIVER(cuGetErrorName);
CUresult cuGetErrorName(CUresult error, const char **text) {
    NEED(text);
    *text = NULL;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == (int)error)
            *text = results[i].name;
    return *text ? CUDA_SUCCESS : (CUresult)INVALID_VALUE;
}

DRIVER(cuGetErrorString);
CUresult cuGetErrorString(CUresult error, const char **text) {
    NEED(text);
    *text = NULL;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == (int)error)
            *text = results[i].text;
    return *text ? CUDA_SUCCESS : (CUresult)INVALID_VALUE;
}

/* What the loader wants to find, and nobody here calls. */
#define REFUSED(name)                                                                              \
    EXPORT CUresult name(void);                                                                    \
    CUresult name(void) {                                                                          \
        return (CUresult)NOT_SUPPORTED;                                                            \
    }
#include "cuda_refused.h" /* written by CMakeLists.txt, for the loader that is installed */
