/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which beat an acquire uses (vulkan_layer/src/pacing.h), as a function of times that are given:
 * on a real clock a beat is missed only when the machine is busy. Built from the layer's own
 * source. Exit status 0: all checks held.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "capture.h"
#include "pacing.h"

static int failures;

/* pacing.c asks for it when it waits; nothing waits here. */
uis_beat uis_capture_beat(void) {
    return (uis_beat){0, 0};
}

static void expect(const char *what, uis_beat beat, uint64_t last, uint64_t now, bool aligned,
                   uint64_t wanted) {
    const uis_pace pace = {.last_beat_ns = last};
    uint64_t next = uis_pace_next(&pace, beat, now, aligned);
    if (next == wanted)
        return;
    fprintf(stderr, "%s: beat %llu, not %llu\n", what, (unsigned long long)next,
            (unsigned long long)wanted);
    failures++;
}

int main(void) {
    const uint64_t ms = 1000000, p = 50 * ms;
    const uis_beat beat = {7 * ms, p}; /* beats at 7, 57, 107, 157, ... ms */
    expect("in time", beat, 107 * ms, 120 * ms, true, 157 * ms);
    expect("just in time", beat, 107 * ms, 157 * ms - 1, true, 157 * ms);
    expect("on the beat", beat, 107 * ms, 157 * ms, true, 157 * ms);
    expect("late", beat, 107 * ms, 170 * ms, true, 157 * ms);
    expect("late by all but a period", beat, 107 * ms, 207 * ms - 1, true, 157 * ms);
    expect("late by a period", beat, 107 * ms, 207 * ms, true, 207 * ms);
    expect("idle", beat, 107 * ms, 530 * ms, true, 557 * ms);
    expect("idle, a wake-up just behind a beat", beat, 107 * ms, 508 * ms, true, 507 * ms);
    expect("idle, a popup", beat, 107 * ms, 530 * ms, false, 507 * ms);
    expect("the first", beat, 0, 120 * ms, true, 157 * ms);
    expect("the first, a popup's", beat, 0, 120 * ms, false, 107 * ms);
    /* The recorder moves the beat: no beat of the old grid counts, and none is used twice. */
    expect("another grid", (uis_beat){20 * ms, p}, 107 * ms, 110 * ms, true, 120 * ms);
    expect("an origin to come", (uis_beat){1000 * ms, 300 * ms}, 107 * ms, 110 * ms, true,
           400 * ms);
    expect("an origin to come, on a beat", (uis_beat){1000 * ms, 300 * ms}, 400 * ms, 401 * ms,
           true, 700 * ms);
    /* The tolerance shrinks with the period: 1/8 of it, at most 1 ms. */
    expect("a short period", (uis_beat){0, 4 * ms}, 0, 100 * ms + 499999, true, 100 * ms);
    expect("a short period, later", (uis_beat){0, 4 * ms}, 0, 100 * ms + 500001, true, 104 * ms);
    printf("%s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
