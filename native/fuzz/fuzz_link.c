/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as an encode link: what another process wrote into it, read as the recorder reads it.
 *
 * Input: operations, a byte each and what it takes from the bytes behind it (see enum). Until one
 * writes what no host would, every record must come back as it was sent. Afterwards whatever is
 * handed out must fit the recording, or the harness would read beyond it. */
#include "encode_link.h"
#include "recorder_kind.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WIDTH = 46, HEIGHT = 32, MBS = 6, MAX_AU = 20000, MAX_RECORDS = 60 };

/* What a host does, and what none would: from here on `wild`. */
enum operation {
    SEND,        /* a record: class and picture (1 byte), size of the access unit (2) */
    END,         /* its state (1 byte): over, or failed with the next bytes as its words (1, n) */
    LOOK,        /* the recorder looks for a record */
    ASK,         /* its other functions (1 byte) */
    SEND_EDITED, /* as SEND, then edits of the record: how many (1), offset (2), value (1) */
    EDIT_LINK,   /* offset (2), value (1) */
    EDIT_STREAM, /* how many bytes (1), which */
    COUNT,       /* adds to the count of bytes written: 4 bytes, signed */
    OPERATIONS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

typedef struct session {
    uis_ring *ring;
    uis_recorder *recorder;
    uis_encode_link *link;
    uint8_t *stream;
    uint64_t stream_size, origin;
    uint64_t head; /* the host's own count */
    uint64_t sent, taken;
    bool wild, over;
} session;

/* One that was sent, to be compared. */
static uint8_t record[sizeof(uis_link_record) + MAX_AU + MBS * sizeof(uint64_t)];

static uint32_t take(input *in, uint32_t bytes) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes && in->size; i++, in->size--)
        value |= (uint32_t)*in->data++ << 8 * i;
    return value;
}

static void require(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fuzz_link: %s\n", what);
    abort();
}

static void check_rect(const uis_rect *a) {
    require(a->x >= 0 && a->y >= 0 && a->w >= 0 && a->h >= 0 && a->x <= WIDTH - a->w &&
                a->y <= HEIGHT - a->h,
            "a rectangle outside the view");
}

/* What the harness relies on, and that it may read all that it is told of. */
static void check_tick(const session *s, const uis_tick *t) {
    require(t->index == s->taken, "a tick's number");
    require(t->tick_ns == uis_tick_time(&(uis_recorder_config){.fps_num = 1000, .fps_den = 1},
                                        s->origin, t->index),
            "a tick's time");
    require(t->present_ns <= t->tick_ns + 1000000000u, "a present of later");
    require(t->mbs == MBS && t->dirty_mbs <= MBS && t->video_mbs <= MBS, "a count of macroblocks");
    require(t->tick_class <= UIS_CHANGED && t->picture <= UIS_PICTURE_MERGED, "a class");
    require(t->regions <= UIS_RING_MAX_REGIONS, "a count of regions");
    require((t->au != NULL) == (t->au_size != 0) && (t->digests != NULL) == (t->au_size != 0) &&
                (t->picture != UIS_PICTURE_NONE) == (t->au_size != 0),
            "a picture without an access unit");
    require(isfinite(t->sse_y) && t->sse_y >= 0 && isfinite(t->sse_video) && isfinite(t->ssim),
            "a measure");
    check_rect(&t->dirty);
    check_rect(&t->region);
    for (uint32_t i = 0; i < t->regions; i++)
        check_rect(&t->region_rects[i]);
    static volatile uint64_t read;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < t->au_size; i++)
        sum += t->au[i];
    for (uint32_t i = 0; t->digests && i < t->mbs; i++)
        sum += t->digests[i];
    read = sum;
    (void)read;
}

static int look(session *s, uis_tick *tick) {
    memset(tick, 0xee, sizeof *tick);
    const int rc = s->recorder->kind->next(s->recorder, 0, tick);
    require(rc >= -2 && rc <= 1, "an answer that is none");
    require((rc == -2) == (s->recorder->kind->error(s->recorder)[0] != 0),
            "an error without a sentence, or the other way round");
    if (rc == 1) {
        check_tick(s, tick);
        s->taken++;
    }
    return rc;
}

/* A record as a host makes it, into `record`; its size. */
static uint64_t make_record(const session *s, input *in) {
    const uint32_t kind = take(in, 1), bytes = take(in, 2) % MAX_AU;
    uis_link_record head = {.magic = UIS_LINK_MAGIC, .tick = {.index = s->sent, .mbs = MBS}};
    uis_tick *t = &head.tick;
    t->tick_ns =
        uis_tick_time(&(uis_recorder_config){.fps_num = 1000, .fps_den = 1}, s->origin, t->index);
    t->tick_class = kind % 3;
    t->dirty = t->region = t->region_rects[0] = (uis_rect){16, 0, 30, 32};
    t->regions = kind / 3 % 2;
    t->ssim = 1;
    if (bytes) {
        t->picture = 1 + kind / 6 % 3;
        t->au_size = head.au_size = bytes;
        head.digests = MBS;
        t->sse_y = bytes;
    }
    const uint64_t digests = head.digests * sizeof(uint64_t);
    memcpy(record, &head, sizeof head);
    for (uint64_t i = 0; i < bytes + digests; i++)
        record[sizeof head + i] = (uint8_t)(kind + i * 7);
    return sizeof head + bytes + digests;
}

static uint64_t room(const session *s) {
    return s->stream_size - (s->head - __atomic_load_n(&s->link->tail, __ATOMIC_ACQUIRE));
}

/* As the host's put(); false: the stream is full. */
static bool put(session *s, const uint8_t *from, uint64_t *done, uint64_t size) {
    while (*done < size && room(s) > 0 && room(s) <= s->stream_size) {
        const uint64_t at = s->head % s->stream_size;
        uint64_t piece = size - *done < room(s) ? size - *done : room(s);
        if (piece > s->stream_size - at)
            piece = s->stream_size - at;
        memcpy(s->stream + at, from + *done, piece);
        *done += piece;
        s->head += piece;
        __atomic_store_n(&s->link->head, s->head, __ATOMIC_RELEASE);
    }
    return *done == size;
}

static void expect(const uis_tick *t) {
    const uis_link_record *sent = (const uis_link_record *)(const void *)record;
    uis_tick wanted = sent->tick;
    wanted.au = t->au;
    wanted.digests = t->digests;
    require(memcmp(&wanted, t, sizeof wanted) == 0, "another tick than was sent");
    require(t->au_size == 0 || memcmp(t->au, record + sizeof *sent, t->au_size) == 0,
            "another access unit than was sent");
    require(t->digests == NULL || memcmp(t->digests, record + sizeof *sent + t->au_size,
                                         MBS * sizeof *t->digests) == 0,
            "other digests than were sent");
}

static void send(session *s, uint64_t size) {
    uint64_t done = 0;
    uis_tick tick;
    s->sent++;
    for (int turn = 0; turn < 100; turn++) {
        const bool whole = put(s, record, &done, size);
        if (whole && s->wild)
            return; /* whether it is taken is LOOK's business */
        const int rc = look(s, &tick);
        if (s->wild && rc != 0)
            return;
        require(s->wild || rc == whole, "a record that was not taken when it was there");
        if (rc == 1)
            expect(&tick);
        if (whole)
            return;
    }
    require(s->wild, "a record that is never through");
}

/* Of its first part: what lies behind that is anything already. */
static void edit_record(input *in) {
    const uint32_t edits = take(in, 1) % 8;
    for (uint32_t i = 0; i < edits; i++) {
        const uint32_t offset = take(in, 2);
        record[offset % sizeof(uis_link_record)] = (uint8_t)take(in, 1);
    }
}

static void edit_link(session *s, input *in) {
    const uint32_t offset = take(in, 2) % sizeof(uis_encode_link);
    ((uint8_t *)s->link)[offset] = (uint8_t)take(in, 1);
}

static void edit_stream(session *s, input *in) {
    const uint32_t bytes = take(in, 1);
    for (uint32_t i = 0; i < bytes && in->size; i++)
        s->stream[s->head++ % s->stream_size] = (uint8_t)take(in, 1);
    __atomic_store_n(&s->link->head, s->head, __ATOMIC_RELEASE);
}

static void end(session *s, input *in) {
    uis_tick tick;
    const bool failed = take(in, 1) & 1;
    if (failed) {
        const uint32_t bytes = take(in, 1);
        for (uint32_t i = 0; i < bytes; i++)
            s->link->error[i % sizeof s->link->error] = (char)take(in, 1);
    }
    s->over = true;
    __atomic_store_n(&s->link->host_state, failed ? UIS_HOST_FAILED : UIS_HOST_OVER,
                     __ATOMIC_RELEASE);
    if (s->wild)
        return;
    const int rc = look(s, &tick);
    require(rc == (failed ? -2 : -1), "an end that was not seen");
    for (const char *c = s->recorder->kind->error(s->recorder); *c; c++)
        require((unsigned char)*c >= ' ', "an error that cannot be shown");
}

static void ask(session *s, input *in) {
    const uis_recorder_kind *kind = s->recorder->kind;
    switch (take(in, 1) % 5) {
    case 0:
        (void)kind->ticks(s->recorder);
        break;
    case 1:
        (void)kind->unseen_drops(s->recorder);
        break;
    case 2:
        kind->request_keyframe(s->recorder);
        break;
    case 3:
        kind->stop(s->recorder, take(in, 4));
        break;
    default:
        require(kind->start(s->recorder, 0) == -EALREADY, "a second start");
    }
}

static void step(session *s, input *in) {
    const enum operation operation = take(in, 1) % OPERATIONS;
    uis_tick tick;
    s->wild |= operation >= SEND_EDITED;
    switch (operation) {
    case SEND:
    case SEND_EDITED: {
        const uint64_t size = make_record(s, in);
        if (operation == SEND_EDITED)
            edit_record(in);
        send(s, size);
        break;
    }
    case END:
        end(s, in);
        break;
    case LOOK:
        if (look(s, &tick) == 1)
            require(s->wild, "a record that nobody sent");
        break;
    case ASK:
        ask(s, in);
        break;
    case EDIT_LINK:
        edit_link(s, in);
        break;
    case EDIT_STREAM:
        edit_stream(s, in);
        break;
    case COUNT:
        s->head += (uint64_t)(int64_t)(int32_t)take(in, 4);
        __atomic_store_n(&s->link->head, s->head, __ATOMIC_RELEASE);
        break;
    case OPERATIONS:
        break;
    }
}

static void open_recorder(session *s) {
    char err[256];
    const uis_recorder_config config = {
        .width = WIDTH, .height = HEIGHT, .fps_num = 1000, .fps_den = 1, .preset = "superfast"};
    memset(s->link, 0, sizeof *s->link);
    if (uis_recorder_create_remote(&config, s->ring, &s->recorder, err, sizeof err) != 0)
        abort();
    s->link->host_pid = (uint32_t)getpid();
    s->link->host_state = UIS_HOST_READY;
    s->origin = 1000; /* long ago: every tick is due */
    if (s->recorder->kind->start(s->recorder, s->origin) != 0)
        abort();
}

static uis_ring *make_ring(void) {
    char name[64], err[256];
    uis_ring *ring;
    snprintf(name, sizeof name, "/uisplice-%d-0-link", (int)getpid());
    if (uis_ring_create(name, WIDTH, HEIGHT, 2, UIS_ENCODE_LAYER, &ring, err, sizeof err) != 0)
        abort();
    shm_unlink(name); /* nothing stays behind, however this ends */
    return ring;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uis_ring *ring; /* one for all inputs: to zero a new one would be most of the time */
    if (!ring)
        ring = make_ring();
    uint64_t link_size;
    uint8_t *link = uis_ring_link(ring, &link_size);
    session s = {.ring = ring,
                 .link = (uis_encode_link *)(void *)link,
                 .stream = link + UIS_LINK_CONTROL,
                 .stream_size = link_size - UIS_LINK_CONTROL};
    open_recorder(&s);
    input in = {data, size};
    while (in.size && s.sent < MAX_RECORDS && (s.wild || !s.over))
        step(&s, &in);
    for (uis_tick tick; s.wild && look(&s, &tick) == 1;)
        ;
    s.recorder->kind->destroy(s.recorder);
    return 0;
}
