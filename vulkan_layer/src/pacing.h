/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The beat at which FIFO swapchains hand out images: origin + k * period on
 * CLOCK_MONOTONIC, in nanoseconds. One uis_pace belongs to one swapchain, whose
 * acquires the app serialises; nothing here is shared.
 */
#ifndef UIS_PACING_H
#define UIS_PACING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct uis_pace {
    uint64_t last_beat_ns; /* beat the last acquire used; 0: none yet */
} uis_pace;

typedef struct uis_beat {
    uint64_t origin_ns;
    uint64_t period_ns; /* 0: unpaced */
} uis_beat;

/* The beat an acquire at now_ns uses: the first later than the last one used.
 * Missed by less than a period (a late frame), it is still used, at once, so
 * that a slow renderer is not held to half the rate; missed by more (an idle
 * window), the next beat of the grid that is not more than a small tolerance in
 * the past. `aligned` false takes the current beat also then: for popups, which
 * must not delay the main window that shares their thread. */
uint64_t uis_pace_next(const uis_pace *pace, uis_beat beat, uint64_t now_ns, bool aligned);

/* Sleeps to the swapchain's next beat and takes it. The beat is read again at
 * least ten times a second, since the recorder may change it at any time.
 * `fallback_period_ns` counts while the ring names none; both 0: returns at
 * once. False: deadline_ns (absolute) comes first, no beat was taken. */
bool uis_pace_wait(uis_pace *pace, uint64_t fallback_period_ns, bool aligned, uint64_t deadline_ns);

/* now + timeout, saturating; UINT64_MAX stays "never". */
uint64_t uis_deadline(uint64_t timeout_ns);

#endif
