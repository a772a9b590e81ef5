/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "region.h"

#include <stdio.h>
#include <stdlib.h>

int uis_region_open(uis_region *r, const uis_encoder_backend *backend,
                    const uis_encoder_config *config, const uis_mb_rect *at,
                    const uis_mb_rect *core, uint32_t frame_mb_width, uint32_t frame_mb_height,
                    char *err, size_t err_size) {
    *r = (uis_region){
        .at = *at, .core = *core, .backend = backend, .threads = config->threads, .fresh = true};
    r->open = (uis_open_edges){.left = at->x == 0,
                               .top = at->y == 0,
                               .right = at->x + at->w == frame_mb_width,
                               .bottom = at->y + at->h == frame_mb_height};
    uis_encoder_config e = *config;
    e.width = at->w * 16;
    e.height = at->h * 16;
    r->constant = calloc((size_t)at->w * at->h, 1);
    if (!r->constant) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    if (uis_open_encoder(backend, &e, &r->encoder, &r->parameters, err, err_size) != 0) {
        uis_region_close(r);
        return -1;
    }
    return 0;
}

void uis_region_close(uis_region *r) {
    if (r->backend)
        r->backend->close(r->encoder);
    uis_part_free(&r->part);
    free(r->constant);
    *r = (uis_region){0};
}

void uis_region_note_changes(uis_region *r, const uint64_t *changed, uint32_t stride) {
    r->due = false;
    for (uint32_t y = 0; y < r->at.h; y++)
        for (uint32_t x = 0; x < r->at.w; x++) {
            const uint32_t px = r->at.x + x, py = r->at.y + y;
            const bool guard = !uis_mb_inside(&r->core, px, py);
            const uint64_t since = guard && r->freeze ? r->coded[0] : r->coded[1];
            const uint64_t when = changed[py * stride + px];
            r->constant[y * r->at.w + x] = since != 0 && when <= since;
            r->due |= when > r->coded[0];
        }
}

bool uis_region_border_is_constant(const uis_region *r) {
    const uint32_t w = r->at.w, h = r->at.h;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            bool border = (x == 0 && !r->open.left) || (x == w - 1 && !r->open.right) ||
                          (y == 0 && !r->open.top) || (y == h - 1 && !r->open.bottom);
            if (border &&
                (!r->constant[y * w + x] || uis_mb_inside(&r->core, r->at.x + x, r->at.y + y)))
                return false;
        }
    return true;
}

int uis_region_encode(uis_region *r, uis_source *source, uint64_t now, bool idr, bool deblock,
                      bool mb_info, char *err, size_t err_size) {
    const uis_mb_rect *at = &r->at;
    uis_encode_request request = {
        .constant = idr || !mb_info ? NULL : r->constant, .force_idr = idr, .deblock = deblock};
    uis_source_view crop;
    uis_encoded picture;
    const uint64_t begin = uis_now_ns();
    if (source->kind->view(source, UIS_PLANES_NEWEST, at, &crop, err, err_size) != 0)
        return -1;
    uis_source_request(&crop, &request);
    if (r->backend->encode(r->encoder, &request, &picture, err, err_size) != 0)
        return -1;
    const uint64_t encoded = uis_now_ns();
    if (uis_part_read(&r->part, at, &picture, &r->parameters, err, err_size) != 0)
        return -1;
    const uint64_t read = uis_now_ns();
    r->leaks = uis_count_leaks(&r->part.mbs, r->open);
    r->encode_ns = encoded - begin;
    r->read_ns = read - encoded;
    r->check_ns = uis_now_ns() - read;
    r->coded[1] = picture.idr ? 0 : r->coded[0];
    r->coded[0] = now;
    return 0;
}
