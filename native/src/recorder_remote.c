/* SPDX-License-Identifier: GPL-2.0-or-later
 * The recorder whose encoders run in the layer's process: drives the encoder host through the
 * encode link (encode_link.h) and takes its records. What the host wrote is used from copies
 * that were checked, and a host that dies or stands still ends the recording. */
#define _GNU_SOURCE
#include "recorder_kind.h"

#include "encode_link.h"
#include "uisplice/pipeline.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_NS 100000000u      /* between looks at whether the host lives */
#define START_NS 10000000000u   /* that the encoders have to open */
#define SILENT_NS 10000000000u  /* without a beat: the host hangs, or was stopped */
#define MAX_BYTES_EACH_MB 1024u /* of an access unit; H.264 allows 400 (A.3.1) */
#define MAX_HEADER_BYTES 65536u
#define PRESENT_LEEWAY_NS 1000000000u /* of tick 0's frame: it may come while the start is said */

typedef struct remote_recorder {
    uis_recorder base;
    uis_ring *ring;
    uis_encode_link *link;
    const uint8_t *stream;
    uint64_t stream_size;
    uis_recorder_config config;
    uint32_t mbs;

    uint64_t origin_ns; /* 0: not started */
    uint32_t pid;       /* of the host that is watched; 0: none yet */
    int pid_fd;         /* of that process; -1: none, or the kernel has no such thing */

    /* The consumer's: the record that is being read, in two parts. */
    uint64_t tail;
    uint64_t records;
    uis_link_record head;
    uint64_t got; /* bytes of head, then of body */
    bool in_body;
    uint8_t *body; /* access unit, padded to 8 bytes, then digests */
    uint64_t body_room;

    bool failed; /* (atomic) error is complete */
    char error[700];
} remote_recorder;

static int give_up(remote_recorder *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says why once, and that the host need not go on. -2, as next() says it. */
static int give_up(remote_recorder *r, const char *format, ...) {
    if (!__atomic_load_n(&r->failed, __ATOMIC_ACQUIRE)) {
        va_list args;
        va_start(args, format);
        vsnprintf(r->error, sizeof r->error, format, args);
        va_end(args);
        __atomic_store_n(&r->failed, true, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&r->link->abort, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
    return -2;
}

/* --- the host's life --- */

static void forget_host(remote_recorder *r) {
    if (r->pid_fd >= 0)
        close(r->pid_fd);
    r->pid_fd = -1;
    r->pid = 0;
}

/* True once the process that has the role is gone. */
static bool host_gone(remote_recorder *r) {
    const uint32_t pid = __atomic_load_n(&r->link->host_pid, __ATOMIC_ACQUIRE);
    if (pid != r->pid) {
        forget_host(r);
        r->pid = pid;
        if ((pid_t)pid > 0)
            r->pid_fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    }
    if (!r->pid)
        return false;
    if (r->pid_fd < 0) /* gone already, or an old kernel */
        return (pid_t)r->pid <= 0 || (kill((pid_t)r->pid, 0) != 0 && errno == ESRCH);
    struct pollfd ended = {.fd = r->pid_fd, .events = POLLIN};
    return poll(&ended, 1, 0) > 0;
}

static bool host_silent(const remote_recorder *r) {
    const uint64_t beat = __atomic_load_n(&r->link->beat_ns, __ATOMIC_ACQUIRE);
    const uint64_t now = uis_now_ns();
    return beat && now > beat && now - beat > SILENT_NS;
}

/* The host's own words, as text that can be shown: never none, which would say that all is well. */
static void host_error(const remote_recorder *r, char *out, size_t size) {
    char said[sizeof r->link->error];
    memcpy(said, r->link->error, sizeof said); /* it can change under us */
    size_t n = 0;
    for (; n + 1 < size && n < sizeof said && said[n]; n++)
        out[n] = (unsigned char)said[n] < ' ' ? ' ' : said[n];
    out[n] = '\0';
    if (out[strspn(out, " ")] == '\0')
        snprintf(out, size, "the process that encodes failed, and did not say why");
}

/* --- records out of the stream --- */

/* Copies up to `size` bytes that are there; how many, or -1: the host counted wrong. */
static int64_t take(remote_recorder *r, void *to, uint64_t size) {
    const uint64_t there = __atomic_load_n(&r->link->head, __ATOMIC_ACQUIRE) - r->tail;
    if (there > r->stream_size)
        return -1;
    uint64_t piece = size < there ? size : there;
    const uint64_t at = r->tail % r->stream_size;
    if (piece > r->stream_size - at)
        piece = r->stream_size - at;
    if (!piece)
        return 0;
    memcpy(to, r->stream + at, piece);
    r->tail += piece;
    __atomic_store_n(&r->link->tail, r->tail, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&r->link->host_waits, __ATOMIC_SEQ_CST))
        uis_shared_wake(&r->link->control_word);
    return (int64_t)piece;
}

static bool in_view(const remote_recorder *r, const uis_rect *a) {
    return a->x >= 0 && a->y >= 0 && a->w >= 0 && a->h >= 0 &&
           (int64_t)a->x + a->w <= r->config.width && (int64_t)a->y + a->h <= r->config.height;
}

static bool rects_in_view(const remote_recorder *r) {
    const uis_tick *t = &r->head.tick;
    bool inside = in_view(r, &t->dirty) && in_view(r, &t->region);
    for (uint32_t i = 0; i < t->regions; i++)
        inside &= in_view(r, &t->region_rects[i]);
    return inside;
}

/* A tick comes when it is due, and not before: that bounds what a host can write, too. */
static bool in_time(const remote_recorder *r) {
    const uis_tick *t = &r->head.tick;
    return t->tick_ns == uis_tick_time(&r->config, r->origin_ns, t->index) &&
           t->tick_ns <= uis_now_ns() && t->present_ns <= t->tick_ns + PRESENT_LEEWAY_NS;
}

/* Comparisons are false for what is no number. */
static bool measurable(const uis_tick *t) {
    return isfinite(t->sse_y) && t->sse_y >= 0 && isfinite(t->sse_video) && t->sse_video >= 0 &&
           fabs(t->ssim) <= 1.000001;
}

/* NULL, or what does not fit in a record's first part. */
static const char *damage_of(const remote_recorder *r) {
    const uis_link_record *h = &r->head;
    const uis_tick *t = &h->tick;
    if (h->magic != UIS_LINK_MAGIC)
        return "its mark";
    if (t->index != r->records)
        return "the tick's number";
    if (h->au_size > (uint64_t)r->mbs * MAX_BYTES_EACH_MB + MAX_HEADER_BYTES)
        return "the access unit's size";
    if (t->mbs != r->mbs || h->digests != (h->au_size ? r->mbs : 0) || t->au_size != h->au_size)
        return "the number of macroblocks";
    if (t->tick_class > UIS_CHANGED || t->picture > UIS_PICTURE_MERGED ||
        (t->picture == UIS_PICTURE_NONE) != (h->au_size == 0))
        return "the tick's class";
    if (t->regions > UIS_RING_MAX_REGIONS || t->region_count > UIS_RING_MAX_REGIONS)
        return "the number of regions";
    if (t->dirty_mbs > r->mbs || t->dirty_outside_mbs > t->dirty_mbs || t->video_mbs > r->mbs ||
        t->patched_mbs > r->mbs)
        return "a count of macroblocks";
    if (!in_time(r))
        return "its time";
    if (!rects_in_view(r))
        return "a rectangle";
    if (!measurable(t) || t->copied_bytes > r->mbs * 384) /* no more than luma and chroma */
        return "a measure";
    return NULL;
}

static uint64_t padded(uint64_t size) {
    return (size + 7) / 8 * 8;
}

static int make_room(remote_recorder *r) {
    const uint64_t need = padded(r->head.au_size) + r->head.digests * sizeof(uint64_t);
    if (need <= r->body_room)
        return 0;
    uint8_t *body = realloc(r->body, need);
    if (!body)
        return -1;
    r->body = body;
    r->body_room = need;
    return 0;
}

/* Reads on. 1: a record is complete, 0: not yet, -2: gave up. */
static int read_record(remote_recorder *r) {
    static const char counted[] = "the process that encodes miscounted the stream's bytes";
    for (;;) {
        if (!r->in_body) {
            uint8_t *to = (uint8_t *)&r->head + r->got;
            const int64_t n = take(r, to, sizeof r->head - r->got);
            if (n < 0)
                return give_up(r, "%s", counted);
            r->got += (uint64_t)n;
            if (n == 0)
                return 0;
            if (r->got < sizeof r->head)
                continue;
            const char *damage = damage_of(r);
            if (damage)
                return give_up(r, "the process that encodes wrote a damaged record: %s is wrong",
                               damage);
            if (make_room(r) != 0)
                return give_up(r, "out of memory");
            r->in_body = true;
            r->got = 0;
        }
        /* The access unit's padding is not in the stream. */
        const uint64_t au = r->head.au_size;
        const uint64_t all = au + r->head.digests * sizeof(uint64_t);
        if (r->got == all)
            break;
        const bool in_au = r->got < au;
        uint8_t *to = r->body + (in_au ? r->got : padded(au) + (r->got - au));
        const int64_t n = take(r, to, (in_au ? au : all) - r->got);
        if (n < 0)
            return give_up(r, "%s", counted);
        if (n == 0)
            return 0;
        r->got += (uint64_t)n;
    }
    r->in_body = false;
    r->got = 0;
    r->records++;
    return 1;
}

/* --- the recorder's functions --- */

/* The file itself was opened by the host when it attached (UISPLICE_SPOOL). */
static int remote_spool(uis_recorder *base, int fd) {
    remote_recorder *r = (remote_recorder *)base;
    (void)fd;
    if (r->origin_ns)
        return -EALREADY;
    __atomic_store_n(&r->link->spool_wanted, 1, __ATOMIC_RELEASE);
    return 0;
}

/* Waits for the host's encoders, for a host that died the next one's. */
static int await_ready(remote_recorder *r) {
    const uint64_t deadline = uis_now_ns() + START_NS;
    char text[512];
    for (;;) {
        const uint32_t seen = __atomic_load_n(&r->link->data_word, __ATOMIC_ACQUIRE);
        const uint32_t state = __atomic_load_n(&r->link->host_state, __ATOMIC_ACQUIRE);
        if (state == UIS_HOST_FAILED) {
            host_error(r, text, sizeof text);
            give_up(r, "cannot encode in Chrome's process: %s", text);
            return -EPIPE;
        }
        if (host_gone(r)) {
            /* Nothing was recorded yet: what it held is free, and so is its role. */
            uis_ring_drop_reader(r->ring);
            __atomic_store_n(&r->link->host_state, UIS_HOST_NONE, __ATOMIC_RELEASE);
            __atomic_store_n(&r->link->host_pid, 0, __ATOMIC_RELEASE);
            uis_shared_wake(&r->link->control_word);
        } else if (state == UIS_HOST_OVER) {
            give_up(r, "the encoders in Chrome's process ended before the recording began");
            return -EPIPE;
        } else if (state == UIS_HOST_READY) {
            return 0;
        }
        if (uis_now_ns() >= deadline) {
            give_up(r, state == UIS_HOST_NONE
                           ? "the capture layer started no encoders in Chrome's process within "
                             "10 s"
                           : "the encoders in Chrome's process did not open within 10 s");
            return -ETIMEDOUT;
        }
        uis_shared_wait(&r->link->data_word, seen, LOOK_NS);
    }
}

static int remote_start(uis_recorder *base, uint64_t origin_ns) {
    remote_recorder *r = (remote_recorder *)base;
    if (r->origin_ns)
        return -EALREADY;
    const int rc = await_ready(r);
    if (rc != 0)
        return rc;
    if (__atomic_load_n(&r->link->spool_wanted, __ATOMIC_RELAXED) &&
        !__atomic_load_n(&r->link->spool_open, __ATOMIC_ACQUIRE)) {
        give_up(r, "Chrome's process did not open the file for a tape's frames");
        return -ENOENT;
    }
    r->origin_ns = origin_ns ? origin_ns : uis_now_ns();
    __atomic_store_n(&r->link->origin_ns, r->origin_ns, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
    return 0;
}

static uint64_t remote_origin(const uis_recorder *base) {
    return ((const remote_recorder *)base)->origin_ns;
}

static void remote_request_keyframe(uis_recorder *base) {
    remote_recorder *r = (remote_recorder *)base;
    __atomic_add_fetch(&r->link->keyframes, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
}

static uint64_t remote_ticks(const uis_recorder *base) {
    return __atomic_load_n(&((const remote_recorder *)base)->link->ticks, __ATOMIC_ACQUIRE);
}

static void remote_stop(uis_recorder *base, uint64_t end_ns) {
    remote_recorder *r = (remote_recorder *)base;
    if (r->origin_ns)
        __atomic_store_n(&r->link->end_ns, end_ns ? end_ns : uis_now_ns(), __ATOMIC_RELEASE);
    else
        __atomic_store_n(&r->link->abort, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
}

/* What is over when no record is complete: -1 or -2 as next(), 0: nothing. `state` was read
 * before the stream, so what it ended with has been seen. */
static int ended(remote_recorder *r, uint32_t state, bool gone) {
    char text[512];
    if (state == UIS_HOST_FAILED) {
        host_error(r, text, sizeof text);
        return give_up(r, "%s", text);
    }
    if (state == UIS_HOST_OVER)
        return r->got || r->in_body ? give_up(r, "the last record broke off") : -1;
    if (gone)
        return give_up(r,
                       "the process that encodes (Chrome's GPU process, %u) ended after %llu "
                       "ticks; the stream holds what came until then",
                       r->pid, (unsigned long long)r->records);
    if (host_silent(r))
        return give_up(r,
                       "the process that encodes (Chrome's GPU process, %u) has not answered "
                       "for 10 s; the stream holds %llu ticks",
                       r->pid, (unsigned long long)r->records);
    return 0;
}

static int remote_next(uis_recorder *base, int timeout_ms, uis_tick *tick) {
    remote_recorder *r = (remote_recorder *)base;
    const uint64_t deadline = uis_now_ns() + (timeout_ms > 0 ? (uint64_t)timeout_ms * 1000000u : 0);
    if (!r->origin_ns)
        return -1;
    for (;;) {
        if (__atomic_load_n(&r->failed, __ATOMIC_ACQUIRE))
            return -2;
        const uint32_t seen = __atomic_load_n(&r->link->data_word, __ATOMIC_ACQUIRE);
        const uint32_t state = __atomic_load_n(&r->link->host_state, __ATOMIC_ACQUIRE);
        const bool gone = host_gone(r);
        int rc = read_record(r);
        if (rc == 1) {
            *tick = r->head.tick;
            tick->au = r->head.au_size ? r->body : NULL;
            tick->digests =
                r->head.au_size
                    ? (const uint64_t *)(const void *)(r->body + padded(r->head.au_size))
                    : NULL;
            return 1;
        }
        if (rc == 0)
            rc = ended(r, state, gone);
        if (rc != 0)
            return rc;
        const uint64_t now = uis_now_ns();
        if (now >= deadline)
            return 0;
        const uint64_t left = deadline - now;
        uis_shared_wait(&r->link->data_word, seen, left < LOOK_NS ? left : LOOK_NS);
    }
}

static const char *remote_error(const uis_recorder *base) {
    const remote_recorder *r = (const remote_recorder *)base;
    return __atomic_load_n(&r->failed, __ATOMIC_ACQUIRE) ? r->error : "";
}

static uint64_t remote_unseen_drops(const uis_recorder *base) {
    return __atomic_load_n(&((const remote_recorder *)base)->link->unseen_drops, __ATOMIC_ACQUIRE);
}

static void remote_destroy(uis_recorder *base) {
    remote_recorder *r = (remote_recorder *)base;
    __atomic_store_n(&r->link->abort, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
    forget_host(r);
    free(r->body);
    free(r);
}

static const uis_recorder_kind remote_kind = {
    .spool = remote_spool,
    .start = remote_start,
    .origin = remote_origin,
    .request_keyframe = remote_request_keyframe,
    .ticks = remote_ticks,
    .stop = remote_stop,
    .next = remote_next,
    .error = remote_error,
    .unseen_drops = remote_unseen_drops,
    .destroy = remote_destroy,
};

int uis_recorder_create_remote(const uis_recorder_config *config, uis_ring *ring,
                               uis_recorder **out, char *err, size_t err_size) {
    *out = NULL;
    const uis_ring_geometry geometry = uis_ring_get_geometry(ring);
    if (config->width != geometry.max_width || config->height != geometry.max_height) {
        snprintf(err, err_size, "the recorder is set to %ux%u but the ring to %ux%u", config->width,
                 config->height, geometry.max_width, geometry.max_height);
        return -EINVAL;
    }
    int rc = uis_pipeline_check(config, err, err_size);
    if (rc != 0)
        return rc;
    uint64_t size;
    uint8_t *link = uis_ring_link(ring, &size);
    remote_recorder *r = calloc(1, sizeof *r);
    if (!r || !link) {
        snprintf(err, err_size, r ? "the ring has no encode link" : "out of memory");
        free(r);
        return link ? -ENOMEM : -EPROTO;
    }
    r->base.kind = &remote_kind;
    r->ring = ring;
    r->link = (uis_encode_link *)(void *)link;
    r->stream = link + UIS_LINK_CONTROL;
    r->stream_size = size - UIS_LINK_CONTROL;
    r->config = *config;
    r->mbs = (config->width + 15) / 16 * ((config->height + 15) / 16);
    r->pid_fd = -1;
    if (__atomic_load_n(&r->link->configured, __ATOMIC_ACQUIRE)) {
        snprintf(err, err_size, "the ring serves one recorder, and had it");
        free(r);
        return -EALREADY;
    }
    r->link->config = *config;
    r->link->config_size = sizeof *config;
    r->link->tick_size = sizeof(uis_tick);
    r->link->record_size = sizeof(uis_link_record);
    __atomic_store_n(&r->link->configured, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&r->link->control_word);
    *out = &r->base;
    return 0;
}
