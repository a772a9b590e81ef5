/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a configuration may be, apart from what an encoder says of it. Needs nothing of the
 * encoders, which a recorder that stands for another process's does not have. */
#include "uisplice/pipeline.h"

#include <errno.h>
#include <stdio.h>

/* MaxFS of level 6.2, the largest there is (table A-1). */
#define MAX_MACROBLOCKS 139264u
#define MAX_THREADS 16

static uint32_t macroblocks(const uis_recorder_config *c) {
    return (c->width + 15) / 16 * ((c->height + 15) / 16);
}

int uis_pipeline_check(const uis_recorder_config *c, char *err, size_t size) {
    if (c->width < 16 || c->height < 16 || c->width > 16384 || c->height > 16384 || c->width % 2 ||
        c->height % 2)
        snprintf(err, size, "the view must be even and 16x16 to 16384x16384, not %ux%u", c->width,
                 c->height);
    else if (macroblocks(c) > MAX_MACROBLOCKS)
        snprintf(err, size,
                 "a picture has at most %u macroblocks of 16x16 in H.264, and %ux%u has %u: make "
                 "the view smaller",
                 MAX_MACROBLOCKS, c->width, c->height, macroblocks(c));
    else if (!c->fps_num || !c->fps_den || c->fps_num / c->fps_den > 1000)
        snprintf(err, size, "the clock must tick 1 to 1000 times a second, not %u/%u", c->fps_num,
                 c->fps_den);
    else if (c->qp > 51)
        snprintf(err, size, "QP must be 0 to 51, not %u", c->qp);
    else if (c->splice > UIS_SPLICE_SEPARATE)
        snprintf(err, size, "the way of splicing must be 0 to %d, not %u", UIS_SPLICE_SEPARATE,
                 c->splice);
    else if (c->mode > UIS_MODE_SINGLE_VFR)
        snprintf(err, size, "the mode must be 0 to %d, not %u", UIS_MODE_SINGLE_VFR, c->mode);
    else if (c->threads > MAX_THREADS)
        snprintf(err, size, "encoder 1 has 1 to %d threads, not %u", MAX_THREADS, c->threads);
    else if (c->encoder > UIS_ENCODER_NVENC)
        snprintf(err, size, "the encoder must be 0 to %d, not %u", UIS_ENCODER_NVENC, c->encoder);
    else if (c->guard_mbs > 16)
        snprintf(err, size, "the guard must be 0 to 16 macroblocks, not %u", c->guard_mbs);
    else
        return 0;
    return -EINVAL;
}
