/* SPDX-License-Identifier: GPL-2.0-or-later
 * One encode session of NVENC: library, device, capabilities, settings, the buffer that the
 * bitstream comes in, and bounded patience with a busy encoder. Calls push the device's
 * context themselves where it says so; one thread at a time. */
#ifndef UIS_NVENC_SESSION_H
#define UIS_NVENC_SESSION_H

#include "cuda_driver.h"
#include "encoder.h"

/* How long a busy encoder is waited for, milliseconds: two pictures at 4 a second. */
enum { UIS_NVENC_PATIENCE_MS = 500 };

typedef struct uis_nvenc_session {
    uis_cuda cuda;
    NvencFunctions *library;
    NV_ENCODE_API_FUNCTION_LIST api;
    void *encoder; /* the session */
    bool initialised;
    uint32_t width, height;
    uis_encoder_limits limits;
    bool chooses_references; /* the device takes a number of active references */
    NV_ENC_OUTPUT_PTR bitstream;
    char description[256];
} uis_nvenc_session;

/* Loads the libraries, opens a session on the device, checks what it can do and initialises it.
 * The context is current while this runs. 0, or -1 with a sentence in err and nothing to close. */
int uis_nvenc_open(uis_nvenc_session *s, const uis_encoder_config *config, char *err,
                   size_t err_size);
void uis_nvenc_close(uis_nvenc_session *s); /* a zeroed one is fine; pushes the context */

/* SPS and PPS into a new buffer, which becomes the caller's. Context current. 0 or -1. */
int uis_nvenc_headers(uis_nvenc_session *s, uint8_t **data, size_t *size, char *err,
                      size_t err_size);

/* Codes a mapped input and locks its bitstream: *size bytes at *data until unlock. Context
 * current. 0 or -1. */
int uis_nvenc_encode(uis_nvenc_session *s, NV_ENC_INPUT_PTR input, NV_ENC_BUFFER_FORMAT format,
                     uint32_t pitch, bool force_idr, uint64_t number, const uint8_t **data,
                     size_t *size, char *err, size_t err_size);
int uis_nvenc_unlock(uis_nvenc_session *s, char *err, size_t err_size);

/* 0 for NV_ENC_SUCCESS, else -1 and a sentence. */
int uis_nvenc_check(const uis_nvenc_session *s, NVENCSTATUS status, const char *what, char *err,
                    size_t err_size);
#endif
