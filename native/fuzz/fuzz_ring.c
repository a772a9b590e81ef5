/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as a frame ring: attached, read as the recorder reads it, written as the
 * layer writes it.
 *
 * Input: a first byte, then, if it is even, the object's bytes as they are; if it is
 * odd, edits of a ring that is in order: offset (16 bits, little-endian), one byte. */
#include "classifier.h"
#include "uisplice/frame_ring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIDE = 20, SLOTS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A ring's bytes as its creator leaves them, frames in two slots. */
static size_t valid_object(const char *name, uint8_t *out, size_t capacity) {
    uis_ring *ring;
    char err[256];
    if (uis_ring_create(name, SIDE, SIDE, SLOTS, UIS_ENCODE_RECORDER, &ring, err, sizeof err) != 0)
        abort();
    for (uint32_t i = 1; i < SLOTS; i++) {
        uis_ring_slot *slot = uis_ring_begin_write(ring);
        *slot = (uis_ring_slot){.state = UIS_SLOT_WRITING,
                                .sequence = i,
                                .present_ns = i,
                                .width = SIDE,
                                .height = SIDE,
                                .stride = SIDE * 4,
                                .damage_count = 1,
                                .damage = {{0, 0, SIDE, SIDE}}};
        memset(uis_ring_slot_pixels(slot), (int)i, (size_t)SIDE * SIDE * 4);
        uis_ring_publish(ring, slot);
    }
    const uis_video_region region = {{4, 4, 8, 8}, 1, 1, 0};
    uis_ring_set_regions(ring, &region, 1);
    size_t size = uis_ring_get_header(ring)->total_size;
    if (size > capacity)
        abort();
    memcpy(out, uis_ring_get_header(ring), size);
    uis_ring_close(ring);
    return size;
}

static void put_object(const char *name, const uint8_t *bytes, size_t size) {
    int fd = shm_open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
}

/* A source that can compare, and nothing else. */
typedef struct comparison {
    uis_source base;
    const uis_bgra *now, *before;
} comparison;

static int64_t dirty_map(uis_source *base, const uis_rect *damage, uint8_t *map, uis_rect *box,
                         char *err, size_t err_size) {
    const comparison *c = (const comparison *)base;
    (void)err;
    (void)err_size;
    return uis_dirty_map(c->now, c->before, damage, map, box);
}

static int64_t dirty_outside(uis_source *base, const uint8_t *map, const uis_rect *rects,
                             uint32_t count, char *err, size_t err_size) {
    const comparison *c = (const comparison *)base;
    (void)err;
    (void)err_size;
    return uis_dirty_outside(c->now, c->before, map, rects, count);
}

static const uis_source_kind comparing = {.dirty_map = dirty_map, .dirty_outside = dirty_outside};

static void classify(const uis_bgra *now, const uis_bgra *before, const uis_rect *view,
                     const uis_rect *damage, const uis_video_region *regions, uint32_t count,
                     uint64_t present_ns, uint8_t *map) {
    comparison c = {{&comparing}, now, before};
    uis_classification out;
    char err[64];
    if (uis_classify(&c.base, view, damage, regions, count, present_ns, map, &out, err,
                     sizeof err) != 0)
        abort();
}

static void read_frames(uis_ring *ring) {
    uis_video_region regions[UIS_RING_MAX_REGIONS];
    uint32_t region_count = uis_ring_get_regions(ring, regions);
    uis_bgra before = {0};
    for (int i = 0; i < 2 * SLOTS; i++) {
        uis_ring_slot *slot = uis_ring_take(ring, 0);
        uis_ring_slot said;
        if (!slot || uis_ring_describe(ring, slot, &said) != 0)
            continue; /* stays READING: the ring must bear that too */
        const uis_bgra now = {.pixels = uis_ring_slot_pixels(slot),
                              .stride = said.stride,
                              .width = said.width,
                              .height = said.height};
        /* The last byte: a description that lets it lie outside ends here. */
        volatile uint8_t last =
            now.pixels[(size_t)(now.height - 1) * now.stride + (size_t)now.width * 4 - 1];
        (void)last;
        const uis_rect view = {0, 0, (int32_t)now.width, (int32_t)now.height};
        uis_rect damage = {0, 0, 0, 0};
        for (uint32_t k = 0; k < said.damage_count; k++)
            damage = uis_rect_union(damage, uis_rect_intersect(said.damage[k], view));
        if (before.pixels && before.width == now.width && before.height == now.height) {
            uint8_t *map = malloc((size_t)((now.width + 15) / 16) * ((now.height + 15) / 16));
            if (map)
                classify(&now, &before, &view, &damage, regions, region_count, said.present_ns,
                         map);
            free(map);
        }
        before = now;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t valid[65536], object[65536];
    static size_t valid_size;
    static char name[64];
    if (!valid_size) {
        snprintf(name, sizeof name, "/uisplice-%d-0-fuzz", (int)getpid());
        valid_size = valid_object(name, valid, sizeof valid);
    }
    if (size == 0)
        return 0;
    size_t object_size = size - 1;
    if (data[0] & 1) {
        object_size = valid_size;
        memcpy(object, valid, valid_size);
        for (size_t i = 1; i + 3 <= size; i += 3)
            object[(data[i] | (size_t)data[i + 1] << 8) % valid_size] = data[i + 2];
    } else {
        if (object_size > sizeof object)
            return 0;
        memcpy(object, data + 1, object_size);
    }
    put_object(name, object, object_size);
    char err[256];
    uis_ring *ring;
    if (uis_ring_attach(name, &ring, err, sizeof err) == 0) {
        read_frames(ring);
        uis_ring_slot *slot = uis_ring_begin_write(ring);
        if (slot) {
            memset(uis_ring_slot_pixels(slot), 7, 16);
            uis_ring_publish(ring, slot);
        }
        read_frames(ring);
        uis_ring_close(ring);
    }
    shm_unlink(name);
    return 0;
}
