/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cuda_driver.h"

#include <ctype.h>

int uis_cuda_check(const uis_cuda *cuda, CUresult result, const char *what, char *err,
                   size_t err_size) {
    if (result == CUDA_SUCCESS)
        return 0;
    const char *name = NULL, *text = NULL;
    if (cuda->api->cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
        name = "an unknown error";
    if (cuda->api->cuGetErrorString(result, &text) != CUDA_SUCCESS || !text)
        text = "the driver has no text for it";
    snprintf(err, err_size,
             "CUDA: %s failed: %s (%d): %s; see `nvidia-smi`, and dmesg for Xid errors", what, name,
             (int)result, text);
    return -1;
}

/* Reads "GPU-8ca1…", as nvidia-smi -L prints it, with or without the prefix and hyphens. */
static bool parse_uuid(const char *text, uint8_t uuid[16]) {
    if (strncmp(text, "GPU-", 4) == 0)
        text += 4;
    unsigned digits = 0;
    memset(uuid, 0, 16);
    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (!isxdigit((unsigned char)*text) || digits == 32)
            return false;
        const int c = tolower((unsigned char)*text);
        const unsigned value = (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
        uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << 4 | value);
        digits++;
    }
    return digits == 32;
}

/* The device that $UISPLICE_CUDA_DEVICE names, or the first one. 0 or -1. */
static int choose_device(uis_cuda *cuda, char *err, size_t err_size) {
    const CudaFunctions *api = cuda->api;
    int count = 0;
    if (uis_cuda_check(cuda, api->cuDeviceGetCount(&count), "counting devices", err, err_size) != 0)
        return -1;
    if (count < 1) {
        snprintf(err, err_size,
                 "CUDA: the driver lists no device; see `nvidia-smi -L`, and in a "
                 "container start it with --gpus");
        return -1;
    }
    const char *wanted = getenv("UISPLICE_CUDA_DEVICE");
    if (!wanted || !*wanted)
        wanted = "0";
    char *end = NULL;
    const long ordinal = strtol(wanted, &end, 10);
    if (end != wanted && *end == 0) {
        if (ordinal < 0 || ordinal >= count) {
            snprintf(err, err_size, "$UISPLICE_CUDA_DEVICE is %s, and there are %d devices, from 0",
                     wanted, count);
            return -1;
        }
        return uis_cuda_check(cuda, api->cuDeviceGet(&cuda->device, (int)ordinal),
                              "choosing the device", err, err_size);
    }
    uint8_t uuid[16];
    if (!parse_uuid(wanted, uuid) || !api->cuDeviceGetUuid) {
        snprintf(err, err_size,
                 "$UISPLICE_CUDA_DEVICE is '%.60s': neither a device's number nor a UUID as "
                 "`nvidia-smi -L` prints it",
                 wanted);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        CUuuid of;
        if (api->cuDeviceGet(&cuda->device, i) == CUDA_SUCCESS &&
            api->cuDeviceGetUuid(&of, cuda->device) == CUDA_SUCCESS &&
            memcmp(of.bytes, uuid, sizeof uuid) == 0)
            return 0;
    }
    snprintf(err, err_size,
             "$UISPLICE_CUDA_DEVICE is %.60s, and none of the %d devices is that one", wanted,
             count);
    return -1;
}

int uis_cuda_open(uis_cuda *cuda, char *err, size_t err_size) {
    *cuda = (uis_cuda){0};
    uis_loader_log log = {{0}};
    if (cuda_load_functions(&cuda->api, &log) != 0) {
        snprintf(err, err_size,
                 "CUDA: %s; there is no NVIDIA driver, or a container lacks it: install the "
                 "driver, or see docs/nvenc.md",
                 log.text[0] ? strtok(log.text, "\n") : "no memory");
        return -1;
    }
    cuda->is_double = uis_double_name(cuda->api->lib) != NULL;
    if (uis_cuda_check(cuda, cuda->api->cuInit(0), "cuInit", err, err_size) != 0 ||
        choose_device(cuda, err, err_size) != 0 ||
        uis_cuda_check(cuda,
                       cuda->api->cuDeviceGetName(cuda->name, sizeof cuda->name, cuda->device),
                       "asking for the device's name", err, err_size) != 0 ||
        uis_cuda_check(cuda, cuda->api->cuDevicePrimaryCtxRetain(&cuda->context, cuda->device),
                       "retaining the device's context", err, err_size) != 0) {
        uis_cuda_close(cuda);
        return -1;
    }
    return 0;
}

void uis_cuda_close(uis_cuda *cuda) {
    if (cuda->context)
        cuda->api->cuDevicePrimaryCtxRelease(cuda->device);
    cuda_free_functions(&cuda->api);
    *cuda = (uis_cuda){0};
}

int uis_cuda_push(const uis_cuda *cuda, char *err, size_t err_size) {
    return uis_cuda_check(cuda, cuda->api->cuCtxPushCurrent(cuda->context),
                          "making the context current", err, err_size);
}

void uis_cuda_pop(const uis_cuda *cuda) {
    CUcontext context;
    cuda->api->cuCtxPopCurrent(&context);
}

/* ffnvcodec's loader knows neither of the two functions. */
uis_cuda_host uis_cuda_alloc_host(const uis_cuda *cuda, size_t size) {
    CUresult (*allocate)(void **, size_t) = NULL;
    void *memory = NULL;
    *(void **)&allocate = dlsym(cuda->api->lib, "cuMemAllocHost_v2");
    if (allocate && allocate(&memory, size) == CUDA_SUCCESS)
        return (uis_cuda_host){memory, true};
    return (uis_cuda_host){malloc(size), false};
}

void uis_cuda_free_host(const uis_cuda *cuda, uis_cuda_host *memory) {
    CUresult (*release)(void *) = NULL;
    if (!memory->locked)
        free(memory->bytes);
    else if ((*(void **)&release = dlsym(cuda->api->lib, "cuMemFreeHost")) != NULL)
        release(memory->bytes);
    *memory = (uis_cuda_host){0};
}
