/* SPDX-License-Identifier: GPL-2.0-or-later
 * The spool's queue and its writing thread. */
#define _GNU_SOURCE
#include "uisplice/spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct entry {
    struct entry *next;
    size_t capacity; /* of data */
    size_t size;     /* used of it */
    uint8_t data[1]; /* the record, then the pixels: written as they lie */
} entry;

struct uis_spool {
    int fd;
    size_t limit;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t change;
    entry *head, *tail;
    entry *spare;  /* written ones: fresh memory of a frame's size costs a page fault a page */
    size_t queued; /* bytes */
    int error;     /* negative errno of the first write that failed */
    bool closing;
};

static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to) {
    while (from < to && memcmp(a + 4 * (size_t)from, b + 4 * (size_t)from, 4) == 0)
        from++;
    return from;
}

uis_rect uis_difference_box(const uis_bgra *now, const uis_bgra *before) {
    uint32_t left = now->width, right = 0, top = now->height, bottom = 0;
    for (uint32_t y = 0; y < now->height; y++) {
        const uint8_t *a = now->pixels + y * now->stride, *b = before->pixels + y * before->stride;
        if (memcmp(a, b, 4 * (size_t)now->width) == 0)
            continue;
        if (top > y)
            top = y;
        bottom = y + 1;
        /* Only what could widen the box is looked at. */
        left = first_difference(a, b, 0, left);
        uint32_t x = now->width;
        while (x > right && memcmp(a + 4 * (size_t)(x - 1), b + 4 * (size_t)(x - 1), 4) == 0)
            x--;
        right = x;
    }
    if (bottom == 0)
        return (uis_rect){0, 0, 0, 0};
    return (uis_rect){(int32_t)left, (int32_t)top, (int32_t)(right - left),
                      (int32_t)(bottom - top)};
}

static int write_all(int fd, const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static void *run(void *argument) {
    uis_spool *s = argument;
    pthread_setname_np(pthread_self(), "uis-spool");
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->head && !s->closing)
            pthread_cond_wait(&s->change, &s->lock);
        entry *e = s->head;
        if (!e)
            break;
        s->head = e->next;
        if (!s->head)
            s->tail = NULL;
        int error = s->error;
        pthread_mutex_unlock(&s->lock);
        if (!error)
            error = write_all(s->fd, e->data, e->size);
        pthread_mutex_lock(&s->lock);
        s->error = error;
        s->queued -= e->capacity;
        e->next = s->spare;
        s->spare = e;
        pthread_cond_broadcast(&s->change);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void free_list(entry *e) {
    while (e) {
        entry *next = e->next;
        free(e);
        e = next;
    }
}

/* A spare entry that is large enough, or a new one; NULL: out of memory. */
static entry *take_entry(uis_spool *s, size_t size) {
    pthread_mutex_lock(&s->lock);
    entry **link = &s->spare;
    while (*link && (*link)->capacity < size)
        link = &(*link)->next;
    entry *e = *link;
    if (e)
        *link = e->next;
    pthread_mutex_unlock(&s->lock);
    if (!e && (e = malloc(offsetof(entry, data) + size)))
        e->capacity = size;
    return e;
}

int uis_spool_open(int fd, size_t queue_bytes, uis_spool **out) {
    *out = NULL;
    uis_spool *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->fd = fd;
    s->limit = queue_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->change, NULL);
    int rc = pthread_create(&s->thread, NULL, run, s);
    if (rc != 0) {
        pthread_cond_destroy(&s->change);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return -rc;
    }
    *out = s;
    return 0;
}

int uis_spool_add(uis_spool *s, const uis_spool_record *record, const uis_bgra *now,
                  const uis_bgra *before) {
    uis_spool_record r = *record;
    r.magic = UIS_SPOOL_MAGIC;
    r.box = (uis_rect){0, 0, 0, 0};
    if (now)
        r.box = before ? uis_difference_box(now, before)
                       : (uis_rect){0, 0, (int32_t)now->width, (int32_t)now->height};
    const size_t row = 4 * (size_t)r.box.w;
    r.size = (uint32_t)(row * (size_t)r.box.h);
    /* Of a whole frame, so that every entry fits every tick. */
    const size_t whole = now ? 4 * (size_t)now->width * now->height : 0;
    entry *e = take_entry(s, sizeof r + (r.size ? whole : 0));
    if (!e)
        return -ENOMEM;
    e->next = NULL;
    e->size = sizeof r + r.size;
    uint8_t *to = e->data + sizeof r;
    uint8_t alpha = 255;
    for (int32_t y = 0; y < r.box.h; y++, to += row) {
        memcpy(to, now->pixels + (size_t)(r.box.y + y) * now->stride + 4 * (size_t)r.box.x, row);
        for (int32_t x = 0; x < r.box.w; x++)
            alpha &= to[4 * x + 3];
    }
    r.opaque = alpha == 255;
    memcpy(e->data, &r, sizeof r);

    pthread_mutex_lock(&s->lock);
    /* A single frame larger than the queue must still get through. */
    while (s->queued > 0 && s->queued + e->capacity > s->limit && !s->error)
        pthread_cond_wait(&s->change, &s->lock);
    int error = s->error;
    if (!error) {
        if (s->tail)
            s->tail->next = e;
        else
            s->head = e;
        s->tail = e;
        s->queued += e->capacity;
        pthread_cond_broadcast(&s->change);
    }
    pthread_mutex_unlock(&s->lock);
    if (error)
        free(e);
    return error;
}

int uis_spool_close(uis_spool *s) {
    if (!s)
        return 0;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    int error = s->error;
    free_list(s->spare);
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return error;
}
