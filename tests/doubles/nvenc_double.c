/* SPDX-License-Identifier: GPL-2.0-or-later
 * A double of libnvidia-encode.so.1 for tests. It exports the real entry points, fills the
 * function list, and refuses what the header does not allow: versions of structures,
 * reserved fields that are not zero, handles that are not its own, calls in the wrong order.
 * It codes with libx264, from memory that the CUDA double calls the device's (or a real
 * libcuda: then it is copied to the host first). It proves that a
 * client follows the header, and nothing about a GPU: neither speed, nor quality, nor what a
 * chip writes.
 *
 * UISPLICE_DOUBLE_FAULT=NAME[@N][/T]: something goes wrong at the Nth call of its kind since the
 * first session was opened (1), T times (from then on, always). The names are in `faults`.
 * UISPLICE_DOUBLE_MIN=WIDTHxHEIGHT: the smallest picture (145x49, as on recent cards). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

#include <libyuv.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x264.h>

#define EXPORT __attribute__((visibility("default")))
#define NAME "NVENC test double (libx264)"

enum { SESSIONS = 32, RESOURCES = 16, BUFFERS = 16 };

typedef struct resource {
    bool used, mapped;
    NV_ENC_REGISTER_RESOURCE how;
} resource;

typedef enum buffer_state { FREE, IDLE, CODED, LOCKED } buffer_state;
typedef struct buffer {
    buffer_state state;
    uint8_t *data;
    size_t size, capacity;
    uint32_t number;
    uint64_t time;
    bool idr;
    resource *input; /* what the picture in it was coded from */
} buffer;

typedef struct session {
    bool used, initialised;
    uint32_t width, height;
    x264_t *x264;
    x264_param_t param;
    uint8_t *headers; /* SPS and PPS */
    size_t header_size;
    bool headers_in_band;
    uint32_t pictures;
    uint8_t *planes; /* I420 of the input */
    resource resources[RESOURCES];
    buffer buffers[BUFFERS];
    char last[160];
} session;

static session sessions[SESSIONS];
static unsigned open_sessions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ------------------------------------------------------------------ faults */

typedef enum call { OPEN, INITIALISE, REGISTER, MAP, ENCODE, LOCK, CALLS } call;
static unsigned calls[CALLS]; /* since the first session was opened */

static const struct {
    const char *name;
    call when;
    NVENCSTATUS status;
} faults[] = {
    {"unsupported_device", OPEN, NV_ENC_ERR_UNSUPPORTED_DEVICE},
    {"no_device", OPEN, NV_ENC_ERR_NO_ENCODE_DEVICE},
    {"invalid_version", OPEN, NV_ENC_ERR_INVALID_VERSION},
    {"session_limit", OPEN, NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY},
    {"no_session", OPEN, NV_ENC_ERR_OUT_OF_MEMORY},
    {"unsupported_setting", INITIALISE, NV_ENC_ERR_UNSUPPORTED_PARAM},
    {"register_failed", REGISTER, NV_ENC_ERR_RESOURCE_REGISTER_FAILED},
    {"map_failed", MAP, NV_ENC_ERR_MAP_FAILED},
    {"session_lost", ENCODE, NV_ENC_ERR_DEVICE_NOT_EXIST},
    {"out_of_memory", ENCODE, NV_ENC_ERR_OUT_OF_MEMORY},
    {"encoder_busy", ENCODE, NV_ENC_ERR_ENCODER_BUSY},
    {"internal_error", ENCODE, NV_ENC_ERR_GENERIC},
    {"need_more_input", ENCODE, NV_ENC_ERR_NEED_MORE_INPUT},
    {"lock_busy", LOCK, NV_ENC_ERR_LOCK_BUSY},
};

/* What the fault that is asked for, if any, makes of a call. "status:N" fails a picture with
 * that number, so that every status can be seen. */
static NVENCSTATUS fault(call when) {
    char name[64];
    const char *text = getenv("UISPLICE_DOUBLE_FAULT");
    const unsigned number = ++calls[when];
    if (!text || !*text)
        return NV_ENC_SUCCESS;
    snprintf(name, sizeof name, "%s", text);
    unsigned from = 1, times = 0;
    char *slash = strchr(name, '/');
    if (slash) {
        times = (unsigned)atoi(slash + 1);
        *slash = 0;
    }
    char *at = strchr(name, '@');
    if (at) {
        from = (unsigned)atoi(at + 1);
        *at = 0;
    }
    if (number < from || (times && number >= from + times))
        return NV_ENC_SUCCESS;
    if (strncmp(name, "status:", 7) == 0)
        return when == ENCODE ? (NVENCSTATUS)atoi(name + 7) : NV_ENC_SUCCESS;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].when == when && strcmp(faults[i].name, name) == 0)
            return faults[i].status;
    return NV_ENC_SUCCESS;
}

static bool is_fault(const char *name) {
    const char *text = getenv("UISPLICE_DOUBLE_FAULT");
    return text && strcmp(text, name) == 0;
}

/* ------------------------------------------------------------------ checks */

static NVENCSTATUS refuse(session *s, NVENCSTATUS status, const char *why) {
    if (s)
        snprintf(s->last, sizeof s->last, "%s", why);
    return status;
}

/* The session behind a handle; NULL: it is none of ours. */
static session *find(void *encoder) {
    session *s = encoder;
    return s >= sessions && s < sessions + SESSIONS && s->used &&
                   ((char *)s - (char *)sessions) % sizeof *s == 0
               ? s
               : NULL;
}

#define SESSION(encoder)                                                                           \
    session *s = find(encoder);                                                                    \
    if (!s)                                                                                        \
    return NV_ENC_ERR_INVALID_ENCODERDEVICE
#define INITIALISED(encoder)                                                                       \
    SESSION(encoder);                                                                              \
    if (!s->initialised)                                                                           \
    return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "NvEncInitializeEncoder comes first")
#define POINTER(p)                                                                                 \
    if (!(p))                                                                                      \
    return refuse(s, NV_ENC_ERR_INVALID_PTR, #p " is NULL")
#define VERSION(p, expected)                                                                       \
    if ((p)->version != (expected))                                                                \
    return refuse(s, NV_ENC_ERR_INVALID_VERSION, #p "->version is not " #expected)
#define REQUIRE(condition, status)                                                                 \
    if (!(condition))                                                                              \
    return refuse(s, (status), "not so: " #condition)

static bool is_zero(const void *p, size_t size) {
    const uint8_t *byte = p;
    for (size_t i = 0; i < size; i++)
        if (byte[i])
            return false;
    return true;
}

/* Everything that is not named is reserved, whatever a newer header calls it: `type rest` is a
 * copy of *p in which the statements of `named` set what is known to zero. */
#define RESERVED(type, p, named)                                                                   \
    do {                                                                                           \
        type rest;                                                                                 \
        memcpy(&rest, (p), sizeof rest);                                                           \
        rest.version = 0;                                                                          \
        named;                                                                                     \
        if (!is_zero(&rest, sizeof rest))                                                          \
            return refuse(s, NV_ENC_ERR_INVALID_PARAM, "a reserved field of " #type " is not 0");  \
    } while (0)

static bool same(const GUID *a, const GUID *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool is_h264(GUID codec) {
    return same(&codec, &NV_ENC_CODEC_H264_GUID);
}
#define H264(codec) REQUIRE(is_h264(codec), NV_ENC_ERR_INVALID_PARAM)

/* ----------------------------------------------------------------- queries */

static const GUID *const presets[] = {
    &NV_ENC_PRESET_P1_GUID, &NV_ENC_PRESET_P2_GUID, &NV_ENC_PRESET_P3_GUID, &NV_ENC_PRESET_P4_GUID,
    &NV_ENC_PRESET_P5_GUID, &NV_ENC_PRESET_P6_GUID, &NV_ENC_PRESET_P7_GUID};
static const char *const x264_presets[] = {"ultrafast", "superfast", "veryfast", "fast",
                                           "medium",    "slow",      "slower"};
enum { PRESETS = sizeof presets / sizeof *presets };

static int preset_number(const GUID *preset) {
    for (int i = 0; i < PRESETS; i++)
        if (same(preset, presets[i]))
            return i;
    return -1;
}

static NVENCSTATUS fill(session *s, const GUID *const *from, uint32_t count, GUID *to,
                        uint32_t size, uint32_t *filled) {
    POINTER(to);
    POINTER(filled);
    *filled = count < size ? count : size;
    for (uint32_t i = 0; i < *filled; i++)
        to[i] = *from[i];
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_guid_count(void *encoder, uint32_t *count) {
    SESSION(encoder);
    POINTER(count);
    *count = 1;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_guids(void *encoder, GUID *guids, uint32_t size, uint32_t *count) {
    SESSION(encoder);
    static const GUID *const all[] = {&NV_ENC_CODEC_H264_GUID};
    return fill(s, all, 1, guids, size, count);
}

static NVENCSTATUS NVENCAPI get_profile_count(void *encoder, GUID codec, uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    POINTER(count);
    *count = 1;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_profiles(void *encoder, GUID codec, GUID *guids, uint32_t size,
                                         uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    static const GUID *const all[] = {&NV_ENC_H264_PROFILE_BASELINE_GUID};
    return fill(s, all, 1, guids, size, count);
}

static NVENCSTATUS NVENCAPI get_preset_count(void *encoder, GUID codec, uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    POINTER(count);
    *count = PRESETS;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_presets(void *encoder, GUID codec, GUID *guids, uint32_t size,
                                        uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    return fill(s, presets, PRESETS, guids, size, count);
}

static const NV_ENC_BUFFER_FORMAT formats[] = {NV_ENC_BUFFER_FORMAT_NV12,
                                               NV_ENC_BUFFER_FORMAT_ARGB};
enum { FORMATS = sizeof formats / sizeof *formats };

static NVENCSTATUS NVENCAPI get_format_count(void *encoder, GUID codec, uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    POINTER(count);
    *count = FORMATS;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_formats(void *encoder, GUID codec, NV_ENC_BUFFER_FORMAT *out,
                                        uint32_t size, uint32_t *count) {
    SESSION(encoder);
    H264(codec);
    POINTER(out);
    POINTER(count);
    *count = size < FORMATS ? size : FORMATS;
    memcpy(out, formats, *count * sizeof *out);
    return NV_ENC_SUCCESS;
}

static void smallest(int *width, int *height) {
    const char *text = getenv("UISPLICE_DOUBLE_MIN");
    if (!text || sscanf(text, "%dx%d", width, height) != 2) {
        *width = 145;
        *height = 49;
    }
}

static int capability(NV_ENC_CAPS what) {
    int width, height;
    smallest(&width, &height);
    switch (what) {
    case NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES:
        return NV_ENC_PARAMS_RC_VBR | NV_ENC_PARAMS_RC_CBR;
    case NV_ENC_CAPS_LEVEL_MAX:
        return NV_ENC_LEVEL_H264_62;
    case NV_ENC_CAPS_WIDTH_MIN:
        return width;
    case NV_ENC_CAPS_HEIGHT_MIN:
        return height;
    case NV_ENC_CAPS_WIDTH_MAX:
    case NV_ENC_CAPS_HEIGHT_MAX:
        return 4096;
    case NV_ENC_CAPS_MB_NUM_MAX:
        return 65536;
    case NV_ENC_CAPS_SUPPORT_MULTIPLE_REF_FRAMES:
        return 1;
    default:
        return 0;
    }
}

static NVENCSTATUS NVENCAPI get_caps(void *encoder, GUID codec, NV_ENC_CAPS_PARAM *p, int *value) {
    SESSION(encoder);
    H264(codec);
    POINTER(p);
    POINTER(value);
    VERSION(p, NV_ENC_CAPS_PARAM_VER);
    RESERVED(NV_ENC_CAPS_PARAM, p, rest.capsToQuery = 0);
    REQUIRE(p->capsToQuery >= 0 && p->capsToQuery < NV_ENC_CAPS_EXPOSED_COUNT,
            NV_ENC_ERR_INVALID_PARAM);
    *value = capability(p->capsToQuery);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_preset_config(void *encoder, GUID codec, GUID preset,
                                              NV_ENC_TUNING_INFO tuning, NV_ENC_PRESET_CONFIG *p) {
    SESSION(encoder);
    H264(codec);
    POINTER(p);
    VERSION(p, NV_ENC_PRESET_CONFIG_VER);
    VERSION(&p->presetCfg, NV_ENC_CONFIG_VER);
    RESERVED(NV_ENC_PRESET_CONFIG, p, rest.presetCfg = (NV_ENC_CONFIG){0});
    REQUIRE(preset_number(&preset) >= 0, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(tuning > NV_ENC_TUNING_INFO_UNDEFINED && tuning < NV_ENC_TUNING_INFO_COUNT,
            NV_ENC_ERR_INVALID_PARAM);
    /* Not what a client wants, so that one which trusts it is seen. */
    memset(&p->presetCfg, 0, sizeof p->presetCfg);
    p->presetCfg.version = NV_ENC_CONFIG_VER;
    p->presetCfg.profileGUID = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
    p->presetCfg.gopLength = 30;
    p->presetCfg.frameIntervalP = 1;
    p->presetCfg.frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    p->presetCfg.rcParams.version = NV_ENC_RC_PARAMS_VER;
    p->presetCfg.rcParams.rateControlMode = NV_ENC_PARAMS_RC_CBR;
    p->presetCfg.rcParams.enableAQ = 1;
    p->presetCfg.encodeCodecConfig.h264Config.idrPeriod = 30;
    p->presetCfg.encodeCodecConfig.h264Config.maxNumRefFrames = 4;
    p->presetCfg.encodeCodecConfig.h264Config.chromaFormatIDC = 1;
    return NV_ENC_SUCCESS;
}

/* ---------------------------------------------------------------- sessions */

static NVENCSTATUS NVENCAPI open_session(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS *p, void **encoder) {
    session *s = NULL;
    POINTER(p);
    POINTER(encoder);
    VERSION(p, NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER);
    REQUIRE(p->apiVersion == NVENCAPI_VERSION, NV_ENC_ERR_INVALID_VERSION);
    RESERVED(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS, p, {
        rest.deviceType = 0;
        rest.device = NULL;
        rest.apiVersion = 0;
    });
    REQUIRE(p->deviceType == NV_ENC_DEVICE_TYPE_CUDA, NV_ENC_ERR_UNSUPPORTED_DEVICE);
    REQUIRE(p->device, NV_ENC_ERR_INVALID_DEVICE);
    pthread_mutex_lock(&lock);
    if (open_sessions == 0)
        memset(calls, 0, sizeof calls);
    const NVENCSTATUS failed = fault(OPEN);
    for (int i = 0; failed == NV_ENC_SUCCESS && i < SESSIONS && !s; i++)
        if (!sessions[i].used) {
            s = &sessions[i];
            memset(s, 0, sizeof *s);
            s->used = true;
            open_sessions++;
        }
    pthread_mutex_unlock(&lock);
    if (failed != NV_ENC_SUCCESS)
        return failed;
    if (!s)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    *encoder = s;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI destroy(void *encoder) {
    SESSION(encoder);
    bool left = false;
    for (int i = 0; i < RESOURCES; i++)
        left |= s->resources[i].used;
    for (int i = 0; i < BUFFERS; i++) {
        left |= s->buffers[i].state != FREE;
        free(s->buffers[i].data);
    }
    if (s->x264)
        x264_encoder_close(s->x264);
    free(s->headers);
    free(s->planes);
    pthread_mutex_lock(&lock);
    memset(s, 0, sizeof *s);
    open_sessions--;
    pthread_mutex_unlock(&lock);
    return left ? NV_ENC_ERR_INVALID_CALL : NV_ENC_SUCCESS;
}

static NVENCSTATUS check_config(session *s, const NV_ENC_CONFIG *c) {
    POINTER(c);
    VERSION(c, NV_ENC_CONFIG_VER);
    VERSION(&c->rcParams, NV_ENC_RC_PARAMS_VER);
    RESERVED(NV_ENC_CONFIG, c, {
        rest.profileGUID = (GUID){0};
        rest.gopLength = 0;
        rest.frameIntervalP = 0;
        rest.frameFieldMode = 0;
        rest.mvPrecision = 0;
        memset(&rest.rcParams, 0, sizeof rest.rcParams);
        memset(&rest.encodeCodecConfig, 0, sizeof rest.encodeCodecConfig);
    });
    RESERVED(NV_ENC_RC_PARAMS, &c->rcParams, {
        rest.rateControlMode = 0;
        rest.constQP = (NV_ENC_QP){0};
        rest.zeroReorderDelay = 0;
    });
    REQUIRE(same(&c->profileGUID, &NV_ENC_H264_PROFILE_BASELINE_GUID),
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(c->gopLength == NVENC_INFINITE_GOPLENGTH && c->frameIntervalP == 1,
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(c->frameFieldMode == NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME,
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(c->rcParams.rateControlMode == NV_ENC_PARAMS_RC_CONSTQP, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(c->rcParams.constQP.qpInterP <= 51 && c->rcParams.constQP.qpIntra <= 51,
            NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(c->rcParams.constQP.qpInterP == c->rcParams.constQP.qpIntra,
            NV_ENC_ERR_UNSUPPORTED_PARAM); /* libx264's are a factor apart */
    const NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
    REQUIRE(h->entropyCodingMode == NV_ENC_H264_ENTROPY_CODING_MODE_CAVLC,
            NV_ENC_ERR_INVALID_PARAM); /* Baseline has no CABAC */
    REQUIRE(h->adaptiveTransformMode != NV_ENC_H264_ADAPTIVE_TRANSFORM_ENABLE,
            NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(h->idrPeriod == NVENC_INFINITE_GOPLENGTH, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(h->disableDeblockingFilterIDC <= 1, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(h->sliceMode == 0, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(h->chromaFormatIDC == 1, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(h->maxNumRefFrames == 1, NV_ENC_ERR_UNSUPPORTED_PARAM);
    struct { /* for RESERVED, which wants a version */
        uint32_t version;
        NV_ENC_CONFIG_H264 h;
    } wrapped;
    memset(&wrapped, 0, sizeof wrapped);
    memcpy(&wrapped.h, h, sizeof wrapped.h);
    wrapped.h.entropyCodingMode = 0;
    wrapped.h.adaptiveTransformMode = 0;
    wrapped.h.fmoMode = 0;
    wrapped.h.bdirectMode = 0;
    wrapped.h.level = 0;
    wrapped.h.idrPeriod = 0;
    wrapped.h.disableDeblockingFilterIDC = 0;
    wrapped.h.useConstrainedIntraPred = 0;
    wrapped.h.sliceModeData = 0;
    wrapped.h.chromaFormatIDC = 0;
    wrapped.h.maxNumRefFrames = 0;
    wrapped.h.numRefL0 = 0;
    wrapped.h.disableSPSPPS = 0;
    REQUIRE(is_zero(&wrapped, sizeof wrapped), NV_ENC_ERR_UNSUPPORTED_PARAM);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS open_x264(session *s, const NV_ENC_INITIALIZE_PARAMS *p, int preset) {
    const NV_ENC_CONFIG *c = p->encodeConfig;
    const NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
    x264_param_t *x = &s->param;
    REQUIRE(x264_param_default_preset(x, x264_presets[preset], "zerolatency") == 0,
            NV_ENC_ERR_GENERIC);
    x->i_log_level = X264_LOG_NONE;
    x->i_csp = X264_CSP_I420;
    x->i_width = (int)p->encodeWidth;
    x->i_height = (int)p->encodeHeight;
    x->i_fps_num = p->frameRateNum;
    x->i_fps_den = p->frameRateDen;
    x->b_vfr_input = 0;
    x->i_threads = 1;
    x->i_slice_max_mbs = (int)h->sliceModeData;
    x->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    x->i_scenecut_threshold = 0;
    x->i_frame_reference = (int)h->maxNumRefFrames;
    x->i_bframe = 0;
    x->b_cabac = 0;
    x->rc.i_rc_method = X264_RC_CQP;
    x->rc.i_qp_constant = (int)c->rcParams.constQP.qpInterP;
    x->rc.f_ip_factor = 1.0f;
    x->rc.i_aq_mode = X264_AQ_NONE;
    x->rc.b_mb_tree = 0;
    x->b_deblocking_filter = h->disableDeblockingFilterIDC == 0;
    x->b_constrained_intra = (int)h->useConstrainedIntraPred;
    x->analyse.i_weighted_pred = X264_WEIGHTP_NONE;
    x->b_repeat_headers = 0;
    x->b_annexb = 1;
    x->b_aud = 0;
    REQUIRE(x264_param_apply_profile(x, "baseline") == 0, NV_ENC_ERR_GENERIC);
    s->x264 = x264_encoder_open(x);
    REQUIRE(s->x264, NV_ENC_ERR_OUT_OF_MEMORY);
    x264_nal_t *nals;
    int count;
    REQUIRE(x264_encoder_headers(s->x264, &nals, &count) > 0 && count >= 2, NV_ENC_ERR_GENERIC);
    s->header_size = (size_t)(nals[0].i_payload + nals[1].i_payload); /* without libx264's SEI */
    s->headers = malloc(s->header_size);
    s->planes = malloc((size_t)p->encodeWidth * p->encodeHeight * 3 / 2);
    REQUIRE(s->headers && s->planes, NV_ENC_ERR_OUT_OF_MEMORY);
    memcpy(s->headers, nals[0].p_payload, s->header_size);
    s->headers_in_band = !h->disableSPSPPS;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI initialise(void *encoder, NV_ENC_INITIALIZE_PARAMS *p) {
    SESSION(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_INITIALIZE_PARAMS_VER);
    REQUIRE(!s->initialised, NV_ENC_ERR_INVALID_CALL);
    RESERVED(NV_ENC_INITIALIZE_PARAMS, p, {
        rest.encodeGUID = rest.presetGUID = (GUID){0};
        rest.encodeWidth = rest.encodeHeight = rest.darWidth = rest.darHeight = 0;
        rest.frameRateNum = rest.frameRateDen = 0;
        rest.enableEncodeAsync = rest.enablePTD = 0;
        rest.encodeConfig = NULL;
        rest.tuningInfo = 0;
    });
    H264(p->encodeGUID);
    const int preset = preset_number(&p->presetGUID);
    REQUIRE(preset >= 0, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->tuningInfo > NV_ENC_TUNING_INFO_UNDEFINED &&
                p->tuningInfo < NV_ENC_TUNING_INFO_COUNT,
            NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(!p->enableEncodeAsync, NV_ENC_ERR_UNSUPPORTED_PARAM); /* Windows only */
    REQUIRE(p->enablePTD, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->frameRateNum && p->frameRateDen, NV_ENC_ERR_INVALID_PARAM);
    int width, height;
    smallest(&width, &height);
    REQUIRE(p->encodeWidth >= (uint32_t)width && p->encodeHeight >= (uint32_t)height &&
                p->encodeWidth <= 4096 && p->encodeHeight <= 4096,
            NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(p->encodeWidth % 2 == 0 && p->encodeHeight % 2 == 0, NV_ENC_ERR_INVALID_PARAM);
    NVENCSTATUS status = check_config(s, p->encodeConfig);
    if (status == NV_ENC_SUCCESS)
        status = fault(INITIALISE);
    if (status == NV_ENC_SUCCESS)
        status = open_x264(s, p, preset);
    if (status != NV_ENC_SUCCESS)
        return status;
    s->width = p->encodeWidth;
    s->height = p->encodeHeight;
    s->initialised = true;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI get_sequence_params(void *encoder, NV_ENC_SEQUENCE_PARAM_PAYLOAD *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER);
    RESERVED(NV_ENC_SEQUENCE_PARAM_PAYLOAD, p, {
        rest.inBufferSize = 0;
        rest.spsppsBuffer = NULL;
        rest.outSPSPPSPayloadSize = NULL;
    });
    POINTER(p->spsppsBuffer);
    POINTER(p->outSPSPPSPayloadSize);
    REQUIRE(p->spsId == 0 && p->ppsId == 0, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->inBufferSize >= s->header_size, NV_ENC_ERR_NOT_ENOUGH_BUFFER);
    memcpy(p->spsppsBuffer, s->headers, s->header_size);
    *p->outSPSPPSPayloadSize = (uint32_t)s->header_size;
    return NV_ENC_SUCCESS;
}

/* --------------------------------------------------------- input and output */

/* Bytes of a row of `format`. */
static uint32_t row_of(NV_ENC_BUFFER_FORMAT format, uint32_t width) {
    return format == NV_ENC_BUFFER_FORMAT_ARGB ? width * 4 : width;
}

static NVENCSTATUS NVENCAPI register_resource(void *encoder, NV_ENC_REGISTER_RESOURCE *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_REGISTER_RESOURCE_VER);
    RESERVED(NV_ENC_REGISTER_RESOURCE, p, {
        rest.resourceType = 0;
        rest.width = rest.height = rest.pitch = 0;
        rest.resourceToRegister = NULL;
        rest.registeredResource = NULL;
        rest.bufferFormat = 0;
        rest.bufferUsage = 0;
    });
    POINTER(p->resourceToRegister);
    REQUIRE(p->resourceType == NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->bufferUsage == NV_ENC_INPUT_IMAGE, NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->bufferFormat == NV_ENC_BUFFER_FORMAT_NV12 ||
                p->bufferFormat == NV_ENC_BUFFER_FORMAT_ARGB,
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    REQUIRE(p->width == s->width && p->height == s->height, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(p->pitch % 4 == 0 && p->pitch >= row_of(p->bufferFormat, p->width),
            NV_ENC_ERR_INVALID_PARAM);
    const NVENCSTATUS failed = fault(REGISTER);
    if (failed != NV_ENC_SUCCESS)
        return failed;
    for (int i = 0; i < RESOURCES; i++)
        if (!s->resources[i].used) {
            s->resources[i] = (resource){.used = true, .how = *p};
            p->registeredResource = &s->resources[i];
            return NV_ENC_SUCCESS;
        }
    return NV_ENC_ERR_RESOURCE_REGISTER_FAILED;
}

/* The resource behind a handle, which is also what it is mapped to. */
static resource *find_resource(session *s, const void *handle) {
    for (int i = 0; i < RESOURCES; i++)
        if (handle == &s->resources[i] && s->resources[i].used)
            return &s->resources[i];
    return NULL;
}

static buffer *find_buffer(session *s, const void *handle) {
    for (int i = 0; i < BUFFERS; i++)
        if (handle == &s->buffers[i] && s->buffers[i].state != FREE)
            return &s->buffers[i];
    return NULL;
}

static NVENCSTATUS NVENCAPI unregister_resource(void *encoder, NV_ENC_REGISTERED_PTR handle) {
    INITIALISED(encoder);
    resource *r = find_resource(s, handle);
    REQUIRE(r, NV_ENC_ERR_RESOURCE_NOT_REGISTERED);
    REQUIRE(!r->mapped, NV_ENC_ERR_INVALID_CALL);
    *r = (resource){0};
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI map_input(void *encoder, NV_ENC_MAP_INPUT_RESOURCE *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_MAP_INPUT_RESOURCE_VER);
    RESERVED(NV_ENC_MAP_INPUT_RESOURCE, p, {
        rest.registeredResource = NULL;
        rest.mappedResource = NULL;
        rest.mappedBufferFmt = 0;
    });
    resource *r = find_resource(s, p->registeredResource);
    REQUIRE(r, NV_ENC_ERR_RESOURCE_NOT_REGISTERED);
    REQUIRE(!r->mapped, NV_ENC_ERR_MAP_FAILED);
    const NVENCSTATUS failed = fault(MAP);
    if (failed != NV_ENC_SUCCESS)
        return failed;
    r->mapped = true;
    p->mappedResource = r;
    p->mappedBufferFmt = r->how.bufferFormat;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI unmap_input(void *encoder, NV_ENC_INPUT_PTR handle) {
    INITIALISED(encoder);
    resource *r = find_resource(s, handle);
    REQUIRE(r && r->mapped, NV_ENC_ERR_RESOURCE_NOT_MAPPED);
    for (int i = 0; i < BUFFERS; i++) /* its picture must have been read */
        REQUIRE(s->buffers[i].state != CODED || s->buffers[i].input != r, NV_ENC_ERR_INVALID_CALL);
    r->mapped = false;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI create_bitstream(void *encoder, NV_ENC_CREATE_BITSTREAM_BUFFER *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_CREATE_BITSTREAM_BUFFER_VER);
    RESERVED(NV_ENC_CREATE_BITSTREAM_BUFFER, p, rest.bitstreamBuffer = NULL);
    for (int i = 0; i < BUFFERS; i++)
        if (s->buffers[i].state == FREE) {
            s->buffers[i].state = IDLE;
            p->bitstreamBuffer = &s->buffers[i];
            return NV_ENC_SUCCESS;
        }
    return NV_ENC_ERR_OUT_OF_MEMORY;
}

static NVENCSTATUS NVENCAPI destroy_bitstream(void *encoder, NV_ENC_OUTPUT_PTR handle) {
    INITIALISED(encoder);
    buffer *b = find_buffer(s, handle);
    REQUIRE(b, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(b->state != LOCKED, NV_ENC_ERR_INVALID_CALL);
    free(b->data);
    *b = (buffer){0};
    return NV_ENC_SUCCESS;
}

/* ------------------------------------------------------------------ coding */

static bool put(buffer *b, const uint8_t *data, size_t size) {
    if (b->capacity < b->size + size) {
        uint8_t *bigger = realloc(b->data, b->size + size);
        if (!bigger)
            return false;
        b->data = bigger;
        b->capacity = b->size + size;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return true;
}

/* Where the host can read a registered picture: as it lies, if the CUDA double plays its device;
 * from a real one (the context is current) a copy, which *copy frees. NULL: it cannot. */
static const uint8_t *readable(const session *s, const resource *from, uint8_t **copy) {
    const char *chosen = getenv("UISPLICE_CUDA_LIBRARY");
    void *cuda = dlopen(chosen && *chosen ? chosen : "libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (!cuda || dlsym(cuda, "uisplice_double_name")) {
        if (cuda)
            dlclose(cuda);
        return from->how.resourceToRegister;
    }
    const bool nv12 = from->how.bufferFormat != NV_ENC_BUFFER_FORMAT_ARGB;
    const size_t rows = nv12 ? (size_t)s->height * 3 / 2 : s->height;
    tcuMemcpy2D_v2 *memcpy_2d;
    *(void **)&memcpy_2d = dlsym(cuda, "cuMemcpy2D_v2");
    *copy = malloc(from->how.pitch * rows);
    const CUDA_MEMCPY2D how = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                               .srcDevice = (CUdeviceptr)(uintptr_t)from->how.resourceToRegister,
                               .srcPitch = from->how.pitch,
                               .dstMemoryType = CU_MEMORYTYPE_HOST,
                               .dstHost = *copy,
                               .dstPitch = from->how.pitch,
                               .WidthInBytes = nv12 ? s->width : (size_t)s->width * 4,
                               .Height = rows};
    const bool there = *copy && memcpy_2d && memcpy_2d(&how) == CUDA_SUCCESS;
    dlclose(cuda);
    return there ? *copy : NULL;
}

static bool load(session *s, const resource *from) {
    const int width = (int)s->width, height = (int)s->height, pitch = (int)from->how.pitch;
    uint8_t *copy = NULL;
    const uint8_t *pixels = readable(s, from, &copy);
    if (!pixels) {
        free(copy);
        return false;
    }
    uint8_t *u = s->planes + (size_t)width * s->height, *v = u + (size_t)width * s->height / 4;
    if (from->how.bufferFormat == NV_ENC_BUFFER_FORMAT_ARGB)
        ARGBToI420(pixels, pitch, s->planes, width, u, width / 2, v, width / 2, width, height);
    else
        NV12ToI420(pixels, pitch, pixels + (size_t)pitch * s->height, pitch, s->planes, width, u,
                   width / 2, v, width / 2, width, height);
    free(copy);
    return true;
}

static NVENCSTATUS NVENCAPI encode(void *encoder, NV_ENC_PIC_PARAMS *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_PIC_PARAMS_VER);
    RESERVED(NV_ENC_PIC_PARAMS, p, {
        rest.inputWidth = rest.inputHeight = rest.inputPitch = 0;
        rest.encodePicFlags = rest.frameIdx = 0;
        rest.inputTimeStamp = rest.inputDuration = 0;
        rest.inputBuffer = NULL;
        rest.outputBitstream = NULL;
        rest.bufferFmt = 0;
        rest.pictureStruct = 0;
        rest.pictureType = 0;
    });
    resource *r = find_resource(s, p->inputBuffer);
    REQUIRE(r && r->mapped, NV_ENC_ERR_RESOURCE_NOT_MAPPED);
    buffer *b = find_buffer(s, p->outputBitstream);
    REQUIRE(b, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(b->state == IDLE, NV_ENC_ERR_INVALID_CALL); /* read and unlocked */
    REQUIRE(p->bufferFmt == r->how.bufferFormat, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(p->inputWidth == s->width && p->inputHeight == s->height, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(p->inputPitch == r->how.pitch, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(p->pictureStruct == NV_ENC_PIC_STRUCT_FRAME, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE((p->encodePicFlags & ~(uint32_t)NV_ENC_PIC_FLAG_FORCEIDR) == 0,
            NV_ENC_ERR_UNSUPPORTED_PARAM);
    const NVENCSTATUS failed = fault(ENCODE);
    if (failed != NV_ENC_SUCCESS)
        return failed;
    REQUIRE(load(s, r), NV_ENC_ERR_GENERIC);
    const int width = (int)s->width;
    x264_picture_t in, out;
    x264_picture_init(&in);
    in.i_type = p->encodePicFlags & NV_ENC_PIC_FLAG_FORCEIDR ? X264_TYPE_IDR : X264_TYPE_AUTO;
    in.i_pts = s->pictures;
    in.img.i_csp = X264_CSP_I420;
    in.img.i_plane = 3;
    in.img.plane[0] = s->planes;
    in.img.plane[1] = s->planes + (size_t)width * s->height;
    in.img.plane[2] = in.img.plane[1] + (size_t)width * s->height / 4;
    in.img.i_stride[0] = width;
    in.img.i_stride[1] = in.img.i_stride[2] = width / 2;
    x264_nal_t *nals;
    int count;
    const int size = x264_encoder_encode(s->x264, &nals, &count, &in, &out);
    REQUIRE(size > 0, NV_ENC_ERR_GENERIC);
    b->size = 0;
    b->idr = out.b_keyframe != 0;
    if ((b->idr && s->headers_in_band && !put(b, s->headers, s->header_size)) ||
        !put(b, nals[0].p_payload, (size_t)size))
        return NV_ENC_ERR_OUT_OF_MEMORY;
    b->number = p->frameIdx;
    b->time = p->inputTimeStamp;
    b->input = r;
    b->state = CODED;
    s->pictures++;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI lock_bitstream(void *encoder, NV_ENC_LOCK_BITSTREAM *p) {
    INITIALISED(encoder);
    POINTER(p);
    VERSION(p, NV_ENC_LOCK_BITSTREAM_VER);
    RESERVED(NV_ENC_LOCK_BITSTREAM, p, {
        rest.doNotWait = 0;
        rest.outputBitstream = NULL;
    });
    buffer *b = find_buffer(s, p->outputBitstream);
    REQUIRE(b, NV_ENC_ERR_INVALID_PARAM);
    REQUIRE(b->state == CODED, NV_ENC_ERR_INVALID_CALL);
    const NVENCSTATUS failed = fault(LOCK);
    if (failed != NV_ENC_SUCCESS)
        return failed;
    b->state = LOCKED;
    p->frameIdx = b->number;
    p->outputTimeStamp = b->time;
    p->bitstreamBufferPtr = b->data;
    p->bitstreamSizeInBytes = (uint32_t)b->size;
    p->pictureType = b->idr ? NV_ENC_PIC_TYPE_IDR : NV_ENC_PIC_TYPE_P;
    p->pictureStruct = NV_ENC_PIC_STRUCT_FRAME;
    p->frameAvgQP = (uint32_t)s->param.rc.i_qp_constant;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI unlock_bitstream(void *encoder, NV_ENC_OUTPUT_PTR handle) {
    INITIALISED(encoder);
    buffer *b = find_buffer(s, handle);
    REQUIRE(b && b->state == LOCKED, NV_ENC_ERR_INVALID_CALL);
    /* What a client keeps a pointer to is not what it read. */
    memset(b->data, 0xdb, b->size);
    b->state = IDLE;
    return NV_ENC_SUCCESS;
}

static const char *NVENCAPI last_error(void *encoder) {
    const session *s = find(encoder);
    return s ? s->last : "no session";
}

/* ------------------------------------------------------------ entry points */

EXPORT const char *uisplice_double_name(void);
const char *uisplice_double_name(void) {
    return NAME;
}

EXPORT NVENCSTATUS NVENCAPI NvEncodeAPIGetMaxSupportedVersion(uint32_t *version) {
    if (!version)
        return NV_ENC_ERR_INVALID_PTR;
    *version = NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION;
    if (is_fault("wrong_version"))
        *version = 8 << 4 | 1;
    return NV_ENC_SUCCESS;
}

EXPORT NVENCSTATUS NVENCAPI NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *list) {
    session *s = NULL;
    POINTER(list);
    VERSION(list, NV_ENCODE_API_FUNCTION_LIST_VER);
    REQUIRE(list->reserved == 0, NV_ENC_ERR_INVALID_PARAM);
    *list = (NV_ENCODE_API_FUNCTION_LIST){
        .version = NV_ENCODE_API_FUNCTION_LIST_VER,
        .nvEncGetEncodeGUIDCount = get_guid_count,
        .nvEncGetEncodeProfileGUIDCount = get_profile_count,
        .nvEncGetEncodeProfileGUIDs = get_profiles,
        .nvEncGetEncodeGUIDs = get_guids,
        .nvEncGetInputFormatCount = get_format_count,
        .nvEncGetInputFormats = get_formats,
        .nvEncGetEncodeCaps = get_caps,
        .nvEncGetEncodePresetCount = get_preset_count,
        .nvEncGetEncodePresetGUIDs = get_presets,
        .nvEncGetEncodePresetConfigEx = get_preset_config,
        .nvEncInitializeEncoder = initialise,
        .nvEncCreateBitstreamBuffer = create_bitstream,
        .nvEncDestroyBitstreamBuffer = destroy_bitstream,
        .nvEncEncodePicture = encode,
        .nvEncLockBitstream = lock_bitstream,
        .nvEncUnlockBitstream = unlock_bitstream,
        .nvEncGetSequenceParams = get_sequence_params,
        .nvEncMapInputResource = map_input,
        .nvEncUnmapInputResource = unmap_input,
        .nvEncDestroyEncoder = destroy,
        .nvEncOpenEncodeSessionEx = open_session,
        .nvEncRegisterResource = register_resource,
        .nvEncUnregisterResource = unregister_resource,
        .nvEncGetLastErrorString = last_error,
    };
    return NV_ENC_SUCCESS;
}
