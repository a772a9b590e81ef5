/* SPDX-License-Identifier: GPL-2.0-or-later
 * NVENCSTATUS in words: name, what happened, what to do (docs/nvenc.md has the table). */
#ifndef UIS_NVENC_STATUS_H
#define UIS_NVENC_STATUS_H

#include "driver_loader.h"

/* "NV_ENC_ERR_..." of the header; "an unknown status" for one that it does not have. */
const char *uis_nvenc_status_name(NVENCSTATUS status);

/* Writes one sentence: NVENC: `what` failed: name (number): meaning; what to do. `detail` is what
 * the driver says itself; NULL or empty: nothing. */
void uis_nvenc_say(NVENCSTATUS status, const char *what, const char *detail, char *err,
                   size_t err_size);
#endif
