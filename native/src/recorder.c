/* SPDX-License-Identifier: GPL-2.0-or-later
 * The recorder that encodes in this process: clock, ring, accounts, queue. */
#define _GNU_SOURCE
#include "recorder_kind.h"

#include "bits.h"
#include "uisplice/pipeline.h"
#include "uisplice/spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between the recorder and a tape's file: 145 frames of 1280x720, 6 s of a disk that stalls. */
#define SPOOL_QUEUE_BYTES ((size_t)512 << 20)

typedef struct record {
    struct record *next;
    uis_tick tick;
    uint8_t *au;
    uint64_t *digests;
} record;

/* A picture of the view's size that shows a smaller window. */
typedef struct canvas {
    uint8_t *pixels;        /* NULL until it is needed */
    uint32_t width, height; /* of the window in it; all else is black */
} canvas;

/* A frame that was taken: a slot of the ring, which stays READING, so that pixels need no copy,
 * and the frame on the GPU that belongs to it. */
typedef struct taken {
    uis_ring_slot *slot;   /* NULL: nothing was taken */
    bool on_device;        /* `frame` is held, too */
    uis_taken_frame frame; /* where its pixels are, if so */
    uis_image image;       /* its pixels: in the slot, on the GPU, or in a canvas */
    uint64_t sequence, present_ns;
} taken;

typedef struct local_recorder {
    uis_recorder base;
    uis_recorder_config config;
    uis_ring *ring;
    const uis_device_frames *frames; /* NULL: none are on the GPU */
    uis_pipeline *pipeline;
    pthread_t thread;
    bool thread_started;

    pthread_mutex_t lock; /* guards all below, down to the blank line */
    pthread_cond_t wake;  /* queue, stop, start; CLOCK_MONOTONIC */
    record *head, *tail;
    size_t queued, queue_limit; /* bytes in the queue; the thread waits above a limit (0: none) */
    bool over, failed, abort;
    uint64_t origin_ns; /* 0: not started */
    uint64_t end_ns;    /* 0: no end yet */
    uint64_t ticks;
    uis_spool *spool; /* NULL: no tape is made */
    uint64_t lost;    /* the ring's count since the beginning, once lost_counted */
    bool lost_counted;
    char error[512];

    record *handed_out; /* the consumer's, freed at its next call */

    bool keyframe_wanted; /* (atomic) */

    pthread_mutex_t held_lock; /* who reads `held` on another thread, and the thread to change it */
    taken held;                /* the frame on screen */

    /* The thread's own. */
    const char *download_reason; /* why frames on the GPU are copied to the host; NULL: they are
                                    encoded where they are */
    bool device_tried;           /* that was settled */
    bool uses_device;            /* the pipeline takes frames on the GPU */
    bool begun;                  /* the pipeline had its first frame */
    const char *early_problem;   /* with a frame that came before the recording; NULL: none */
    char device_error[256];
    uint32_t window_width, window_height; /* of the frame taken last; 0: none yet */
    canvas canvases[2]; /* for frames that are copied; one is on screen, one is written */
    uint64_t last_sequence;
    uint64_t dropped;      /* from gaps */
    uint64_t gone;         /* slots whose frame on the GPU was overwritten before it was taken */
    uint64_t ring_dropped; /* the ring's own count when the recording began */
} local_recorder;

static uint64_t tick_time(const local_recorder *r, uint64_t origin, uint64_t k) {
    return uis_tick_time(&r->config, origin, k);
}

static struct timespec to_timespec(uint64_t ns) {
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

static uint64_t ring_dropped(const local_recorder *r) {
    const uis_ring_header *h = uis_ring_get_header(r->ring);
    return __atomic_load_n(&h->superseded, __ATOMIC_RELAXED) +
           __atomic_load_n(&h->lost, __ATOMIC_RELAXED);
}

static void record_free(record *item) {
    if (!item)
        return;
    free(item->au);
    free(item->digests);
    free(item);
}

static size_t record_bytes(const record *item) {
    const uis_tick *t = &item->tick;
    return sizeof *item + (item->au ? (size_t)t->au_size + t->mbs * sizeof *t->digests : 0);
}

/* A consumer that is behind holds up the clock, and what is presented meanwhile is counted
 * as dropped: the memory stays bounded. */
static void push(local_recorder *r, record *item) {
    pthread_mutex_lock(&r->lock);
    while (r->queue_limit && r->queued >= r->queue_limit && !r->abort)
        pthread_cond_wait(&r->wake, &r->lock);
    r->queued += record_bytes(item);
    if (r->tail)
        r->tail->next = item;
    else
        r->head = item;
    r->tail = item;
    r->ticks++;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

/* Once, when the recording ends: what the ring loses later is not the recording's,
 * for nobody reads any more. */
static void count_lost(local_recorder *r) {
    const uint64_t lost = ring_dropped(r) - r->ring_dropped + r->gone;
    pthread_mutex_lock(&r->lock);
    if (!r->lost_counted)
        r->lost = lost;
    r->lost_counted = true;
    pthread_mutex_unlock(&r->lock);
}

static void finish(local_recorder *r, const char *error) {
    count_lost(r);
    pthread_mutex_lock(&r->lock);
    if (error) {
        r->failed = true;
        snprintf(r->error, sizeof r->error, "%s", error);
    }
    r->over = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

/* What arrived at one tick. */
typedef struct arrivals {
    taken newest;
    uis_rect damage; /* union over all of them, inside the view */
    uis_rect window; /* what every one of them and the frame before them covers of the view */
    uint32_t count, dropped;
    const char *broken;                 /* what is wrong with one; NULL: nothing */
    uint32_t large_width, large_height; /* of one that is larger than the view; 0: none */
} arrivals;

static void let_go(local_recorder *r, taken *t) {
    if (t->on_device)
        r->frames->release(&t->frame);
    if (t->slot)
        uis_ring_release(t->slot);
    *t = (taken){0};
}

static void hold(local_recorder *r, const arrivals *a) {
    pthread_mutex_lock(&r->held_lock);
    let_go(r, &r->held);
    r->held = a->newest;
    pthread_mutex_unlock(&r->held_lock);
}

/* The frame that was on screen when the recording began is its first one. */
static taken take_held(local_recorder *r) {
    pthread_mutex_lock(&r->held_lock);
    const taken held = r->held;
    r->held = (taken){0};
    pthread_mutex_unlock(&r->held_lock);
    return held;
}

/* Copies what a slot of that description shows to the slot. */
static int fill_slot(const local_recorder *r, const taken *t, const uis_ring_slot *said) {
    uint8_t *to = uis_ring_slot_pixels(t->slot);
    if (t->on_device)
        return said->width == t->image.device.width && said->height == t->image.device.height &&
                       r->frames->download(&t->frame, to, said->stride) == 0
                   ? 0
                   : -EIO;
    const uis_bgra *from = &t->image.host; /* a canvas, with the window at its top left */
    if (said->width > from->width || said->height > from->height)
        return -EPROTO;
    for (uint32_t y = 0; y < said->height; y++)
        memcpy(to + (size_t)y * said->stride, from->pixels + y * from->stride,
               4 * (size_t)said->width);
    return 0;
}

int uis_recorder_fill_held(uis_recorder *base) {
    local_recorder *r = (local_recorder *)base;
    uis_ring_slot said;
    int rc = -ENOENT;
    pthread_mutex_lock(&r->held_lock);
    const taken *held = &r->held;
    if (held->slot)
        rc = uis_ring_describe(r->ring, held->slot, &said) == 0 ? 0 : -EPROTO;
    if (rc == 0 && said.flags & UIS_SLOT_ON_DEVICE) {
        rc = fill_slot(r, held, &said);
        if (rc == 0)
            __atomic_or_fetch(&held->slot->flags, UIS_SLOT_COPIED, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&r->held_lock);
    return rc;
}

/* Finds the pixels of a slot that says where they are. 1; 0: they are gone; -1: there is nobody
 * to ask, or what is there is another frame. */
static int find_pixels(local_recorder *r, uis_ring_slot *slot, const uis_ring_slot *said,
                       taken *out) {
    *out = (taken){.slot = slot, .sequence = said->sequence, .present_ns = said->present_ns};
    if (!(said->flags & UIS_SLOT_ON_DEVICE)) {
        out->image.host = (uis_bgra){.pixels = uis_ring_slot_pixels(slot),
                                     .stride = said->stride,
                                     .width = said->width,
                                     .height = said->height};
        return 1;
    }
    if (!r->frames)
        return -1;
    if (!r->frames->take(said->sequence, &out->frame))
        return 0;
    out->on_device = true;
    out->image.device = out->frame.image;
    return out->image.device.width == said->width && out->image.device.height == said->height ? 1
                                                                                              : -1;
}

static uis_rect whole_view(const local_recorder *r) {
    return (uis_rect){0, 0, (int32_t)r->config.width, (int32_t)r->config.height};
}

/* Notes a frame's size. Two sizes have no pixels in common to rely on: everything may
 * differ, and a video's rectangle says nothing about what only one of them covers. */
static void follow_window(local_recorder *r, arrivals *a, uint32_t width, uint32_t height) {
    const bool resized =
        r->window_width && (width != r->window_width || height != r->window_height);
    if (resized)
        a->damage = whole_view(r);
    r->window_width = width;
    r->window_height = height;
    a->window = uis_rect_intersect(a->window, (uis_rect){0, 0, (int32_t)width, (int32_t)height});
}

static arrivals take_arrivals(local_recorder *r, uint64_t before_ns) {
    arrivals a = {.window = whole_view(r)};
    if (r->window_width)
        a.window = (uis_rect){0, 0, (int32_t)r->window_width, (int32_t)r->window_height};
    uis_ring_slot *slot;
    while (a.count < UIS_RING_MAX_SLOTS && (slot = uis_ring_take(r->ring, before_ns)) != NULL) {
        uis_ring_slot said;
        if (uis_ring_describe(r->ring, slot, &said) != 0) {
            uis_ring_release(slot);
            a.broken = "the layer published a frame that does not fit its ring slot";
            break;
        }
        if (said.width > r->config.width || said.height > r->config.height) {
            uis_ring_release(slot);
            a.large_width = said.width;
            a.large_height = said.height;
            break;
        }
        taken here;
        const int found = find_pixels(r, slot, &said, &here);
        if (found <= 0)
            let_go(r, &here);
        if (found < 0) {
            a.broken = r->frames ? "a frame on the GPU is not the one that the ring says it is"
                                 : "frames stay on the GPU (UIS_CAPTURE=device), where only "
                                   "encoders in Chrome's process see them (encode: layer)";
            break;
        }
        if (found == 0) { /* the next one's gap counts it, or the end */
            r->gone++;
            continue;
        }
        uint64_t gap = 0;
        if (r->last_sequence && said.sequence > r->last_sequence + 1)
            gap = said.sequence - r->last_sequence - 1;
        r->last_sequence = said.sequence;
        a.count++;
        a.dropped += (uint32_t)gap;
        /* A lost present took its damage with it: search everywhere. */
        if (gap || said.flags & UIS_SLOT_DAMAGE_MISSING || said.damage_count == 0)
            a.damage = whole_view(r);
        for (uint32_t i = 0; i < said.damage_count; i++)
            a.damage = uis_rect_union(a.damage, uis_rect_intersect(said.damage[i], whole_view(r)));
        follow_window(r, &a, said.width, said.height);
        let_go(r, &a.newest);
        a.newest = here;
    }
    return a;
}

static void fill_black(uint8_t *pixels, size_t count) {
    static const uint8_t black[4] = {0, 0, 0, 255};
    for (size_t i = 0; i < count; i++)
        memcpy(pixels + 4 * i, black, 4);
}

/* Whether frames on the GPU are encoded there is settled with the first one. */
static void try_device(local_recorder *r, const uis_device_image *image) {
    if (r->device_tried)
        return;
    r->device_tried = true;
    if (r->begun) {
        r->download_reason = "the recording began with frames in host memory";
        return;
    }
    const void *context = uis_pipeline_context(r->pipeline);
    if (!context)
        r->download_reason = "the encoder takes pixels from host memory";
    else if (context != image->context)
        r->download_reason = "the encoder is on another GPU than Chrome's window, or has another "
                             "context of it (UISPLICE_CUDA_DEVICE chooses it)";
    else if (uis_pipeline_use_device(r->pipeline, r->device_error, sizeof r->device_error) != 0)
        r->download_reason = r->device_error;
    else
        r->uses_device = true;
}

static bool makes_tape(local_recorder *r) {
    pthread_mutex_lock(&r->lock);
    const bool taped = r->spool != NULL;
    pthread_mutex_unlock(&r->lock);
    return taped;
}

/* Who makes a tape may have said so after the first frame came. 0, or -1 with a sentence. */
static int settle_device(local_recorder *r, char *err, size_t err_size) {
    if (!r->uses_device || !makes_tape(r))
        return 0;
    r->uses_device = false;
    return uis_pipeline_use_host(r->pipeline, err, err_size);
}

/* Why the frame must be in host memory; NULL: it may stay where it is. */
static const char *needs_host(local_recorder *r, const uis_device_image *image) {
    if (makes_tape(r))
        return "a tape is made";
    try_device(r, image);
    if (r->download_reason)
        return r->download_reason;
    if (image->width != r->config.width || image->height != r->config.height)
        return "the window is smaller than the view";
    return NULL;
}

static void count_device(local_recorder *r, const char *downloaded) {
    uis_device_capture *said = &uis_ring_get_header(r->ring)->device;
    if (downloaded)
        snprintf(said->download_reason, sizeof said->download_reason, "%s", downloaded);
    __atomic_add_fetch(downloaded ? &said->downloaded : &said->encoded, 1, __ATOMIC_RELAXED);
}

/* A canvas that is not on screen, for a window of that size: what lies outside it is black.
 * NULL: out of memory. */
static canvas *clean_canvas(local_recorder *r, uint32_t width, uint32_t height) {
    canvas *c = &r->canvases[0];
    if (c->pixels && r->held.image.host.pixels == c->pixels)
        c = &r->canvases[1];
    const size_t stride = 4 * (size_t)r->config.width;
    if (!c->pixels && !(c->pixels = malloc(stride * r->config.height)))
        return NULL;
    if (c->width == width && c->height == height)
        return c;
    for (uint32_t y = 0; y < height; y++)
        fill_black(c->pixels + y * stride + 4 * (size_t)width, r->config.width - width);
    fill_black(c->pixels + height * stride, (size_t)r->config.width * (r->config.height - height));
    c->width = width;
    c->height = height;
    return c;
}

/* Gives the newest frame the view's size, and host memory if that is needed: it is copied to
 * the top left of a picture that is black elsewhere. Whoever comes after sees one size only. The
 * frame before may stand in the other canvas. A frame that fits stays where it is. 0, or -1 with
 * a sentence. */
static int fit(local_recorder *r, taken *t, char *err, size_t err_size) {
    if (t->on_device) {
        const char *why = needs_host(r, &t->image.device);
        count_device(r, why);
        if (!why)
            return 0;
    } else if (!t->slot || (t->image.host.width == r->config.width &&
                            t->image.host.height == r->config.height)) {
        return 0;
    }
    const uis_bgra from = t->image.host; /* of a frame on the GPU nothing */
    const uint32_t width = t->on_device ? t->image.device.width : from.width;
    const uint32_t height = t->on_device ? t->image.device.height : from.height;
    const size_t stride = 4 * (size_t)r->config.width;
    canvas *c = clean_canvas(r, width, height);
    if (!c) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    if (t->on_device) {
        if (r->frames->download(&t->frame, c->pixels, stride) != 0) {
            snprintf(err, err_size, "a frame could not be copied from the GPU");
            return -1;
        }
        r->frames->release(&t->frame);
        t->on_device = false;
    } else {
        for (uint32_t y = 0; y < height; y++)
            memcpy(c->pixels + y * stride, from.pixels + y * from.stride, 4 * (size_t)width);
    }
    t->image = (uis_image){.host = {.pixels = c->pixels,
                                    .stride = stride,
                                    .width = r->config.width,
                                    .height = r->config.height}};
    return 0;
}

/* A frame presented before the tick may still be on its way to host memory:
 * wait for it, but at most half a tick. */
static void await_in_flight(local_recorder *r, uint64_t deadline) {
    const uis_ring_header *h = uis_ring_get_header(r->ring);
    const uint64_t presented = __atomic_load_n(&h->presented, __ATOMIC_ACQUIRE);
    for (;;) {
        uint32_t seen = __atomic_load_n(&h->publish_word, __ATOMIC_ACQUIRE);
        uint64_t done = __atomic_load_n(&h->published, __ATOMIC_ACQUIRE) +
                        __atomic_load_n(&h->lost, __ATOMIC_ACQUIRE);
        uint64_t now = uis_now_ns();
        if (done >= presented || now >= deadline)
            return;
        uint64_t left = deadline - now;
        uis_ring_wait(r->ring, seen, left < 2000000 ? left : 2000000);
    }
}

/* Until start: keep the newest frame at hand and the ring empty. Returns the
 * origin, or 0 if the recorder is being destroyed. */
static uint64_t idle(local_recorder *r) {
    for (;;) {
        /* Read before the origin: what is presented after the start is the recording's, however
         * long this thread was not on a processor in between. */
        const uint64_t now = uis_now_ns();
        pthread_mutex_lock(&r->lock);
        uint64_t origin = r->origin_ns;
        bool abort = r->abort;
        pthread_mutex_unlock(&r->lock);
        if (origin || abort)
            return abort ? 0 : origin;
        uint32_t seen =
            __atomic_load_n(&uis_ring_get_header(r->ring)->publish_word, __ATOMIC_ACQUIRE);
        arrivals a = take_arrivals(r, now);
        if (a.broken)
            r->early_problem = a.broken;
        if (a.newest.on_device)
            try_device(r, &a.newest.image.device); /* kernels are compiled before the clock runs */
        if (a.newest.slot)
            hold(r, &a);
        else
            uis_ring_wait(r->ring, seen, 10000000);
    }
}

/* Sleeps until tick k; false when the recording is over before it. */
static bool await_tick(local_recorder *r, uint64_t when) {
    struct timespec until = to_timespec(when);
    bool go = true;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        if (r->abort || (r->end_ns && when >= r->end_ns)) {
            go = false;
            break;
        }
        if (uis_now_ns() >= when)
            break;
        pthread_cond_timedwait(&r->wake, &r->lock, &until);
    }
    pthread_mutex_unlock(&r->lock);
    return go;
}

static void spool_error(int rc, char *err, size_t err_size) {
    snprintf(err, err_size, "cannot write what the tape is made of: %s", strerror(-rc));
}

/* Hands a tick to the spool, if there is one. */
static int keep(local_recorder *r, const uis_tick *t, const uis_bgra *now, const uis_bgra *before,
                const uis_rect *damage, const uis_video_region *regions, uint32_t count, char *err,
                size_t err_size) {
    pthread_mutex_lock(&r->lock);
    uis_spool *spool = r->spool;
    pthread_mutex_unlock(&r->lock);
    if (!spool)
        return 0;
    uis_spool_record kept = {.index = t->index,
                             .tick_ns = t->tick_ns,
                             .present_ns = t->present_ns,
                             .sequence = t->sequence,
                             .presents = t->presents,
                             .coalesced = t->coalesced,
                             .dropped = t->dropped,
                             .region_count = count};
    if (now)
        kept.damage = *damage;
    if (count)
        memcpy(kept.regions, regions, count * sizeof *regions);
    int rc = uis_spool_add(spool, &kept, now, before);
    if (rc != 0)
        spool_error(rc, err, err_size);
    return rc;
}

static void *copy_of(const void *data, size_t size) {
    void *copy = malloc(size);
    if (copy)
        memcpy(copy, data, size);
    return copy;
}

/* The page's videos, as far as they lie in the window. */
static uint32_t seen_regions(local_recorder *r, const uis_rect *window, uis_video_region *out) {
    const uint32_t count = uis_ring_get_regions(r->ring, out);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        out[kept] = out[i];
        out[kept].rect = uis_rect_intersect(out[i].rect, *window);
        kept += !uis_rect_empty(out[kept].rect);
    }
    return kept;
}

/* One tick: the frame that came, if any. `first`: there is nothing before. */
static int process(local_recorder *r, arrivals *a, bool first, record *item, char *err,
                   size_t err_size) {
    uis_tick *t = &item->tick;
    uis_video_region regions[UIS_RING_MAX_REGIONS];
    const bool came = a->newest.slot != NULL;
    const uint32_t count = came ? seen_regions(r, &a->window, regions) : 0;
    const uis_image *now = came ? &a->newest.image : NULL;
    const uis_image *before = came && !first ? &r->held.image : NULL;
    t->sequence = came ? a->newest.sequence : 0;
    r->begun |= came;
    if (__atomic_exchange_n(&r->keyframe_wanted, false, __ATOMIC_RELAXED))
        uis_pipeline_request_keyframe(r->pipeline);
    int rc = uis_pipeline_tick(r->pipeline, now, before, &a->damage, regions, count,
                               came ? a->newest.present_ns : 0, t, err, err_size);
    if (rc == 0) /* with a tape, frames are in host memory */
        rc = keep(r, t, now ? &now->host : NULL, before ? &before->host : NULL, &a->damage, regions,
                  count, err, err_size);
    if (came)
        hold(r, a);
    if (rc != 0 || !t->au)
        return rc;
    item->au = copy_of(t->au, t->au_size);
    item->digests = copy_of(t->digests, t->mbs * sizeof *item->digests);
    t->au = item->au;
    t->digests = item->digests;
    if (item->au && item->digests)
        return 0;
    snprintf(err, err_size, "out of memory");
    return -1;
}

static uis_spool *take_spool(local_recorder *r) {
    pthread_mutex_lock(&r->lock);
    uis_spool *spool = r->spool;
    r->spool = NULL;
    pthread_mutex_unlock(&r->lock);
    return spool;
}

static void *run(void *argument) {
    local_recorder *r = argument;
    char err[400] = "";
    pthread_setname_np(pthread_self(), "uis-recorder");
    uint64_t origin = idle(r);
    if (!origin) {
        finish(r, NULL);
        return NULL;
    }
    r->ring_dropped = ring_dropped(r);
    r->dropped = 0;
    r->gone = 0;
    for (uint64_t k = 0;; k++) {
        uint64_t when = tick_time(r, origin, k);
        if (!await_tick(r, when))
            break;
        await_in_flight(r, when + (tick_time(r, origin, k + 1) - when) / 2);
        record *item = calloc(1, sizeof *item);
        if (!item) {
            finish(r, "out of memory");
            return NULL;
        }
        item->tick.index = k;
        item->tick.tick_ns = when;
        item->tick.mbs = uis_pipeline_mbs(r->pipeline);
        arrivals a = take_arrivals(r, when);
        if (a.broken) {
            let_go(r, &a.newest);
            record_free(item);
            finish(r, a.broken);
            return NULL;
        }
        if (a.large_width) {
            let_go(r, &a.newest);
            record_free(item);
            snprintf(err, sizeof err,
                     "the window grew to %ux%u, and the recording holds %ux%u at most",
                     a.large_width, a.large_height, r->config.width, r->config.height);
            finish(r, err);
            return NULL;
        }
        if (k == 0) {
            /* The frame standing when the recording begins is its first
             * present; what came before it is not part of the recording. */
            if (!a.newest.slot)
                a.newest = take_held(r);
            a.count = 1;
            a.dropped = 0;
            if (!a.newest.slot) {
                record_free(item);
                finish(r, r->early_problem ? r->early_problem
                                           : "no frame had been captured when the recording "
                                             "began");
                return NULL;
            }
        }
        if ((k == 0 && settle_device(r, err, sizeof err) != 0) ||
            fit(r, &a.newest, err, sizeof err) != 0) {
            let_go(r, &a.newest);
            record_free(item);
            finish(r, err);
            return NULL;
        }
        item->tick.presents = a.count;
        item->tick.coalesced = a.count ? a.count - 1 : 0;
        item->tick.dropped = a.dropped;
        r->dropped += a.dropped;
        int rc = process(r, &a, k == 0, item, err, sizeof err);
        if (rc != 0) {
            record_free(item);
            finish(r, err);
            return NULL;
        }
        push(r, item);
    }
    count_lost(r);
    /* The recording is over once its last pixels are in the file, too. */
    int rc = uis_spool_close(take_spool(r));
    if (rc != 0)
        spool_error(rc, err, sizeof err);
    finish(r, rc != 0 ? err : NULL);
    return NULL;
}

static const uis_recorder_kind local_kind;

static void local_destroy(uis_recorder *base) {
    local_recorder *r = (local_recorder *)base;
    pthread_mutex_lock(&r->lock);
    r->abort = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (r->thread_started)
        pthread_join(r->thread, NULL);
    uis_spool_close(r->spool); /* still there where the recording broke off */
    let_go(r, &r->held);
    free(r->canvases[0].pixels);
    free(r->canvases[1].pixels);
    record_free(r->handed_out);
    while (r->head) {
        record *next = r->head->next;
        record_free(r->head);
        r->head = next;
    }
    uis_pipeline_close(r->pipeline);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->held_lock);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int uis_recorder_create_local(const uis_recorder_config *config, uis_ring *ring,
                              const uis_device_frames *frames, size_t queue_limit,
                              uis_recorder **out, char *err, size_t err_size) {
    *out = NULL;
    const uis_ring_geometry geometry = uis_ring_get_geometry(ring);
    if (config->width != geometry.max_width || config->height != geometry.max_height) {
        snprintf(err, err_size, "the recorder is set to %ux%u but the ring to %ux%u", config->width,
                 config->height, geometry.max_width, geometry.max_height);
        return -EINVAL;
    }
    local_recorder *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(err, err_size, "out of memory");
        return -ENOMEM;
    }
    r->base.kind = &local_kind;
    r->config = *config;
    r->ring = ring;
    r->frames = frames;
    r->queue_limit = queue_limit;
    int rc = uis_pipeline_open(config, &r->pipeline, err, err_size);
    if (rc != 0) {
        free(r);
        return rc;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->held_lock, NULL);
    pthread_cond_init(&r->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    /* Pace Chrome from now on, so that it is in step before the recording starts. */
    uis_ring_header *h = uis_ring_get_header(ring);
    __atomic_store_n(&h->pace_origin_ns, uis_now_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&h->pace_period_ns, tick_time(r, 0, 1), __ATOMIC_RELEASE);
    rc = pthread_create(&r->thread, NULL, run, r);
    if (rc != 0) {
        snprintf(err, err_size, "cannot start the recorder's thread: %s", strerror(rc));
        local_destroy(&r->base);
        return -rc;
    }
    r->thread_started = true;
    *out = &r->base;
    return 0;
}

static int local_spool(uis_recorder *base, int fd) {
    local_recorder *r = (local_recorder *)base;
    uis_spool *spool = NULL;
    pthread_mutex_lock(&r->lock);
    int rc = r->origin_ns || r->spool ? -EALREADY : 0;
    pthread_mutex_unlock(&r->lock);
    if (rc == 0)
        rc = uis_spool_open(fd, SPOOL_QUEUE_BYTES, &spool);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&r->lock);
    r->spool = spool;
    pthread_mutex_unlock(&r->lock);
    return 0;
}

static int local_start(uis_recorder *base, uint64_t origin_ns) {
    local_recorder *r = (local_recorder *)base;
    if (!origin_ns)
        origin_ns = uis_now_ns();
    pthread_mutex_lock(&r->lock);
    int rc = r->origin_ns ? -EALREADY : r->over ? -EPIPE : 0;
    if (rc == 0) {
        r->origin_ns = origin_ns;
        __atomic_store_n(&uis_ring_get_header(r->ring)->pace_origin_ns, origin_ns,
                         __ATOMIC_RELEASE);
        pthread_cond_broadcast(&r->wake);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static uint64_t local_origin(const uis_recorder *base) {
    const local_recorder *r = (const local_recorder *)base;
    local_recorder *m = (local_recorder *)(uintptr_t)r;
    pthread_mutex_lock(&m->lock);
    uint64_t origin = r->origin_ns;
    pthread_mutex_unlock(&m->lock);
    return origin;
}

static void local_request_keyframe(uis_recorder *base) {
    local_recorder *r = (local_recorder *)base;
    __atomic_store_n(&r->keyframe_wanted, true, __ATOMIC_RELAXED);
}

static uint64_t local_ticks(const uis_recorder *base) {
    const local_recorder *r = (const local_recorder *)base;
    local_recorder *m = (local_recorder *)(uintptr_t)r;
    pthread_mutex_lock(&m->lock);
    uint64_t ticks = r->ticks;
    pthread_mutex_unlock(&m->lock);
    return ticks;
}

static void local_stop(uis_recorder *base, uint64_t end_ns) {
    local_recorder *r = (local_recorder *)base;
    pthread_mutex_lock(&r->lock);
    r->end_ns = end_ns ? end_ns : uis_now_ns();
    if (!r->origin_ns)
        r->abort = true; /* never started: nothing to finish */
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static int local_next(uis_recorder *base, int timeout_ms, uis_tick *tick) {
    local_recorder *r = (local_recorder *)base;
    record_free(r->handed_out);
    r->handed_out = NULL;
    struct timespec until =
        to_timespec(uis_now_ns() + (timeout_ms > 0 ? (uint64_t)timeout_ms * 1000000u : 0));
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->head && !r->over)
        if (pthread_cond_timedwait(&r->wake, &r->lock, &until) == ETIMEDOUT)
            break;
    if (r->head) {
        record *item = r->head;
        r->head = item->next;
        if (!r->head)
            r->tail = NULL;
        r->handed_out = item;
        r->queued -= record_bytes(item);
        if (r->queue_limit)
            pthread_cond_broadcast(&r->wake);
        *tick = item->tick;
        rc = 1;
    } else if (r->over) {
        rc = r->failed ? -2 : -1;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* Asked while the thread runs, too: a sentence that is still being written is none yet. */
static const char *local_error(const uis_recorder *base) {
    const local_recorder *r = (const local_recorder *)base;
    local_recorder *m = (local_recorder *)(uintptr_t)r;
    pthread_mutex_lock(&m->lock);
    const bool failed = r->failed;
    pthread_mutex_unlock(&m->lock);
    return failed ? r->error : "";
}

static uint64_t local_unseen_drops(const uis_recorder *base) {
    const local_recorder *r = (const local_recorder *)base;
    return r->lost > r->dropped ? r->lost - r->dropped : 0;
}

static const uis_recorder_kind local_kind = {
    .spool = local_spool,
    .start = local_start,
    .origin = local_origin,
    .request_keyframe = local_request_keyframe,
    .ticks = local_ticks,
    .stop = local_stop,
    .next = local_next,
    .error = local_error,
    .unseen_drops = local_unseen_drops,
    .destroy = local_destroy,
};
