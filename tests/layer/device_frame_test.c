/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The pool of frames on the GPU (vulkan_layer/src/device_frame.h) as its writer and its reader see
 * it, on a real GPU: built from the layer's own sources, no Vulkan, no Chrome. Exit status 0: all
 * checks held; 77: no CUDA here.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ffnvcodec/dynlink_loader.h>

#include "check.h"
#include "device_frame.h"

#define WIDTH 100
#define HEIGHT 60

static uint64_t superseded;
static uis_cuda *cuda;

/* What the layer's capture.c does with it: counting. */
void uis_capture_device_count(uis_device_counter counter, uint64_t n) {
    if (counter == UIS_DEVICE_SUPERSEDED)
        superseded += n;
}

/* pacing.c asks for it; nothing here is paced. */
uis_beat uis_capture_beat(void) {
    return (uis_beat){0, 0};
}

/* A frame whose every byte is its sequence. */
static bool write_frame(uint64_t sequence) {
    const uis_frame frame = {.sequence = sequence,
                             .present_ns = 1000 + sequence,
                             .width = WIDTH,
                             .height = HEIGHT,
                             .damage = {.count = 1, .rects = {{1, 2, 3, (int)sequence}}}};
    uis_device_frame slot;
    if (!uis_device_frame_begin(&frame, &slot))
        return false;
    CHECK(slot.pitch >= WIDTH * 4, "rows of %zu bytes hold no %d pixels", slot.pitch, WIDTH);
    uis_cuda_push(cuda);
    for (uint32_t y = 0; y < HEIGHT; y++)
        cuda->functions->cuMemsetD8Async(slot.address + slot.pitch * y, (unsigned char)sequence,
                                         WIDTH * 4, cuda->stream);
    cuda->functions->cuStreamSynchronize(cuda->stream);
    uis_cuda_pop(cuda);
    uis_device_frame_publish(&slot);
    return true;
}

static void check_frame(const uis_device_frame *frame, uint64_t sequence) {
    static uint8_t pixels[HEIGHT][WIDTH * 4 + 12];
    memset(pixels, 0, sizeof pixels);
    CHECK(frame->sequence == sequence && frame->present_ns == 1000 + sequence &&
              frame->width == WIDTH && frame->height == HEIGHT && frame->ready_ns &&
              frame->damage.count == 1 && frame->damage.rects[0].h == (int)sequence,
          "frame %llu says that it is %llu", (unsigned long long)sequence,
          (unsigned long long)frame->sequence);
    CHECK(frame->context == cuda->context, "the frame lies in another context");
    CHECK(uis_device_frame_download(frame, pixels[0], sizeof pixels[0]), "no download");
    size_t wrong = 0;
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < sizeof pixels[0]; x++)
            wrong += pixels[y][x] != (x < WIDTH * 4 ? (uint8_t)sequence : 0);
    CHECK(wrong == 0, "%zu bytes of frame %llu differ", wrong, (unsigned long long)sequence);
}

static void *write_later(void *unused) {
    (void)unused;
    usleep(50000);
    CHECK(write_frame(40), "no slot for frame 40");
    return NULL;
}

int main(void) {
    CUuuid uuid;
    CUdevice first;
    char why[200] = "";
    CudaFunctions *f = NULL;
    if (!uis_cuda_open() || cuda_load_functions(&f, NULL) != 0 ||
        f->cuDeviceGet(&first, 0) != CUDA_SUCCESS ||
        f->cuDeviceGetUuid(&uuid, first) != CUDA_SUCCESS) {
        fprintf(stderr, "no CUDA: %s\n", uis_cuda_problem());
        return 77;
    }
    const uint8_t nobody[16] = {1};
    CHECK(!uis_cuda_make(nobody, why, sizeof why) && why[0], "a GPU of no known UUID was found");
    cuda = uis_cuda_make((const uint8_t *)uuid.bytes, why, sizeof why);
    if (!cuda) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    uis_device_frame frame, held[UIS_DEVICE_SLOTS];
    CHECK(!uis_device_frame_take(0, &frame), "a frame before there is a pool");
    CHECK(uis_device_frame_open(cuda, WIDTH, HEIGHT, why, sizeof why), "%s", why);

    for (uint64_t i = 1; i <= 3; i++)
        CHECK(write_frame(i), "no slot for frame %llu", (unsigned long long)i);
    CHECK(uis_device_frame_take(2, &frame), "frame 2 is not there");
    check_frame(&frame, 2);
    uis_device_frame_release(&frame);
    CHECK(!uis_device_frame_take(2, &frame), "frame 2 was there twice");
    CHECK(uis_device_frame_take(0, &frame), "no oldest frame");
    check_frame(&frame, 1);
    /* A frame that is read is never written over, however many come. */
    for (uint64_t i = 4; i <= 20; i++)
        CHECK(write_frame(i), "no slot for frame %llu", (unsigned long long)i);
    check_frame(&frame, 1);
    uis_device_frame_release(&frame);
    CHECK(superseded == 13, "%llu frames were superseded, not 13", (unsigned long long)superseded);
    CHECK(uis_device_frame_take_newest(&frame), "no newest frame");
    check_frame(&frame, 20);
    CHECK(superseded == 17, "%llu frames were given up, not 17", (unsigned long long)superseded);
    uis_device_frame_release(&frame);
    CHECK(!uis_device_frame_take(0, &frame), "there were frames older than the newest");

    /* All are read: the writer goes away without one. */
    for (uint64_t i = 0; i < UIS_DEVICE_SLOTS; i++) {
        CHECK(write_frame(21 + i), "no slot for frame %llu", (unsigned long long)(21 + i));
        CHECK(uis_device_frame_take(21 + i, &held[i]), "no frame %llu",
              (unsigned long long)(21 + i));
    }
    CHECK(!write_frame(30), "a frame that is read was written over");
    for (uint64_t i = 0; i < UIS_DEVICE_SLOTS; i++) {
        check_frame(&held[i], 21 + i);
        uis_device_frame_release(&held[i]);
    }

    CHECK(!uis_device_frame_wait(39, 20000000), "a frame came from nowhere");
    pthread_t writer;
    pthread_create(&writer, NULL, write_later, NULL);
    CHECK(uis_device_frame_wait(39, 5000000000u), "frame 40 was not noticed");
    pthread_join(writer, NULL);

    /* The pool goes with its last frame. */
    CHECK(uis_device_frame_take(40, &frame), "no frame 40");
    uis_device_frame_close(cuda);
    check_frame(&frame, 40);
    uis_device_frame_release(&frame);
    CHECK(!write_frame(41), "the pool is still there");
    CHECK(uis_device_frame_open(cuda, WIDTH, HEIGHT, why, sizeof why), "again: %s", why);
    CHECK(write_frame(42) && uis_device_frame_take(42, &frame), "no second pool");
    check_frame(&frame, 42);
    uis_device_frame_release(&frame);
    uis_device_frame_close(cuda);
    uis_cuda_free(cuda);
    cuda_free_functions(&f);
    printf("%s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
