/* SPDX-License-Identifier: GPL-2.0-or-later
 * The frame ring's protocol; see frame_ring.h. Linked into the layer and into
 * the native library, so it depends on libc only. */
#define _GNU_SOURCE
#include "uisplice/frame_ring.h"

#include "encode_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A writer of regions that holds the lock for longer than this is gone. */
#define REGION_WAIT_NS 20000000u
/* The encode link: its control words, and then bytes a macroblock of the view for the
 * stream. H.264 allows 400 a macroblock (A.3.1), digests are 8: two of the largest
 * pictures that can be, or seconds of usual ones. */
#define LINK_BYTES_EACH_MB 1024u

struct uis_ring {
    uis_ring_header *header;
    size_t size;
    /* Geometry copied at creation or attach, after it was checked: what the
     * other process writes into the header later cannot move our pointers. */
    uint32_t slot_count;
    uint64_t slots_offset;
    uint64_t slot_stride;
    uint64_t link_offset, link_size;
    uint32_t max_width, max_height, encode;
    bool owner;
    char name[NAME_MAX];
};

_Static_assert(sizeof(uis_ring_slot) <= UIS_RING_SLOT_HEADER, "slot header must fit its page");

static int fail(int code, char *err, size_t err_size, const char *format, ...) {
    if (err && err_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(err, err_size, format, args);
        va_end(args);
    }
    return code;
}

static uint64_t align_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

uint64_t uis_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t link_bytes(uint32_t width, uint32_t height) {
    const uint64_t mbs = (uint64_t)((width + 15) / 16) * ((height + 15) / 16);
    return align_up(UIS_LINK_CONTROL + mbs * LINK_BYTES_EACH_MB, 4096);
}

int uis_ring_create(const char *name, uint32_t width, uint32_t height, uint32_t slots,
                    uint32_t encode, uis_ring **out, char *err, size_t err_size) {
    *out = NULL;
    if (!name || name[0] != '/' || strchr(name + 1, '/') || strlen(name) >= NAME_MAX)
        return fail(-EINVAL, err, err_size, "frame ring name must be one path component after '/'");
    if (width == 0 || height == 0 || width > 16384 || height > 16384)
        return fail(-EINVAL, err, err_size, "frame ring geometry %ux%u is outside 1..16384", width,
                    height);
    if (slots < 2 || slots > UIS_RING_MAX_SLOTS)
        return fail(-EINVAL, err, err_size, "frame ring needs 2 to %d slots, not %u",
                    UIS_RING_MAX_SLOTS, slots);
    if (encode > UIS_ENCODE_LAYER)
        return fail(-EINVAL, err, err_size, "who encodes must be 0 or 1, not %u", encode);

    const uint64_t slots_offset = align_up(sizeof(uis_ring_header), 4096);
    const uint64_t slot_stride =
        UIS_RING_SLOT_HEADER + align_up((uint64_t)width * height * 4, 4096);
    const uint64_t link_offset = slots_offset + slot_stride * slots;
    const uint64_t link_size = encode == UIS_ENCODE_LAYER ? link_bytes(width, height) : 0;
    const uint64_t total = link_offset + link_size;

    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int code = -errno;
        return fail(code, err, err_size, "cannot create shared memory %s: %s", name,
                    strerror(-code));
    }
    /* posix_fallocate and not ftruncate: tmpfs hands out pages lazily, and a
     * full /dev/shm (64 MiB in many containers) would be a SIGBUS in Chrome. */
    int code = posix_fallocate(fd, 0, (off_t)total);
    if (code != 0) {
        close(fd);
        shm_unlink(name);
        return fail(-code, err, err_size,
                    "cannot reserve %.1f MiB of shared memory for the frame ring (%s); "
                    "enlarge /dev/shm or use fewer ring slots",
                    (double)total / 1048576.0, strerror(code));
    }
    void *map = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    code = errno;
    close(fd);
    if (map == MAP_FAILED) {
        shm_unlink(name);
        return fail(-code, err, err_size, "cannot map the frame ring: %s", strerror(code));
    }
    uis_ring *ring = calloc(1, sizeof *ring);
    if (!ring) {
        munmap(map, total);
        shm_unlink(name);
        return fail(-ENOMEM, err, err_size, "out of memory");
    }
    ring->header = map;
    ring->size = total;
    ring->slot_count = slots;
    ring->slots_offset = slots_offset;
    ring->slot_stride = slot_stride;
    ring->link_offset = link_offset;
    ring->link_size = link_size;
    ring->max_width = width;
    ring->max_height = height;
    ring->encode = encode;
    ring->owner = true;
    snprintf(ring->name, sizeof ring->name, "%s", name);

    uis_ring_header *h = ring->header;
    h->version = UIS_RING_VERSION;
    h->total_size = total;
    h->header_size = sizeof *h;
    h->slot_count = slots;
    h->slots_offset = slots_offset;
    h->slot_stride = slot_stride;
    h->encode = encode;
    h->link_offset = link_offset;
    h->link_size = link_size;
    h->width = h->max_width = width;
    h->height = h->max_height = height;
    h->reader_pid = (uint32_t)getpid();
    __atomic_store_n(&h->magic, UIS_RING_MAGIC, __ATOMIC_RELEASE);
    *out = ring;
    return 0;
}

int uis_ring_attach(const char *name, uis_ring **out, char *err, size_t err_size) {
    *out = NULL;
    if (!name || strlen(name) >= NAME_MAX)
        return fail(-EINVAL, err, err_size, "no usable frame ring name");
    int fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) {
        int code = -errno;
        return fail(code, err, err_size, "cannot open frame ring %s: %s", name, strerror(-code));
    }
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(uis_ring_header)) {
        close(fd);
        return fail(-EPROTO, err, err_size, "frame ring %s is too small for its header", name);
    }
    size_t size = (size_t)st.st_size;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int code = errno;
    close(fd);
    if (map == MAP_FAILED)
        return fail(-code, err, err_size, "cannot map frame ring %s: %s", name, strerror(code));

    /* One copy is checked and used: the object can change under us. */
    const uint32_t magic = __atomic_load_n((const uint32_t *)map, __ATOMIC_ACQUIRE);
    const uis_ring_header copy = *(const uis_ring_header *)map, *h = &copy;
    const char *problem = NULL;
    char text[160];
    if (magic != UIS_RING_MAGIC)
        problem = "is not a frame ring (wrong magic)";
    else if (h->version != UIS_RING_VERSION) {
        snprintf(text, sizeof text,
                 "speaks protocol version %u, this build speaks %d: "
                 "rebuild the layer and the native library together",
                 h->version, UIS_RING_VERSION);
        problem = text;
    } else if (h->encode > UIS_ENCODE_LAYER || h->link_size > size ||
               (h->link_size == 0) != (h->encode == UIS_ENCODE_RECORDER) ||
               (h->link_size != 0 && h->link_size <= UIS_LINK_CONTROL) ||
               h->link_offset != size - h->link_size)
        problem = "has an encode link that does not fit";
    else if (h->header_size != sizeof *h || h->total_size != size || h->slots_offset < sizeof *h ||
             h->slots_offset % 4096 != 0 || h->slots_offset > size || h->slot_count < 2 ||
             h->slot_count > UIS_RING_MAX_SLOTS || h->slot_stride > size ||
             h->slot_stride % 4096 != 0 ||
             h->slots_offset + h->slot_stride * h->slot_count != h->link_offset ||
             h->max_width > 16384 || h->max_height > 16384 ||
             h->slot_stride < UIS_RING_SLOT_HEADER + (uint64_t)h->max_width * h->max_height * 4)
        problem = "has sizes that do not fit together";
    if (problem) {
        int rc = fail(-EPROTO, err, err_size, "frame ring %s %s", name, problem);
        munmap(map, size);
        return rc;
    }
    uis_ring *ring = calloc(1, sizeof *ring);
    if (!ring) {
        munmap(map, size);
        return fail(-ENOMEM, err, err_size, "out of memory");
    }
    ring->header = map;
    ring->size = size;
    ring->slot_count = h->slot_count;
    ring->slots_offset = h->slots_offset;
    ring->slot_stride = h->slot_stride;
    ring->link_offset = h->link_offset;
    ring->link_size = h->link_size;
    ring->max_width = h->max_width;
    ring->max_height = h->max_height;
    ring->encode = h->encode;
    snprintf(ring->name, sizeof ring->name, "%s", name);
    *out = ring;
    return 0;
}

void uis_ring_set_window(uis_ring *ring, uint32_t width, uint32_t height) {
    __atomic_store_n(&ring->header->width, width, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->header->height, height, __ATOMIC_RELEASE);
}

void uis_ring_close(uis_ring *ring) {
    if (!ring)
        return;
    if (ring->owner) {
        __atomic_store_n(&ring->header->reader_closed, 1, __ATOMIC_RELEASE);
        shm_unlink(ring->name);
    }
    munmap(ring->header, ring->size);
    free(ring);
}

uis_ring_header *uis_ring_get_header(uis_ring *ring) {
    return ring->header;
}

uis_ring_geometry uis_ring_get_geometry(const uis_ring *ring) {
    return (uis_ring_geometry){.slot_count = ring->slot_count,
                               .max_width = ring->max_width,
                               .max_height = ring->max_height,
                               .encode = ring->encode,
                               .slot_room = ring->slot_stride - UIS_RING_SLOT_HEADER,
                               .frame_bytes = ring->link_offset};
}

uint8_t *uis_ring_slot_pixels(uis_ring_slot *slot) {
    return (uint8_t *)slot + UIS_RING_SLOT_HEADER;
}

uint8_t *uis_ring_link(uis_ring *ring, uint64_t *size) {
    *size = ring->link_size;
    return ring->link_size ? (uint8_t *)ring->header + ring->link_offset : NULL;
}

static uis_ring_slot *slot_at(uis_ring *ring, uint32_t index) {
    return (uis_ring_slot *)((uint8_t *)ring->header + ring->slots_offset +
                             ring->slot_stride * index);
}

static bool move_state(uis_ring_slot *slot, uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&slot->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* The READY slot with the lowest sequence, or NULL. */
static uis_ring_slot *oldest_ready(uis_ring *ring) {
    uis_ring_slot *best = NULL;
    for (uint32_t i = 0; i < ring->slot_count; i++) {
        uis_ring_slot *slot = slot_at(ring, i);
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == UIS_SLOT_READY &&
            (!best || slot->sequence < best->sequence))
            best = slot;
    }
    return best;
}

uis_ring_slot *uis_ring_begin_write(uis_ring *ring) {
    /* A bounded number of rounds: each failed exchange means that the reader
     * took that slot, so the next round finds another or a freed one. */
    for (uint32_t round = 0; round < 2 * UIS_RING_MAX_SLOTS; round++) {
        for (uint32_t i = 0; i < ring->slot_count; i++) {
            uis_ring_slot *slot = slot_at(ring, i);
            if (move_state(slot, UIS_SLOT_FREE, UIS_SLOT_WRITING))
                return slot;
        }
        uis_ring_slot *oldest = oldest_ready(ring);
        if (!oldest)
            break;
        if (move_state(oldest, UIS_SLOT_READY, UIS_SLOT_WRITING)) {
            __atomic_add_fetch(&ring->header->superseded, 1, __ATOMIC_RELAXED);
            return oldest;
        }
    }
    return NULL;
}

void uis_ring_publish(uis_ring *ring, uis_ring_slot *slot) {
    __atomic_store_n(&slot->state, UIS_SLOT_READY, __ATOMIC_RELEASE);
    __atomic_add_fetch(&ring->header->published, 1, __ATOMIC_RELAXED);
    uis_shared_wake(&ring->header->publish_word);
}

void uis_ring_cancel(uis_ring *ring, uis_ring_slot *slot) {
    (void)ring;
    __atomic_store_n(&slot->state, UIS_SLOT_FREE, __ATOMIC_RELEASE);
}

void uis_ring_drop_writer(uis_ring *ring) {
    for (uint32_t i = 0; i < ring->slot_count; i++)
        move_state(slot_at(ring, i), UIS_SLOT_WRITING, UIS_SLOT_FREE);
}

uis_ring_slot *uis_ring_take(uis_ring *ring, uint64_t before_ns) {
    for (uint32_t round = 0; round < 2 * UIS_RING_MAX_SLOTS; round++) {
        uis_ring_slot *slot = oldest_ready(ring);
        if (!slot)
            return NULL;
        uint64_t sequence = slot->sequence;
        if (before_ns && slot->present_ns >= before_ns)
            return NULL;
        if (!move_state(slot, UIS_SLOT_READY, UIS_SLOT_READING))
            continue;
        if (slot->sequence == sequence)
            return slot;
        /* Superseded and published again between look and exchange: not the
         * oldest any more, so put it back and look again. */
        __atomic_store_n(&slot->state, UIS_SLOT_READY, __ATOMIC_RELEASE);
    }
    return NULL;
}

int uis_ring_describe(const uis_ring *ring, const uis_ring_slot *slot, uis_ring_slot *out) {
    memcpy(out, slot, sizeof *out);
    const uint64_t room = ring->slot_stride - UIS_RING_SLOT_HEADER;
    return out->width == 0 || out->height == 0 || out->width > 16384 ||
                   out->stride < out->width * 4 || (uint64_t)out->stride * out->height > room ||
                   out->damage_count > UIS_RING_MAX_DAMAGE
               ? -1
               : 0;
}

void uis_ring_release(uis_ring_slot *slot) {
    __atomic_store_n(&slot->state, UIS_SLOT_FREE, __ATOMIC_RELEASE);
}

void uis_ring_drop_reader(uis_ring *ring) {
    for (uint32_t i = 0; i < ring->slot_count; i++)
        move_state(slot_at(ring, i), UIS_SLOT_READING, UIS_SLOT_FREE);
}

static bool has_pixels(const uis_ring_slot *slot) {
    const uint32_t flags = __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE);
    return !(flags & UIS_SLOT_ON_DEVICE) || flags & UIS_SLOT_COPIED;
}

int uis_ring_copy_held(uis_ring *ring, uis_ring_slot *said, uint8_t *out, size_t size) {
    const uis_ring_slot *held = NULL;
    bool elsewhere = false;
    for (uint32_t i = 0; i < ring->slot_count; i++) {
        const uis_ring_slot *slot = slot_at(ring, i);
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != UIS_SLOT_READING)
            continue;
        if (!has_pixels(slot))
            elsewhere = true;
        else if (!held || slot->sequence > held->sequence)
            held = slot;
    }
    if (!held)
        return elsewhere ? -ENODATA : -ENOENT;
    if (uis_ring_describe(ring, held, said) != 0)
        return -EPROTO;
    const size_t row = (size_t)said->width * 4;
    if (row * said->height > size)
        return -ENOSPC;
    const uint8_t *pixels = (const uint8_t *)held + UIS_RING_SLOT_HEADER;
    for (uint32_t y = 0; y < said->height; y++)
        memcpy(out + y * row, pixels + (size_t)y * said->stride, row);
    /* A slot that was released may hold another frame by now. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&held->state, __ATOMIC_RELAXED) == UIS_SLOT_READING &&
                   held->sequence == said->sequence
               ? 0
               : -EAGAIN;
}

int uis_ring_ask_held(uis_ring *ring, uint64_t timeout_ns) {
    uint64_t size;
    uis_encode_link *link = (uis_encode_link *)(void *)uis_ring_link(ring, &size);
    if (!link)
        return -ENODATA;
    const uint64_t deadline = uis_now_ns() + timeout_ns;
    const uint32_t request = __atomic_add_fetch(&link->pixels_wanted, 1, __ATOMIC_SEQ_CST);
    uis_shared_wake(&link->control_word);
    for (;;) {
        const uint32_t seen = __atomic_load_n(&link->data_word, __ATOMIC_ACQUIRE);
        const uint32_t given = __atomic_load_n(&link->pixels_given, __ATOMIC_ACQUIRE);
        if (given - request < UINT32_MAX / 2) { /* this one, or one after it */
            const int32_t result = link->pixels_result;
            return result == 0 ? 0 : result == -ENOENT ? -EAGAIN : -EIO;
        }
        if (__atomic_load_n(&link->host_state, __ATOMIC_ACQUIRE) < UIS_HOST_READY ||
            __atomic_load_n(&link->abort, __ATOMIC_ACQUIRE))
            return -ESRCH;
        const uint64_t now = uis_now_ns();
        if (now >= deadline)
            return -ETIMEDOUT;
        uis_shared_wait(&link->data_word, seen, deadline - now);
    }
}

void uis_ring_wait(uis_ring *ring, uint32_t seen, uint64_t timeout_ns) {
    uis_shared_wait(&ring->header->publish_word, seen, timeout_ns);
}

void uis_shared_wait(uint32_t *word, uint32_t seen, uint64_t timeout_ns) {
    struct timespec ts = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                          .tv_nsec = (long)(timeout_ns % 1000000000u)};
    /* Not FUTEX_PRIVATE: who waits and who wakes are different processes. */
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

void uis_shared_wake(uint32_t *word) {
    __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void uis_ring_set_regions(uis_ring *ring, const uis_video_region *regions, uint32_t count) {
    uis_ring_header *h = ring->header;
    if (count > UIS_RING_MAX_REGIONS)
        count = UIS_RING_MAX_REGIONS;
    __atomic_add_fetch(&h->region_sequence, 1, __ATOMIC_ACQ_REL); /* odd */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy(h->regions, regions, count * sizeof *regions);
    h->region_count = count;
    __atomic_add_fetch(&h->region_sequence, 1, __ATOMIC_RELEASE); /* even */
}

uint32_t uis_ring_get_regions(uis_ring *ring, uis_video_region *out) {
    uis_ring_header *h = ring->header;
    /* A write is a memcpy: nanoseconds, or a time slice if its thread was put aside. */
    const uint64_t deadline = uis_now_ns() + REGION_WAIT_NS;
    while (uis_now_ns() < deadline) {
        uint32_t before = __atomic_load_n(&h->region_sequence, __ATOMIC_ACQUIRE);
        if (before & 1) {
            sched_yield();
            continue;
        }
        uint32_t count = h->region_count;
        if (count > UIS_RING_MAX_REGIONS)
            count = UIS_RING_MAX_REGIONS;
        memcpy(out, h->regions, count * sizeof *out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&h->region_sequence, __ATOMIC_RELAXED) == before)
            return count;
    }
    return 0;
}
