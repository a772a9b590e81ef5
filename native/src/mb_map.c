/* SPDX-License-Identifier: GPL-2.0-or-later
 * Tells how every macroblock of a picture was coded; see bitstream.h. */
#include "stream_walk.h"
#include "uisplice/bitstream.h"

/* LongTermPicNum of list entry `index` (8.2.4.3.2), where the header says it. */
static int8_t reference_of(const uis_slice_header *h, int index) {
    if (index < 0 || (uint32_t)index >= h->modification_count || index >= UIS_COMMANDS)
        return UIS_REFERENCE_UNNAMED;
    const uis_list_modification *m = &h->modifications[index];
    return m->idc == 2 && m->value < 16 ? (int8_t)m->value : UIS_REFERENCE_UNNAMED;
}

static uis_mb_record record_of(const uis_slice_header *h, const uis_macroblock *mb) {
    uis_mb_record record = {.kind = mb->kind, .qp = mb->qp, .reference = UIS_REFERENCE_NONE};
    if (uis_mb_is_intra(mb))
        return record;
    record.reference = reference_of(h, mb->ref[0]);
    for (int i = 1; i < 4; i++)
        if (reference_of(h, mb->ref[i]) != record.reference)
            record.reference = UIS_REFERENCE_SEVERAL;
    return record;
}

int64_t uis_read_map(const uint8_t *data, size_t size, uis_mb_record *out, size_t capacity) {
    uis_stream_walk w;
    uis_walked_nal nal;
    for (size_t i = 0; i < capacity; i++)
        out[i] = (uis_mb_record){.kind = UIS_MB_NONE, .reference = UIS_REFERENCE_NONE};
    int rc = uis_walk_begin(&w, data, size);
    while (rc == 0 && (rc = uis_walk_next(&w, &nal)) == 1) {
        rc = 0;
        if ((nal.type != UIS_NAL_SLICE && nal.type != UIS_NAL_IDR) || nal.count < 0)
            continue;
        for (size_t i = 0; i < (size_t)nal.count; i++)
            if (nal.header.first_mb + i < capacity)
                out[nal.header.first_mb + i] =
                    record_of(&nal.header, &w.picture.mbs[nal.header.first_mb + i]);
    }
    const bool known = w.sps && w.pps;
    const int64_t count = (int64_t)w.picture.width * w.picture.height;
    uis_walk_end(&w);
    return rc == 0 && known ? count : -1;
}
