/* SPDX-License-Identifier: GPL-2.0-or-later
 * Captured frames on the GPU; see device_frame.h. */
#define _GNU_SOURCE
#include "device_frame.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <ffnvcodec/dynlink_loader.h>

#include "uisplice/frame_ring.h"

typedef struct uis_device_slot {
    uint32_t state; /* UIS_SLOT_* */
    uis_device_frame frame;
} uis_device_slot;

/* All below it. A mutex and not atomics: nobody holds it for longer than a copy of a slot's
 * description, and the threads are of one process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t published;
static pthread_once_t published_once = PTHREAD_ONCE_INIT;
static struct {
    uis_cuda cuda; /* a copy: the pool may outlive the device it came from */
    bool made;
    unsigned writers; /* devices that may write to it */
    uint32_t width, height;
    CUdeviceptr memory;
    uint64_t newest;
    uis_device_slot slots[UIS_DEVICE_SLOTS];
} pool;

static void make_condition(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&published, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Call locked. Nobody reads or writes any more. */
static void free_if_unused(void) {
    if (!pool.made || pool.writers)
        return;
    for (int i = 0; i < UIS_DEVICE_SLOTS; i++)
        if (pool.slots[i].state == UIS_SLOT_READING || pool.slots[i].state == UIS_SLOT_WRITING)
            return;
    if (uis_cuda_push(&pool.cuda)) {
        (void)pool.cuda.functions->cuMemFree(pool.memory);
        uis_cuda_pop(&pool.cuda);
    }
    (void)pool.cuda.functions->cuDevicePrimaryCtxRelease(pool.cuda.device);
    for (int i = 0; i < UIS_DEVICE_SLOTS; i++)
        pool.slots[i].state = UIS_SLOT_FREE;
    pool.made = false;
}

/* Call locked. */
static bool make_pool(uis_cuda *cuda, uint32_t width, uint32_t height, char *why, size_t why_size) {
    CudaFunctions *f = cuda->functions;
    CUcontext context;
    size_t pitch = 0;
    /* A reference of the pool's own to the primary context. */
    CUresult result = f->cuDevicePrimaryCtxRetain(&context, cuda->device);
    if (result == CUDA_SUCCESS) {
        result = CUDA_ERROR_UNKNOWN;
        if (uis_cuda_push(cuda)) {
            result = f->cuMemAllocPitch(&pool.memory, &pitch, (size_t)width * 4,
                                        (size_t)height * UIS_DEVICE_SLOTS, 16);
            uis_cuda_pop(cuda);
        }
        if (result != CUDA_SUCCESS)
            (void)f->cuDevicePrimaryCtxRelease(cuda->device);
    }
    if (result != CUDA_SUCCESS) {
        snprintf(why, why_size, "no GPU memory for %d frames of %ux%u (%s)", UIS_DEVICE_SLOTS,
                 width, height, uis_cuda_error(result));
        return false;
    }
    pool.cuda = *cuda;
    pool.cuda.stream = NULL; /* goes with its device */
    pool.width = width;
    pool.height = height;
    pool.newest = 0;
    for (uint32_t i = 0; i < UIS_DEVICE_SLOTS; i++)
        pool.slots[i] = (uis_device_slot){
            .state = UIS_SLOT_FREE,
            .frame = {.address = pool.memory + (CUdeviceptr)pitch * height * i,
                      .pitch = pitch,
                      .context = cuda->context,
                      .device = cuda->device,
                      .slot = i},
        };
    pool.made = true;
    return true;
}

bool uis_device_frame_open(uis_cuda *cuda, uint32_t width, uint32_t height, char *why,
                           size_t why_size) {
    pthread_once(&published_once, make_condition);
    pthread_mutex_lock(&lock);
    free_if_unused();
    bool usable = true;
    if (!pool.made) {
        usable = make_pool(cuda, width, height, why, why_size);
    } else if (pool.cuda.context != cuda->context) {
        snprintf(why, why_size, "frames already lie on another GPU (%s)", pool.cuda.name);
        usable = false;
    }
    if (usable)
        pool.writers++;
    pthread_mutex_unlock(&lock);
    return usable;
}

void uis_device_frame_close(uis_cuda *cuda) {
    (void)cuda;
    pthread_mutex_lock(&lock);
    if (pool.writers)
        pool.writers--;
    free_if_unused();
    pthread_mutex_unlock(&lock);
}

/* The slot in `state` with the lowest sequence. Call locked. */
static uis_device_slot *oldest(uint32_t state) {
    uis_device_slot *best = NULL;
    for (int i = 0; i < UIS_DEVICE_SLOTS; i++) {
        uis_device_slot *slot = &pool.slots[i];
        if (slot->state == state && (!best || slot->frame.sequence < best->frame.sequence))
            best = slot;
    }
    return best;
}

bool uis_device_frame_begin(const uis_frame *frame, uis_device_frame *out) {
    pthread_mutex_lock(&lock);
    uis_device_slot *slot = NULL;
    if (pool.made && frame->width <= pool.width && frame->height <= pool.height) {
        slot = oldest(UIS_SLOT_FREE);
        if (!slot && (slot = oldest(UIS_SLOT_READY)))
            uis_capture_device_count(UIS_DEVICE_SUPERSEDED, 1);
    }
    if (slot) {
        slot->state = UIS_SLOT_WRITING;
        slot->frame.width = frame->width;
        slot->frame.height = frame->height;
        slot->frame.sequence = frame->sequence;
        slot->frame.present_ns = frame->present_ns;
        slot->frame.ready_ns = 0;
        slot->frame.damage = frame->damage;
        *out = slot->frame;
    }
    pthread_mutex_unlock(&lock);
    return slot != NULL;
}

void uis_device_frame_publish(const uis_device_frame *frame) {
    pthread_mutex_lock(&lock);
    uis_device_slot *slot = &pool.slots[frame->slot];
    slot->frame.ready_ns = uis_now_ns();
    slot->state = UIS_SLOT_READY;
    if (frame->sequence > pool.newest)
        pool.newest = frame->sequence;
    pthread_cond_broadcast(&published);
    pthread_mutex_unlock(&lock);
}

static void free_slot(const uis_device_frame *frame) {
    pthread_mutex_lock(&lock);
    pool.slots[frame->slot].state = UIS_SLOT_FREE;
    free_if_unused();
    pthread_mutex_unlock(&lock);
}

void uis_device_frame_cancel(const uis_device_frame *frame) {
    free_slot(frame);
}

void uis_device_frame_release(const uis_device_frame *frame) {
    free_slot(frame);
}

bool uis_device_frame_take(uint64_t sequence, uis_device_frame *out) {
    pthread_mutex_lock(&lock);
    uis_device_slot *slot = oldest(UIS_SLOT_READY);
    for (int i = 0; sequence && i < UIS_DEVICE_SLOTS; i++)
        if (pool.slots[i].state == UIS_SLOT_READY && pool.slots[i].frame.sequence == sequence)
            slot = &pool.slots[i];
    if (slot && sequence && slot->frame.sequence != sequence)
        slot = NULL;
    if (slot) {
        slot->state = UIS_SLOT_READING;
        *out = slot->frame;
    }
    pthread_mutex_unlock(&lock);
    return slot != NULL;
}

bool uis_device_frame_take_newest(uis_device_frame *out) {
    pthread_mutex_lock(&lock);
    uis_device_slot *newest = NULL;
    for (int i = 0; i < UIS_DEVICE_SLOTS; i++) {
        uis_device_slot *slot = &pool.slots[i];
        if (slot->state != UIS_SLOT_READY)
            continue;
        uis_device_slot *older = slot;
        if (!newest || slot->frame.sequence > newest->frame.sequence) {
            older = newest;
            newest = slot;
        }
        if (older) {
            older->state = UIS_SLOT_FREE;
            uis_capture_device_count(UIS_DEVICE_SUPERSEDED, 1);
        }
    }
    if (newest) {
        newest->state = UIS_SLOT_READING;
        *out = newest->frame;
    }
    pthread_mutex_unlock(&lock);
    return newest != NULL;
}

bool uis_device_frame_wait(uint64_t sequence, uint64_t timeout_ns) {
    pthread_once(&published_once, make_condition);
    uint64_t deadline = uis_deadline(timeout_ns);
    struct timespec ts = {.tv_sec = (time_t)(deadline / 1000000000u),
                          .tv_nsec = (long)(deadline % 1000000000u)};
    pthread_mutex_lock(&lock);
    while (pool.newest <= sequence && uis_now_ns() < deadline)
        (void)pthread_cond_timedwait(&published, &lock, &ts);
    bool newer = pool.newest > sequence;
    pthread_mutex_unlock(&lock);
    return newer;
}

bool uis_device_frame_download(const uis_device_frame *frame, uint8_t *pixels, size_t stride) {
    const CUDA_MEMCPY2D copy = {
        .srcMemoryType = CU_MEMORYTYPE_DEVICE,
        .srcDevice = frame->address,
        .srcPitch = frame->pitch,
        .dstMemoryType = CU_MEMORYTYPE_HOST,
        .dstHost = pixels,
        .dstPitch = stride,
        .WidthInBytes = (size_t)frame->width * 4,
        .Height = frame->height,
    };
    /* The pool cannot go while one of its frames is taken. */
    if (!uis_cuda_push(&pool.cuda))
        return false;
    CUresult result = pool.cuda.functions->cuMemcpy2D(&copy);
    uis_cuda_pop(&pool.cuda);
    return result == CUDA_SUCCESS;
}
