/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nvenc_status.h"

typedef struct description {
    NVENCSTATUS status;
    const char *name, *meaning, *remedy;
} description;

#define REPORT "a bug in this program: report it with the log"
#define SESSIONS                                                                                   \
    "end other encodes (`nvidia-smi encodersessions`), record fewer videos at a time, or take "    \
    "encoder: x264"

static const description descriptions[] = {
    {NV_ENC_ERR_NO_ENCODE_DEVICE, "NV_ENC_ERR_NO_ENCODE_DEVICE", "no device can encode",
     "use a card with NVENC, or encoder: x264"},
    {NV_ENC_ERR_UNSUPPORTED_DEVICE, "NV_ENC_ERR_UNSUPPORTED_DEVICE",
     "this device has no NVENC (A100, H100 and H200 have none)",
     "choose another one with UISPLICE_CUDA_DEVICE, or take encoder: x264"},
    {NV_ENC_ERR_INVALID_ENCODERDEVICE, "NV_ENC_ERR_INVALID_ENCODERDEVICE",
     "the encoder's device is not valid", "check UISPLICE_CUDA_DEVICE and `nvidia-smi`"},
    {NV_ENC_ERR_INVALID_DEVICE, "NV_ENC_ERR_INVALID_DEVICE", "the device is not valid",
     "check UISPLICE_CUDA_DEVICE and `nvidia-smi`"},
    {NV_ENC_ERR_DEVICE_NOT_EXIST, "NV_ENC_ERR_DEVICE_NOT_EXIST",
     "the device is gone: the encoder's session is lost",
     "what was recorded is whole; look for Xid errors in dmesg, and record again"},
    {NV_ENC_ERR_INVALID_PTR, "NV_ENC_ERR_INVALID_PTR", "a pointer is not valid", REPORT},
    {NV_ENC_ERR_INVALID_EVENT, "NV_ENC_ERR_INVALID_EVENT", "an event is not valid", REPORT},
    {NV_ENC_ERR_INVALID_PARAM, "NV_ENC_ERR_INVALID_PARAM",
     "the driver takes a parameter for invalid", REPORT},
    {NV_ENC_ERR_INVALID_CALL, "NV_ENC_ERR_INVALID_CALL", "calls came in the wrong order", REPORT},
    {NV_ENC_ERR_OUT_OF_MEMORY, "NV_ENC_ERR_OUT_OF_MEMORY",
     "no memory on the device, or no session left (consumer cards allow a few)", SESSIONS},
    {NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "NV_ENC_ERR_ENCODER_NOT_INITIALIZED",
     "the encoder was not initialised", REPORT},
    {NV_ENC_ERR_UNSUPPORTED_PARAM, "NV_ENC_ERR_UNSUPPORTED_PARAM",
     "this device or driver does not support a setting", "take encoder: x264"},
    {NV_ENC_ERR_LOCK_BUSY, "NV_ENC_ERR_LOCK_BUSY", "the picture was not ready in time",
     "the device is overloaded: end other encodes"},
    {NV_ENC_ERR_NOT_ENOUGH_BUFFER, "NV_ENC_ERR_NOT_ENOUGH_BUFFER", "a buffer is too small", REPORT},
    {NV_ENC_ERR_INVALID_VERSION, "NV_ENC_ERR_INVALID_VERSION",
     "the driver does not know this version of a structure",
     "install a driver as new as the header that this was built with (docs/nvenc.md)"},
    {NV_ENC_ERR_MAP_FAILED, "NV_ENC_ERR_MAP_FAILED", "the input could not be mapped",
     "check `nvidia-smi` for free memory"},
    {NV_ENC_ERR_NEED_MORE_INPUT, "NV_ENC_ERR_NEED_MORE_INPUT",
     "the encoder holds the picture back, though reordering is off", REPORT},
    {NV_ENC_ERR_ENCODER_BUSY, "NV_ENC_ERR_ENCODER_BUSY", "the encoder took no picture in time",
     "the device is overloaded: end other encodes"},
    {NV_ENC_ERR_EVENT_NOT_REGISTERD, "NV_ENC_ERR_EVENT_NOT_REGISTERD",
     "an event was not registered", REPORT},
    {NV_ENC_ERR_GENERIC, "NV_ENC_ERR_GENERIC", "an internal error of the driver",
     "look into dmesg; a newer driver may help"},
    {NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY, "NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY",
     "the licence does not allow it: most often the limit of sessions of a consumer card",
     SESSIONS},
    {NV_ENC_ERR_UNIMPLEMENTED, "NV_ENC_ERR_UNIMPLEMENTED", "this driver does not implement it",
     "install a newer driver"},
    {NV_ENC_ERR_RESOURCE_REGISTER_FAILED, "NV_ENC_ERR_RESOURCE_REGISTER_FAILED",
     "the input's memory could not be registered", "check `nvidia-smi` for free memory"},
    {NV_ENC_ERR_RESOURCE_NOT_REGISTERED, "NV_ENC_ERR_RESOURCE_NOT_REGISTERED",
     "the input's memory was not registered", REPORT},
    {NV_ENC_ERR_RESOURCE_NOT_MAPPED, "NV_ENC_ERR_RESOURCE_NOT_MAPPED", "the input was not mapped",
     REPORT},
};

static const description *find(NVENCSTATUS status) {
    static const description unknown = {NV_ENC_ERR_GENERIC, "an unknown status",
                                        "the driver is newer than this program's header",
                                        "report it with the log"};
    for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++)
        if (descriptions[i].status == status)
            return &descriptions[i];
    return &unknown;
}

const char *uis_nvenc_status_name(NVENCSTATUS status) {
    return status == NV_ENC_SUCCESS ? "NV_ENC_SUCCESS" : find(status)->name;
}

void uis_nvenc_say(NVENCSTATUS status, const char *what, const char *detail, char *err,
                   size_t err_size) {
    const description *d = find(status);
    const bool more = detail && *detail;
    snprintf(err, err_size, "NVENC: %s failed: %s (%d): %s%s%.120s%s; %s", what, d->name,
             (int)status, d->meaning, more ? " (" : "", more ? detail : "", more ? ")" : "",
             d->remedy);
}
