/* SPDX-License-Identifier: GPL-2.0-or-later
 * The encoder host; see encode_host.h. Runs inside Chrome's GPU process, whose sandbox allows
 * no new files and no look at other processes: whether the recorder lives is not asked. When
 * it does not read, the stream fills and everything waits, in bounded memory. */
#define _GNU_SOURCE
#include "uisplice/encode_host.h"

#include "encode_link.h"
#include "foreign_allocator.h"
#include "recorder_kind.h"
#include "row_pool.h"
#include "uisplice/thread_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEAT_NS 100000000u
/* Records that wait for room in the stream; above it the recording waits. */
#define QUEUE_BYTES ((size_t)16 << 20)

struct uis_encode_host {
    uis_ring *ring;
    uis_encode_link *link;
    uint8_t *stream;
    uint64_t stream_size;
    int spool; /* -1: none */
    uis_device_frames frames;
    bool has_frames;
    pthread_t control, pump;
    bool started;
    bool closing; /* (atomic) */

    uis_recorder *recorder; /* made and freed by the control thread, around the pump's life */
    bool pumped;            /* (atomic) the pump is through */
    const char *problem;    /* (atomic) why it never started; NULL: none */
    uint64_t head;          /* the pump's own count */

    /* The control thread's: what of the link was passed on. */
    bool spooled, begun;
    uint32_t keyframes, pixels_given;
    uint64_t end_ns;
};

int uis_encode_host_open(const char *name, const char *spool, uis_encode_host **out, char *err,
                         size_t err_size) {
    *out = NULL;
    uis_encode_host *host = calloc(1, sizeof *host);
    if (!host) {
        snprintf(err, err_size, "out of memory");
        return -ENOMEM;
    }
    host->spool = -1;
    (void)uis_row_helpers(); /* looks at this process's processors, and remembers */
    int rc = uis_limit_x264_alignment(err, err_size);
    if (rc == 0)
        rc = uis_ring_attach(name, &host->ring, err, err_size);
    if (rc != 0) {
        free(host);
        return rc;
    }
    uint64_t size;
    uint8_t *link = uis_ring_link(host->ring, &size);
    if (!link) {
        snprintf(err, err_size, "frame ring %s has no encode link", name);
        uis_encode_host_close(host);
        return -EPROTO;
    }
    host->link = (uis_encode_link *)(void *)link;
    host->stream = link + UIS_LINK_CONTROL;
    host->stream_size = size - UIS_LINK_CONTROL;
    if (spool && spool[0] && (host->spool = open(spool, O_WRONLY | O_CLOEXEC)) < 0) {
        rc = -errno;
        snprintf(err, err_size, "cannot open the file for a tape's frames, %s: %s", spool,
                 strerror(-rc));
        uis_encode_host_close(host);
        return rc;
    }
    *out = host;
    return 0;
}

static bool nobody_reads(const uis_encode_host *host) {
    return __atomic_load_n(&host->closing, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&host->link->abort, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&uis_ring_get_header(host->ring)->reader_closed, __ATOMIC_ACQUIRE);
}

static void say_state(uis_encode_host *host, uint32_t state) {
    __atomic_store_n(&host->link->host_state, state, __ATOMIC_RELEASE);
    uis_shared_wake(&host->link->data_word);
}

static void say_failed(uis_encode_host *host, const char *why) {
    snprintf(host->link->error, sizeof host->link->error, "%s", why);
    say_state(host, UIS_HOST_FAILED);
}

/* --- records into the stream --- */

/* Waits until there is room; how much, or 0: nobody reads any more, or not as it must. */
static uint64_t await_room(uis_encode_host *host) {
    uis_encode_link *link = host->link;
    for (;;) {
        const uint32_t seen = __atomic_load_n(&link->control_word, __ATOMIC_SEQ_CST);
        __atomic_store_n(&link->host_waits, 1, __ATOMIC_SEQ_CST);
        const uint64_t used = host->head - __atomic_load_n(&link->tail, __ATOMIC_SEQ_CST);
        if (nobody_reads(host) || used > host->stream_size)
            return 0;
        if (used < host->stream_size) {
            __atomic_store_n(&link->host_waits, 0, __ATOMIC_RELAXED);
            return host->stream_size - used;
        }
        uis_shared_wake(&link->data_word);
        uis_shared_wait(&link->control_word, seen, BEAT_NS);
    }
}

static bool put(uis_encode_host *host, const void *data, uint64_t size) {
    const uint8_t *from = data;
    while (size) {
        uint64_t piece = await_room(host);
        const uint64_t at = host->head % host->stream_size;
        if (!piece)
            return false;
        if (piece > size)
            piece = size;
        if (piece > host->stream_size - at)
            piece = host->stream_size - at;
        memcpy(host->stream + at, from, piece);
        from += piece;
        size -= piece;
        host->head += piece;
        __atomic_store_n(&host->link->head, host->head, __ATOMIC_RELEASE);
    }
    return true;
}

static bool put_record(uis_encode_host *host, const uis_tick *tick) {
    uis_link_record record = {.magic = UIS_LINK_MAGIC,
                              .digests = tick->au ? tick->mbs : 0,
                              .au_size = tick->au_size,
                              .tick = *tick};
    record.tick.au = NULL;
    record.tick.digests = NULL;
    if (!put(host, &record, sizeof record) || !put(host, tick->au, tick->au_size) ||
        !put(host, tick->digests, (uint64_t)record.digests * sizeof *tick->digests))
        return false;
    __atomic_add_fetch(&host->link->ticks, 1, __ATOMIC_RELEASE);
    uis_shared_wake(&host->link->data_word);
    return true;
}

static void *pump(void *argument) {
    uis_encode_host *host = argument;
    bool wanted = true;
    const char *problem;
    uis_tick tick;
    int rc;
    pthread_setname_np(pthread_self(), "uis-host-pump");
    while ((rc = uis_recorder_next(host->recorder, 200, &tick)) >= 0)
        if (rc == 1 && wanted)
            wanted = put_record(host, &tick); /* not wanted: taken all the same, to the end */
    __atomic_store_n(&host->link->unseen_drops, uis_recorder_unseen_drops(host->recorder),
                     __ATOMIC_RELEASE);
    if (rc == -2)
        say_failed(host, uis_recorder_error(host->recorder));
    else if ((problem = __atomic_load_n(&host->problem, __ATOMIC_ACQUIRE)) != NULL)
        say_failed(host, problem);
    else if (!__atomic_load_n(&host->closing, __ATOMIC_ACQUIRE))
        say_state(host, UIS_HOST_OVER);
    else if (__atomic_load_n(&host->link->origin_ns, __ATOMIC_ACQUIRE))
        say_failed(host, "Chrome's GPU process ended while it encoded");
    /* else: nothing was recorded yet, and another process may have the role */
    __atomic_store_n(&host->pumped, true, __ATOMIC_RELEASE);
    uis_shared_wake(&host->link->control_word);
    return NULL;
}

/* --- control words into the recorder --- */

/* Waits for a change of the link, or a beat. `seen` was read before what was looked at. */
static void await_change(uis_encode_host *host, uint32_t seen) {
    uis_shared_wait(&host->link->control_word, seen, BEAT_NS);
}

static uint32_t changes(const uis_encode_host *host) {
    return __atomic_load_n(&host->link->control_word, __ATOMIC_ACQUIRE);
}

/* True once this process has the role. Another one's is free for as long as nothing was
 * recorded: the recorder takes it from a process that died. */
static bool claim(uis_encode_host *host) {
    for (;;) {
        const uint32_t seen = changes(host);
        uint32_t nobody = 0;
        if (nobody_reads(host) || __atomic_load_n(&host->link->origin_ns, __ATOMIC_ACQUIRE))
            return false;
        if (__atomic_compare_exchange_n(&host->link->host_pid, &nobody, (uint32_t)getpid(), false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return true;
        await_change(host, seen);
    }
}

static bool await_settings(uis_encode_host *host) {
    for (;;) {
        const uint32_t seen = changes(host);
        if (nobody_reads(host))
            return false;
        __atomic_store_n(&host->link->beat_ns, uis_now_ns(), __ATOMIC_RELEASE);
        if (__atomic_load_n(&host->link->configured, __ATOMIC_ACQUIRE))
            return true;
        await_change(host, seen);
    }
}

static bool open_encoders(uis_encode_host *host) {
    const uis_encode_link *link = host->link;
    char err[400] = "";
    if (link->config_size != sizeof link->config || link->tick_size != sizeof(uis_tick) ||
        link->record_size != sizeof(uis_link_record)) {
        say_failed(host, "the library in Chrome's process is another build than the recorder's: "
                         "rebuild and install both together");
        return false;
    }
    const uis_recorder_config config = link->config; /* one copy is checked and used */
    if (uis_recorder_create_local(&config, host->ring, host->has_frames ? &host->frames : NULL,
                                  QUEUE_BYTES, &host->recorder, err, sizeof err) != 0) {
        say_failed(host, err);
        return false;
    }
    return true;
}

/* Ends a recording that never began. */
static void refuse(uis_encode_host *host, const char *problem) {
    __atomic_store_n(&host->problem, problem, __ATOMIC_RELEASE);
    uis_recorder_stop(host->recorder, 1);
}

static void give_pixels(uis_encode_host *host, uint32_t request) {
    host->pixels_given = request;
    host->link->pixels_result = uis_recorder_fill_held(host->recorder);
    __atomic_store_n(&host->link->pixels_given, request, __ATOMIC_RELEASE);
    uis_shared_wake(&host->link->data_word);
}

static void pass_on(uis_encode_host *host) {
    const uis_encode_link *link = host->link;
    if (!host->spooled && __atomic_load_n(&link->spool_wanted, __ATOMIC_ACQUIRE)) {
        host->spooled = true;
        if (uis_recorder_spool(host->recorder, host->spool) != 0)
            refuse(host, "cannot keep frames for a tape in Chrome's process");
    }
    const uint64_t origin = __atomic_load_n(&link->origin_ns, __ATOMIC_ACQUIRE);
    if (origin && !host->begun) {
        host->begun = true;
        uis_recorder_start(host->recorder, origin);
    }
    const uint32_t keyframes = __atomic_load_n(&link->keyframes, __ATOMIC_ACQUIRE);
    if (keyframes != host->keyframes)
        uis_recorder_request_keyframe(host->recorder);
    host->keyframes = keyframes;
    const uint32_t pixels_wanted = __atomic_load_n(&link->pixels_wanted, __ATOMIC_ACQUIRE);
    if (pixels_wanted != host->pixels_given)
        give_pixels(host, pixels_wanted);
    uint64_t end = __atomic_load_n(&link->end_ns, __ATOMIC_ACQUIRE);
    if (nobody_reads(host))
        end = 1;
    if (end && end != host->end_ns)
        uis_recorder_stop(host->recorder, end);
    host->end_ns = end;
}

/* Not before nobody reads any more: the frame on screen can be asked for when all is recorded. */
static bool is_over(const uis_encode_host *host) {
    return __atomic_load_n(&host->pumped, __ATOMIC_ACQUIRE) && nobody_reads(host);
}

static void serve(uis_encode_host *host) {
    say_state(host, UIS_HOST_OPENING);
    if (!await_settings(host) || !open_encoders(host))
        return;
    __atomic_store_n(&host->link->spool_open, host->spool >= 0, __ATOMIC_RELEASE);
    int rc = pthread_create(&host->pump, NULL, pump, host);
    if (rc == 0) {
        say_state(host, UIS_HOST_READY);
        while (!is_over(host)) {
            const uint32_t seen = changes(host);
            __atomic_store_n(&host->link->beat_ns, uis_now_ns(), __ATOMIC_RELEASE);
            pass_on(host);
            if (!is_over(host))
                await_change(host, seen);
        }
        pthread_join(host->pump, NULL);
    } else {
        say_failed(host, "cannot start the encoder host's thread");
    }
    uis_recorder_destroy(host->recorder);
    host->recorder = NULL;
}

static void *control(void *argument) {
    uis_encode_host *host = argument;
    /* Each names itself, for another thread's name is written to a file, which a sandbox
     * refuses. */
    pthread_setname_np(pthread_self(), "uis-host");
    if (!claim(host))
        return NULL;
    serve(host);
    if (__atomic_load_n(&host->closing, __ATOMIC_ACQUIRE) &&
        !__atomic_load_n(&host->link->origin_ns, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&host->link->host_state, UIS_HOST_NONE, __ATOMIC_RELEASE);
        __atomic_store_n(&host->link->host_pid, 0, __ATOMIC_RELEASE);
        uis_shared_wake(&host->link->control_word);
    }
    return NULL;
}

int uis_encode_host_start(uis_encode_host *host, const uis_device_frames *frames) {
    if (host->started)
        return 0;
    host->has_frames = frames != NULL;
    if (frames)
        host->frames = *frames;
    sigset_t before; /* the threads that this one starts inherit its mask */
    uis_block_sent_signals(&before);
    int rc = pthread_create(&host->control, NULL, control, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -rc;
    host->started = true;
    return 0;
}

void uis_encode_host_close(uis_encode_host *host) {
    if (!host)
        return;
    __atomic_store_n(&host->closing, true, __ATOMIC_RELEASE);
    if (host->started) {
        uis_shared_wake(&host->link->control_word);
        pthread_join(host->control, NULL);
    }
    if (host->spool >= 0)
        close(host->spool);
    uis_ring_close(host->ring);
    free(host);
}
