/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slice_reader.h"

#include <stdio.h>
#include <stdlib.h>

void uis_slices_free(uis_slices *s) {
    free(s->slices);
    free(s->rbsp);
    *s = (uis_slices){0};
}

static int fail(char *err, size_t err_size, const char *text) {
    snprintf(err, err_size, "%s", text);
    return -1;
}

int uis_read_slices(const uint8_t *data, size_t size, const uis_parameters *p, uis_slices *out,
                    char *err, size_t err_size) {
    out->count = 0;
    if (out->rbsp_capacity < size) {
        uint8_t *bigger = realloc(out->rbsp, size);
        if (!bigger)
            return fail(err, err_size, "out of memory");
        out->rbsp = bigger;
        out->rbsp_capacity = size;
    }
    size_t position = 0, used = 0, nal_size;
    const uint8_t *nal;
    while (uis_next_nal(data, size, &position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        if (type != UIS_NAL_SLICE && type != UIS_NAL_IDR)
            continue;
        if (out->count == out->capacity) {
            size_t capacity = out->capacity ? out->capacity * 2 : 64;
            uis_slice *bigger = realloc(out->slices, capacity * sizeof *bigger);
            if (!bigger)
                return fail(err, err_size, "out of memory");
            out->slices = bigger;
            out->capacity = capacity;
        }
        uis_slice *s = &out->slices[out->count];
        s->rbsp_offset = used;
        s->rbsp_size = uis_unescape(nal + 1, nal_size - 1, out->rbsp + used);
        uis_bit_reader r;
        uis_bit_reader_init(&r, out->rbsp + used, s->rbsp_size);
        size_t end = uis_rbsp_payload_bits(out->rbsp + used, s->rbsp_size);
        /* A list that is longer or reordered would give ref_idx another meaning in
         * the spliced stream, whose lists are its own. */
        if (uis_parse_slice_header(&r, nal[0], p, &s->header) != 0 || r.position > end ||
            s->header.list_modified || s->header.adaptive_marking ||
            (s->header.type == UIS_SLICE_P && s->header.num_ref != 1))
            return fail(err, err_size,
                        "an encoder wrote a slice header that is not plain Baseline");
        s->data_from = r.position;
        s->data_bits = end - r.position;
        used += s->rbsp_size;
        out->count++;
    }
    return out->count ? 0 : fail(err, err_size, "an encoder wrote an access unit without slices");
}

int uis_read_parameters(const uint8_t *data, size_t size, uis_parameters *out, char *err,
                        size_t err_size) {
    *out = (uis_parameters){0};
    bool sps = false, pps = false;
    size_t position = 0, nal_size;
    const uint8_t *nal;
    while (uis_next_nal(data, size, &position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        if (type != UIS_NAL_SPS && type != UIS_NAL_PPS)
            continue;
        uint8_t *rbsp = malloc(nal_size);
        if (!rbsp)
            return fail(err, err_size, "out of memory");
        size_t n = uis_unescape(nal + 1, nal_size - 1, rbsp);
        int rc = type == UIS_NAL_SPS ? uis_parse_sps(rbsp, n, out) : uis_parse_pps(rbsp, n, out);
        free(rbsp);
        if (rc != 0)
            return fail(err, err_size, "an encoder's parameter sets are not plain Baseline");
        sps |= type == UIS_NAL_SPS;
        pps |= type == UIS_NAL_PPS;
    }
    if (!sps || !pps)
        return fail(err, err_size, "an encoder wrote no parameter sets");
    /* Order counts and how many pictures are kept do not matter: every slice must name one
     * reference, the picture before (uis_read_slices). */
    if (out->entropy_coding != 0 || out->weighted_pred != 0 || out->num_ref_frames == 0)
        return fail(err, err_size, "an encoder must code CAVLC with one plain reference");
    return 0;
}

int uis_open_encoder(const uis_encoder_backend *backend, const uis_encoder_config *config,
                     uis_encoder **out, uis_parameters *parameters, char *err, size_t err_size) {
    *out = NULL;
    if (backend->open(config, out, err, err_size) != 0)
        return -1;
    const uint8_t *data;
    size_t size;
    backend->headers(*out, &data, &size);
    if (uis_read_parameters(data, size, parameters, err, err_size) == 0)
        return 0;
    backend->close(*out);
    *out = NULL;
    return -1;
}
