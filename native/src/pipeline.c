/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uisplice/pipeline.h"

#include "picture_coder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct uis_pipeline {
    uis_recorder_config config;
    uis_picture_coder *coder;
    uis_buffer au;
    uint64_t *digests;
    uint8_t *map;
};

int uis_pipeline_open(const uis_recorder_config *config, uis_pipeline **out, char *err,
                      size_t err_size) {
    *out = NULL;
    int rc = uis_pipeline_check(config, err, err_size);
    if (rc != 0)
        return rc;
    uis_pipeline *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(err, err_size, "out of memory");
        return -ENOMEM;
    }
    p->config = *config;
    p->config.preset[sizeof p->config.preset - 1] = 0;
    if (uis_picture_coder_open(&p->config, &p->coder, err, err_size) != 0) {
        free(p);
        return -EINVAL;
    }
    uint32_t mbs = uis_picture_coder_mbs(p->coder);
    p->map = calloc(mbs, 1);
    p->digests = calloc(mbs, sizeof *p->digests);
    if (!p->map || !p->digests) {
        snprintf(err, err_size, "out of memory");
        uis_pipeline_close(p);
        return -ENOMEM;
    }
    *out = p;
    return 0;
}

void uis_pipeline_close(uis_pipeline *p) {
    if (!p)
        return;
    uis_picture_coder_close(p->coder);
    uis_buffer_free(&p->au);
    free(p->digests);
    free(p->map);
    free(p);
}

const char *uis_pipeline_encoder(const uis_pipeline *p) {
    return uis_picture_coder_encoder(p->coder);
}

int uis_probe_encoder(const uis_recorder_config *config, char *text, size_t text_size) {
    uis_pipeline *p;
    const int rc = uis_pipeline_open(config, &p, text, text_size);
    if (rc != 0)
        return rc;
    snprintf(text, text_size, "%s", uis_pipeline_encoder(p));
    uis_pipeline_close(p);
    return 0;
}

uint32_t uis_pipeline_mbs(const uis_pipeline *p) {
    return uis_picture_coder_mbs(p->coder);
}

void uis_pipeline_share_rows(uis_pipeline *p, uint32_t helpers, uint32_t shared_from) {
    uis_picture_coder_share_rows(p->coder, helpers, shared_from);
}

static uis_classification everything(uis_pipeline *p) {
    const uint32_t mbs = uis_picture_coder_mbs(p->coder);
    memset(p->map, 1, mbs);
    return (uis_classification){
        .tick_class = UIS_CHANGED,
        .dirty = {0, 0, (int32_t)p->config.width, (int32_t)p->config.height},
        .dirty_mbs = mbs,
        .outside_mbs = mbs,
    };
}

void uis_pipeline_request_keyframe(uis_pipeline *p) {
    uis_picture_coder_request_keyframe(p->coder);
}

void *uis_pipeline_context(const uis_pipeline *p) {
    return uis_picture_coder_context(p->coder);
}

int uis_pipeline_use_device(uis_pipeline *p, char *err, size_t err_size) {
    if (!uis_pipeline_context(p)) {
        snprintf(err, err_size, "the encoder takes pixels from host memory");
        return -1;
    }
    return uis_picture_coder_use_device(p->coder, err, err_size);
}

int uis_pipeline_use_host(uis_pipeline *p, char *err, size_t err_size) {
    return uis_picture_coder_use_host(p->coder, err, err_size);
}

static bool has_view_size(const uis_pipeline *p, const uis_image *image) {
    const bool host = image->host.pixels != NULL;
    return (host ? image->host.width : image->device.width) == p->config.width &&
           (host ? image->host.height : image->device.height) == p->config.height;
}

/* The class of the tick on which `now` came. 0 or -1. */
static int classify(uis_pipeline *p, const uis_image *now, const uis_image *before,
                    const uis_rect *damage, const uis_video_region *regions, uint32_t region_count,
                    uint64_t present_ns, uis_classification *out, char *err, size_t err_size) {
    uis_source *source = uis_picture_coder_source(p->coder);
    const uis_rect view = {0, 0, (int32_t)p->config.width, (int32_t)p->config.height};
    if (source->kind->take(source, now, before, err, err_size) != 0)
        return -1;
    if (before)
        return uis_classify(source, &view, damage, regions, region_count, present_ns, p->map, out,
                            err, err_size);
    *out = everything(p);
    return 0;
}

int uis_pipeline_tick(uis_pipeline *p, const uis_image *now, const uis_image *before,
                      const uis_rect *damage, const uis_video_region *regions,
                      uint32_t region_count, uint64_t present_ns, uis_tick *t, char *err,
                      size_t err_size) {
    t->mbs = uis_picture_coder_mbs(p->coder);
    t->tick_class = UIS_UNCHANGED;
    t->present_ns = present_ns;
    t->au = NULL;
    t->au_size = 0;
    t->digests = NULL;
    uis_classification c = {.tick_class = UIS_UNCHANGED};
    if (now) {
        if (!has_view_size(p, now) || (before && !has_view_size(p, before))) {
            snprintf(err, err_size, "a frame is not %ux%u, as the recording is", p->config.width,
                     p->config.height);
            return -1;
        }
        uint64_t begin = uis_now_ns();
        if (classify(p, now, before, damage, regions, region_count, present_ns, &c, err,
                     err_size) != 0)
            return -1;
        if (c.tick_class == UIS_VIDEO_ONLY && p->config.faults & UIS_FAULT_BAD_SHARES)
            c.tick_class = UIS_CHANGED;
        t->diff_ns = uis_now_ns() - begin;
        t->tick_class = c.tick_class;
        t->dirty_mbs = c.dirty_mbs;
        t->dirty_outside_mbs = c.outside_mbs;
        t->dirty = c.dirty;
        t->region_count = c.video_count;
        t->identical = c.tick_class == UIS_UNCHANGED;
    }
    if (c.tick_class != UIS_UNCHANGED) {
        if (uis_picture_coder_feed(p->coder, &c, p->map, t, err, err_size) != 0)
            return -1;
    } else if (!uis_picture_coder_must_code(p->coder, t->index)) {
        return 0;
    }
    p->au.size = 0;
    p->au.failed = false;
    if (uis_picture_coder_code(p->coder, &c, t, &p->au, err, err_size) != 0)
        return -1;
    /* The access unit is ready here; what follows is bookkeeping for the checks. */
    uint64_t done = uis_now_ns();
    t->latency_ns = now && before && done > present_ns ? done - present_ns : 0;
    if (uis_picture_coder_account(p->coder, t, p->digests, err, err_size) != 0)
        return -1;
    t->au = p->au.data;
    t->au_size = p->au.size;
    t->digests = p->digests;
    return 0;
}

void uis_bgra_to_i420(const uis_bgra *from, const uis_rect *area, uint8_t *y, uint8_t *u,
                      uint8_t *v) {
    uis_i420 to = {.y = y,
                   .u = u,
                   .v = v,
                   .width = (from->width + 15) / 16 * 16,
                   .height = (from->height + 15) / 16 * 16};
    to.y_stride = to.width;
    to.c_stride = to.width / 2;
    uis_convert(from, area, &to);
}
