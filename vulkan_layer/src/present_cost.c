/* SPDX-License-Identifier: GPL-2.0-or-later
 * What presents cost the app; see present_cost.h. */
#include "present_cost.h"

#define STEP_NS 500u
#define STEPS 16384u

static uint32_t steps[UIS_COST_KINDS][STEPS]; /* (atomic) */

void uis_cost_add(uis_cost_kind kind, uint64_t ns) {
    uint64_t step = ns / STEP_NS;
    __atomic_add_fetch(&steps[kind][step < STEPS ? step : STEPS - 1], 1, __ATOMIC_RELAXED);
}

uint64_t uis_cost_count(uis_cost_kind kind) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < STEPS; i++)
        count += __atomic_load_n(&steps[kind][i], __ATOMIC_RELAXED);
    return count;
}

uint32_t uis_cost_percentile(uis_cost_kind kind, double part) {
    uint64_t count = uis_cost_count(kind);
    uint64_t wanted = (uint64_t)(part * (double)count);
    if (count == 0)
        return 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        seen += __atomic_load_n(&steps[kind][i], __ATOMIC_RELAXED);
        if (seen > wanted || seen == count)
            return (i + 1) * STEP_NS;
    }
    return STEPS * STEP_NS;
}
