/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What presents cost the app: a histogram of durations in steps of half a microsecond (longer
 * than 8 ms: the last step), whose median and 99th percentile go to the ring's header. Adding
 * is one atomic increment; any thread may call.
 */
#ifndef UIS_PRESENT_COST_H
#define UIS_PRESENT_COST_H

#include <stdint.h>

typedef enum uis_cost_kind {
    UIS_COST_PRESENT, /* inside vkQueuePresentKHR */
    UIS_COST_COPY,    /* from there to the pixels on the GPU */
    UIS_COST_KINDS,
} uis_cost_kind;

void uis_cost_add(uis_cost_kind kind, uint64_t ns);
/* The duration that `part` (0 to 1) of those added did not exceed; 0: none yet. */
uint32_t uis_cost_percentile(uis_cost_kind kind, double part);
uint64_t uis_cost_count(uis_cost_kind kind);

#endif
