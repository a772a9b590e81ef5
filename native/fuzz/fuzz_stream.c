/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as an Annex B stream, through every function that takes a whole one. */
#include "uisplice/bitstream.h"

#include <stddef.h>
#include <stdint.h>

enum { RECORDS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uis_rewrite_result result;
    uis_rewrite_stream(data, size, &result);
    uis_motion_record motion[RECORDS];
    uis_read_motion(data, size, motion, RECORDS);
    uis_sequence sequence;
    uis_nal_record records[RECORDS];
    uis_describe_stream(data, size, &sequence, records, RECORDS);
    return 0;
}
