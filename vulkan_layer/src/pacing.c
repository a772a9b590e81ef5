/* SPDX-License-Identifier: GPL-2.0-or-later
 * The beat of FIFO swapchains; see pacing.h. */
#define _GNU_SOURCE
#include "pacing.h"

#include <errno.h>
#include <time.h>

#include "capture.h"
#include "uisplice/frame_ring.h"

#define TOLERANCE_NS 1000000u       /* a wake-up this late is still on the beat */
#define SHORTEST_PERIOD_NS 500000u  /* anything faster is a broken value, not a beat */
#define LONGEST_SLEEP_NS 100000000u /* then look whether the beat has changed */

uint64_t uis_deadline(uint64_t timeout_ns) {
    if (timeout_ns == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now = uis_now_ns();
    return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

/* The first beat strictly after t_ns; the origin may lie in the future. */
static uint64_t beat_after(uis_beat beat, uint64_t t_ns) {
    if (t_ns >= beat.origin_ns)
        return t_ns + beat.period_ns - (t_ns - beat.origin_ns) % beat.period_ns;
    uint64_t before = (beat.origin_ns - t_ns) % beat.period_ns;
    return t_ns + (before ? before : beat.period_ns);
}

uint64_t uis_pace_next(const uis_pace *pace, uis_beat beat, uint64_t now_ns, bool aligned) {
    if (pace->last_beat_ns) {
        uint64_t next = beat_after(beat, pace->last_beat_ns);
        if (next + beat.period_ns > now_ns)
            return next;
    }
    if (!aligned)
        return beat_after(beat, now_ns - beat.period_ns);
    uint64_t tolerance = beat.period_ns / 8 < TOLERANCE_NS ? beat.period_ns / 8 : TOLERANCE_NS;
    return beat_after(beat, now_ns - tolerance - 1);
}

static uis_beat current_beat(uint64_t fallback_period_ns) {
    uis_beat beat = uis_capture_beat();
    if (!beat.period_ns)
        beat = (uis_beat){0, fallback_period_ns};
    if (beat.period_ns && beat.period_ns < SHORTEST_PERIOD_NS)
        beat.period_ns = SHORTEST_PERIOD_NS;
    return beat;
}

bool uis_pace_wait(uis_pace *pace, uint64_t fallback_period_ns, bool aligned,
                   uint64_t deadline_ns) {
    for (;;) {
        uis_beat beat = current_beat(fallback_period_ns);
        if (!beat.period_ns)
            return true;
        uint64_t now = uis_now_ns();
        uint64_t next = uis_pace_next(pace, beat, now, aligned);
        if (next <= now) {
            pace->last_beat_ns = next;
            return true;
        }
        if (now >= deadline_ns)
            return false;
        uint64_t until = next < deadline_ns ? next : deadline_ns;
        if (until - now > LONGEST_SLEEP_NS)
            until = now + LONGEST_SLEEP_NS;
        struct timespec ts = {.tv_sec = (time_t)(until / 1000000000u),
                              .tv_nsec = (long)(until % 1000000000u)};
        /* Woken early by a signal: the loop looks at the clock again. */
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    }
}
