/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The encode link: the part of the frame ring's object through which a recorder (Python's
 * process, recorder_remote.c) drives an encoder host (the layer's process, encode_host.c).
 *
 *   [ uis_encode_link, padded to UIS_LINK_CONTROL bytes ][ bytes of the stream, a ring ]
 *
 * The stream is a sequence of records: uis_link_record, access unit, digests, without gaps.
 * `head` and `tail` count its bytes from the beginning and never wrap; each side keeps its
 * own count for itself and reads only the other's, which it checks. A record may be larger
 * than the ring: it goes through in pieces. All fields but settings are atomic.
 */
#ifndef UIS_ENCODE_LINK_H
#define UIS_ENCODE_LINK_H

#include "uisplice/recorder.h"

/* The tests stand where a host would, and read what is between the marks. */
/* cffi: begin */
#define UIS_LINK_CONTROL 8192
#define UIS_LINK_MAGIC 0x4c534955 /* "UISL" */

/* host_state: how far the host has come. */
#define UIS_HOST_NONE 0
#define UIS_HOST_OPENING 1 /* it has the role; encoders are being opened */
#define UIS_HOST_READY 2   /* the recording can start, or runs */
#define UIS_HOST_OVER 3    /* the last record is in the stream */
#define UIS_HOST_FAILED 4  /* the same, and `error` says why */

typedef struct uis_encode_link {
    /* Recorder -> host. Settings are constant once `configured` is 1; their sizes tell
     * whether both sides were built from the same headers. */
    uint32_t configured;
    uint32_t config_size, tick_size, record_size;
    uis_recorder_config config;

    uint32_t control_word;  /* futex: +1 when anything below changed, or room came */
    uint32_t abort;         /* 1: nobody wants the rest */
    uint32_t spool_wanted;  /* 1: keep frames for a tape in the file opened when attaching */
    uint32_t keyframes;     /* requests so far */
    uint64_t origin_ns;     /* as uis_recorder_start; 0: not started */
    uint64_t end_ns;        /* as uis_recorder_stop; 0: no end yet */
    uint64_t tail;          /* bytes of the stream taken */
    uint32_t pixels_wanted; /* requests so far to copy the frame held to its slot */

    /* Host -> recorder. */
    uint32_t data_word; /* futex: +1 when a record is complete, the ring full, the state new, a
                           request for pixels answered */
    uint32_t host_state;
    uint32_t host_pid;     /* who has the role; 0: nobody */
    uint32_t host_waits;   /* 1: wake me through control_word when there is room */
    uint32_t spool_open;   /* 1: it has such a file */
    uint32_t pixels_given; /* the last of those requests that was answered */
    int32_t pixels_result; /* with: 0 or a negative errno */
    uint64_t beat_ns;      /* the host was alive then */
    uint64_t head;         /* bytes of the stream written */
    uint64_t ticks;        /* records written */
    uint64_t unseen_drops;
    char error[512];
} uis_encode_link;

typedef struct uis_link_record {
    uint32_t magic;
    uint32_t digests; /* of 8 bytes, behind the access unit: a picture's macroblocks, or 0 */
    uint64_t au_size; /* bytes behind this */
    uis_tick tick;    /* its pointers mean nothing here */
} uis_link_record;
/* cffi: end */

_Static_assert(sizeof(uis_encode_link) <= UIS_LINK_CONTROL, "control words must fit their pages");

#endif
