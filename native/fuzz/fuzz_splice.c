/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as what an encoder gave, through the splicer: parameter sets, slices,
 * macroblocks, and, where those are accepted, the pictures written of them.
 *
 * Input: 6 bytes that say where the region lies and what is written, then Annex B. */
#include "splicer.h"
#include "uisplice/bitstream.h"

#include <stdlib.h>

enum { PREFIX = 6, LARGEST = 24 /* macroblocks a side */ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Offset behind the access unit that begins at `from`: the next slice whose
 * first_mb_in_slice is 0, coded as a one. */
static size_t next_access_unit(const uint8_t *data, size_t size, size_t from, bool *idr) {
    size_t position = from, nal_size;
    const uint8_t *nal;
    bool begun = false;
    *idr = false;
    while (uis_next_nal(data, size, &position, &nal, &nal_size)) {
        unsigned type = nal[0] & 31;
        if ((type != UIS_NAL_SLICE && type != UIS_NAL_IDR) || nal_size < 2)
            continue;
        if (begun && nal[1] & 0x80)
            return (size_t)(nal - data) - 3;
        begun = true;
        *idr |= type == UIS_NAL_IDR;
    }
    return size;
}

/* One slice that the splicer has written must be one that can be read. */
static void read_back(uis_splicer *s, const uis_buffer *au) {
    uis_buffer stream = {0};
    uis_append_parameter_sets(&stream, &s->format, &s->parameters);
    if (!uis_buffer_reserve(&stream, au->size))
        abort();
    for (size_t i = 0; i < au->size; i++)
        stream.data[stream.size++] = au->data[i];
    uis_rewrite_result result;
    if (uis_rewrite_stream(stream.data, stream.size, &result) != 0 || result.unreadable != 0 ||
        result.different != 0 ||
        result.macroblocks != s->parameters.mb_width * s->parameters.mb_height)
        abort();
    uis_buffer_free(&stream);
}

/* Reads a picture as the part `index`, places it and writes the picture. */
static void splice(uis_splicer *s, uis_part *part, const uis_encoded *picture,
                   const uis_parameters *encoder, const uis_mb_rect *where, uint32_t plan,
                   uis_buffer *au) {
    enum { MOST = LARGEST + 8 };
    static uint8_t owner[MOST * MOST], in_ltr0[MOST * MOST];
    char err[256];
    uint32_t slices;
    if (uis_part_read(part, where, picture, encoder, err, sizeof err) != 0)
        return;
    const uint32_t width = s->parameters.mb_width, height = s->parameters.mb_height;
    const bool whole = where->w == width && where->h == height;
    uis_placement p = {.width = width,
                       .height = height,
                       .count = 2,
                       .owner = owner,
                       .in_ltr0 = in_ltr0,
                       .deblock = plan & 1,
                       .constrained = plan >> 1 & 1,
                       .patch_limit = width * height};
    for (uint32_t i = 0; i < width * height; i++) {
        owner[i] = !whole && uis_mb_inside(where, i % width, i / width);
        in_ltr0[i] = (i * 7 + plan) % 3 != 0;
    }
    p.parts[whole ? 0 : 1] = part;
    if (whole)
        p.foreign[p.foreign_count++] = (uis_mb_rect){plan % width, plan / 2 % height, 1, 1};
    p.leaks[1] = uis_count_leaks(&part->mbs, p.open[1]);
    if (uis_place(&p) != 0)
        return;
    const uis_picture_form form = {.num_ref = p.uses_ltr0 ? 2 : 1,
                                   .reference = {UIS_LTR_SPLICED, UIS_LTR_FULL},
                                   .long_term_index = UIS_LTR_SPLICED};
    if (uis_splice_parts(s, &p, &form, au, &slices, err, sizeof err) == 0)
        read_back(s, au);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char err[256];
    uis_parameters encoder;
    if (size < PREFIX ||
        uis_read_parameters(data + PREFIX, size - PREFIX, &encoder, err, sizeof err) != 0 ||
        encoder.mb_width > LARGEST || encoder.mb_height > LARGEST)
        return 0;
    const uis_mb_rect where = {data[0] % 4, data[1] % 4, encoder.mb_width, encoder.mb_height};
    uis_parameters frame = encoder;
    frame.mb_width = where.x + where.w + data[2] % 4;
    frame.mb_height = where.y + where.h + data[3] % 4;
    const uis_stream_format format = {frame.mb_width * 16, frame.mb_height * 16, 24, 1};
    uis_splicer splicer;
    uis_splicer_init(&splicer, &format, &frame, 0);
    static uint8_t samples[LARGEST * 16 * LARGEST * 16]; /* a reconstruction to patch with */
    uis_part part = {0};
    uis_buffer au = {0};
    bool idr;
    uint32_t plan = data[4] | (uint32_t)data[5] << 8;
    for (size_t from = PREFIX, to; from < size; from = to, plan = plan >> 3 | plan << 13) {
        to = next_access_unit(data, size, from, &idr);
        const uis_encoded picture = {.data = data + from,
                                     .size = to - from,
                                     .idr = idr,
                                     .recon_y = samples,
                                     .recon_uv = samples,
                                     .recon_y_stride = LARGEST * 16,
                                     .recon_uv_stride = LARGEST * 16};
        uint32_t slices;
        au.size = 0;
        if ((plan & 7) == 7) {
            uis_splice_full(&splicer, &picture, &encoder, &au, &slices, err, sizeof err);
        } else if ((plan & 7) == 6) {
            if (uis_part_read(&part, &where, &picture, &encoder, err, sizeof err) == 0)
                uis_splice_rows(&splicer, &part, &au, &slices, err, sizeof err);
        } else {
            splice(&splicer, &part, &picture, &encoder, &where, plan, &au);
        }
    }
    uis_part_free(&part);
    uis_buffer_free(&au);
    uis_splicer_free(&splicer);
    return 0;
}
