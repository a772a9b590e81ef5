/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as an Annex B stream, through every function that takes a whole one, and
 * once more NAL unit by NAL unit out of memory that ends where the payload does. */
#include "macroblock.h"
#include "uisplice/bitstream.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Readers of streams hold payloads in buffers as large as the stream, where reading a
 * byte too many goes unseen: here it does not. */
static void read_tightly(const uint8_t *data, size_t size) {
    uis_parameters parameters = {0};
    uis_mb_picture picture = {0};
    bool sps = false, pps = false;
    uint16_t slice = 0;
    size_t position = 0, nal_size;
    const uint8_t *nal;
    while (uis_next_nal(data, size, &position, &nal, &nal_size)) {
        uint8_t *all = malloc(nal_size);
        if (!all)
            abort();
        const size_t n = uis_unescape(nal + 1, nal_size - 1, all);
        const size_t bits = uis_rbsp_payload_bits(all, n), bytes = (bits + 7) / 8;
        const unsigned type = nal[0] & 31;
        /* Parameter sets are parsed with their trailing bits. */
        const size_t kept = type == UIS_NAL_SPS || type == UIS_NAL_PPS ? n : bytes;
        uint8_t *tight = malloc(kept ? kept : 1);
        if (!tight)
            abort();
        memcpy(tight, all, kept);
        free(all);
        uis_parameters next = parameters;
        if (type == UIS_NAL_SPS && uis_parse_sps(tight, n, &next) == 0) {
            sps = true;
            parameters = next;
            uis_mb_picture_free(&picture);
            if (uis_mb_picture_alloc(&picture, parameters.mb_width, parameters.mb_height) != 0)
                abort();
        } else if (type == UIS_NAL_PPS && uis_parse_pps(tight, n, &next) == 0) {
            pps = true;
            parameters = next;
        } else if ((type == UIS_NAL_SLICE || type == UIS_NAL_IDR) && sps && pps) {
            uis_bit_reader r = {.data = tight, .bits = bits};
            uis_slice_header h;
            if (uis_parse_slice_header(&r, nal[0], &parameters, &h) == 0) {
                const uis_slice_context context = {.first_mb = h.first_mb,
                                                   .type = h.type,
                                                   .num_ref = h.num_ref,
                                                   .qp = parameters.pic_init_qp + h.qp_delta,
                                                   .slice = slice++,
                                                   .constrained =
                                                       parameters.constrained_intra_pred};
                uis_read_macroblocks(&r, &context, &picture);
            }
        }
        free(tight);
    }
    uis_mb_picture_free(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uis_rewrite_result result;
    uis_rewrite_stream(data, size, &result);
    uis_motion_record motion[RECORDS];
    uis_read_motion(data, size, motion, RECORDS);
    uis_sequence sequence;
    uis_nal_record records[RECORDS];
    uis_describe_stream(data, size, &sequence, records, RECORDS);
    uis_mb_record macroblocks[RECORDS];
    uis_read_map(data, size, macroblocks, RECORDS);
    read_tightly(data, size);
    return 0;
}
