/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "nvenc_session.h"
#include "nvenc_status.h"

#include <time.h>

int uis_nvenc_check(const uis_nvenc_session *s, NVENCSTATUS status, const char *what, char *err,
                    size_t err_size) {
    if (status == NV_ENC_SUCCESS)
        return 0;
    const char *detail = s->encoder && s->api.nvEncGetLastErrorString
                             ? s->api.nvEncGetLastErrorString(s->encoder)
                             : NULL;
    uis_nvenc_say(status, what, detail, err, err_size);
    return -1;
}

/* Libraries speak all older versions of the API: the driver's must not be older than the
 * header's. */
static int negotiate(uis_nvenc_session *s, char *err, size_t err_size) {
    uis_loader_log log = {{0}};
    if (nvenc_load_functions(&s->library, &log) != 0) {
        snprintf(err, err_size,
                 "NVENC: %s; there is no NVIDIA driver, or a container lacks its video part: start "
                 "it with NVIDIA_DRIVER_CAPABILITIES=video,compute,graphics",
                 log.text[0] ? strtok(log.text, "\n") : "no memory");
        return -1;
    }
    uint32_t newest = 0; /* major << 4 | minor */
    if (uis_nvenc_check(s, s->library->NvEncodeAPIGetMaxSupportedVersion(&newest),
                        "asking for the API's version", err, err_size) != 0)
        return -1;
    if (newest < (NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION)) {
        snprintf(err, err_size,
                 "NVENC: the driver speaks API %u.%u, this program needs %d.%d: install a newer "
                 "driver (docs/nvenc.md), or take encoder: x264",
                 newest >> 4, newest & 15, NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION);
        return -1;
    }
    s->api = (NV_ENCODE_API_FUNCTION_LIST){.version = NV_ENCODE_API_FUNCTION_LIST_VER};
    return uis_nvenc_check(s, s->library->NvEncodeAPICreateInstance(&s->api),
                           "creating the API's instance", err, err_size);
}

/* The driver's version as the kernel module has it; empty where nobody says. */
static void driver_version(char *text, size_t size) {
    text[0] = 0;
    FILE *file = fopen("/sys/module/nvidia/version", "r");
    if (!file)
        return;
    if (fgets(text, (int)size, file))
        text[strcspn(text, "\n")] = 0;
    fclose(file);
}

static void describe(uis_nvenc_session *s, int preset) {
    const char *played = uis_double_name(s->library->lib);
    if (!played && s->cuda.is_double)
        played = "NVENC on a CUDA test double";
    if (played) {
        snprintf(s->description, sizeof s->description, "%s, not a GPU, API %d.%d, preset P%d",
                 played, NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION, preset);
        return;
    }
    char version[64];
    driver_version(version, sizeof version);
    snprintf(s->description, sizeof s->description, "NVENC API %d.%d on %s%s%s, preset P%d",
             NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION, s->cuda.name,
             version[0] ? ", driver " : "", version, preset);
}

static int open_session(uis_nvenc_session *s, char *err, size_t err_size) {
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS p = {.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                                              .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
                                              .device = s->cuda.context,
                                              .apiVersion = NVENCAPI_VERSION};
    const NVENCSTATUS status = s->api.nvEncOpenEncodeSessionEx(&p, &s->encoder);
    if (status == NV_ENC_SUCCESS)
        return 0;
    /* A session that failed to open still has to be destroyed where there is a handle. */
    if (s->encoder)
        s->api.nvEncDestroyEncoder(s->encoder);
    s->encoder = NULL;
    char what[160];
    snprintf(what, sizeof what, "opening a session on %s", s->cuda.name);
    return uis_nvenc_check(s, status, what, err, err_size);
}

static bool same_guid(const GUID *a, const GUID *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

enum { MOST = 64 }; /* entries of a list that are looked at */

typedef NVENCSTATUS (*guid_list)(void *, GUID, GUID *, uint32_t, uint32_t *);
typedef NVENCSTATUS (*guid_count)(void *, GUID, uint32_t *);

/* Whether `wanted` is among a codec's presets or profiles. 0 or -1. */
static int require_guid(uis_nvenc_session *s, guid_count count_them, guid_list list,
                        const GUID *wanted, const char *what, char *err, size_t err_size) {
    GUID guids[MOST];
    uint32_t count = 0, filled = 0;
    char asking[64];
    snprintf(asking, sizeof asking, "listing %ss", what);
    if (uis_nvenc_check(s, count_them(s->encoder, NV_ENC_CODEC_H264_GUID, &count), asking, err,
                        err_size) != 0)
        return -1;
    if (count > MOST)
        count = MOST;
    if (uis_nvenc_check(s, list(s->encoder, NV_ENC_CODEC_H264_GUID, guids, count, &filled), asking,
                        err, err_size) != 0)
        return -1;
    for (uint32_t i = 0; i < filled && i < MOST; i++)
        if (same_guid(&guids[i], wanted))
            return 0;
    snprintf(err, err_size, "NVENC: %s does not offer the %s that is needed; take encoder: x264",
             s->cuda.name, what);
    return -1;
}

static int require_codec(uis_nvenc_session *s, char *err, size_t err_size) {
    GUID guids[MOST];
    uint32_t count = 0, filled = 0;
    if (uis_nvenc_check(s, s->api.nvEncGetEncodeGUIDCount(s->encoder, &count), "listing codecs",
                        err, err_size) != 0)
        return -1;
    if (count > MOST)
        count = MOST;
    if (uis_nvenc_check(s, s->api.nvEncGetEncodeGUIDs(s->encoder, guids, count, &filled),
                        "listing codecs", err, err_size) != 0)
        return -1;
    for (uint32_t i = 0; i < filled && i < MOST; i++)
        if (same_guid(&guids[i], &NV_ENC_CODEC_H264_GUID))
            return 0;
    snprintf(err, err_size, "NVENC: %s codes no H.264; take encoder: x264", s->cuda.name);
    return -1;
}

static int require_format(uis_nvenc_session *s, NV_ENC_BUFFER_FORMAT wanted, const char *name,
                          char *err, size_t err_size) {
    NV_ENC_BUFFER_FORMAT formats[MOST];
    uint32_t count = 0, filled = 0;
    if (uis_nvenc_check(s,
                        s->api.nvEncGetInputFormatCount(s->encoder, NV_ENC_CODEC_H264_GUID, &count),
                        "listing input formats", err, err_size) != 0)
        return -1;
    if (count > MOST)
        count = MOST;
    if (uis_nvenc_check(s,
                        s->api.nvEncGetInputFormats(s->encoder, NV_ENC_CODEC_H264_GUID, formats,
                                                    count, &filled),
                        "listing input formats", err, err_size) != 0)
        return -1;
    for (uint32_t i = 0; i < filled && i < MOST; i++)
        if (formats[i] == wanted)
            return 0;
    snprintf(err, err_size, "NVENC: %s takes no %s input; take encoder: x264", s->cuda.name, name);
    return -1;
}

static int ask(uis_nvenc_session *s, NV_ENC_CAPS what, int *value, char *err, size_t err_size) {
    NV_ENC_CAPS_PARAM p = {.version = NV_ENC_CAPS_PARAM_VER, .capsToQuery = what};
    *value = 0;
    return uis_nvenc_check(s,
                           s->api.nvEncGetEncodeCaps(s->encoder, NV_ENC_CODEC_H264_GUID, &p, value),
                           "asking for capabilities", err, err_size);
}

/* That the device can do what will be asked of it, so that an error says what it cannot. */
static int check_capabilities(uis_nvenc_session *s, const GUID *preset, char *err,
                              size_t err_size) {
    if (require_codec(s, err, err_size) != 0 ||
        require_guid(s, s->api.nvEncGetEncodeProfileGUIDCount, s->api.nvEncGetEncodeProfileGUIDs,
                     &NV_ENC_H264_PROFILE_BASELINE_GUID, "Baseline profile", err, err_size) != 0 ||
        require_guid(s, s->api.nvEncGetEncodePresetCount, s->api.nvEncGetEncodePresetGUIDs, preset,
                     "preset", err, err_size) != 0 ||
        require_format(s, NV_ENC_BUFFER_FORMAT_NV12, "NV12", err, err_size) != 0 ||
        require_format(s, NV_ENC_BUFFER_FORMAT_ARGB, "ARGB", err, err_size) != 0)
        return -1;
    /* Constant QP has no bit among the rate control modes: every device has it. */
    int width[2], height[2], mbs, references;
    if (ask(s, NV_ENC_CAPS_WIDTH_MIN, &width[0], err, err_size) != 0 ||
        ask(s, NV_ENC_CAPS_WIDTH_MAX, &width[1], err, err_size) != 0 ||
        ask(s, NV_ENC_CAPS_HEIGHT_MIN, &height[0], err, err_size) != 0 ||
        ask(s, NV_ENC_CAPS_HEIGHT_MAX, &height[1], err, err_size) != 0 ||
        ask(s, NV_ENC_CAPS_MB_NUM_MAX, &mbs, err, err_size) != 0 ||
        ask(s, NV_ENC_CAPS_SUPPORT_MULTIPLE_REF_FRAMES, &references, err, err_size) != 0)
        return -1;
    s->chooses_references = references > 0;
    s->limits = (uis_encoder_limits){.min_width = width[0] > 0 ? (uint32_t)width[0] : 0,
                                     .min_height = height[0] > 0 ? (uint32_t)height[0] : 0};
    const uint32_t wanted = ((s->width + 15) / 16) * ((s->height + 15) / 16);
    if (s->width < s->limits.min_width || s->height < s->limits.min_height ||
        s->width > (uint32_t)width[1] || s->height > (uint32_t)height[1] ||
        (mbs > 0 && wanted > (uint32_t)mbs)) {
        snprintf(err, err_size,
                 "NVENC: %s codes %dx%d to %dx%d pixels, at most %d macroblocks, not %ux%u: change "
                 "the viewport, or take encoder: x264",
                 s->cuda.name, width[0], height[0], width[1], height[1], mbs, s->width, s->height);
        return -1;
    }
    return 0;
}

/* x264's names for the trade of time for bits, mapped to NVENC's P1 (fastest) to P7: an index
 * into `presets`, or -1. */
static int preset_of(const char *name) {
    static const struct {
        const char *name;
        int preset;
    } map[] = {{"ultrafast", 0}, {"superfast", 1}, {"veryfast", 2}, {"faster", 3},  {"fast", 3},
               {"medium", 4},    {"slow", 5},      {"slower", 6},   {"veryslow", 6}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (strcmp(map[i].name, name) == 0)
            return map[i].preset;
    return -1;
}

static void configure(const uis_nvenc_session *s, NV_ENC_CONFIG *c,
                      const uis_encoder_config *config) {
    c->version = NV_ENC_CONFIG_VER;
    c->profileGUID = NV_ENC_H264_PROFILE_BASELINE_GUID;
    c->gopLength = NVENC_INFINITE_GOPLENGTH;
    c->frameIntervalP = 1; /* I P P P: no reordering */
    c->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    c->mvPrecision = NV_ENC_MV_PRECISION_QUARTER_PEL;

    /* The version of a structure in a structure is checked as well. */
    NV_ENC_RC_PARAMS rc = {.version = NV_ENC_RC_PARAMS_VER,
                           .rateControlMode = NV_ENC_PARAMS_RC_CONSTQP,
                           .constQP = {config->qp, config->qp, config->qp},
                           .zeroReorderDelay = 1};
    c->rcParams = rc; /* no adaptive quantisation, lookahead, second pass or QP map */

    NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
    h->entropyCodingMode = NV_ENC_H264_ENTROPY_CODING_MODE_CAVLC;
    h->adaptiveTransformMode = NV_ENC_H264_ADAPTIVE_TRANSFORM_DISABLE;
    h->fmoMode = NV_ENC_H264_FMO_DISABLE;
    h->bdirectMode = NV_ENC_H264_BDIRECT_MODE_DISABLE;
    h->level = NV_ENC_LEVEL_AUTOSELECT; /* the splicer writes the stream's own */
    h->idrPeriod = NVENC_INFINITE_GOPLENGTH;
    h->disableDeblockingFilterIDC = config->deblock ? 0 : 1;
    h->useConstrainedIntraPred = 0; /* see encoder.h */
    h->maxNumRefFrames = 1;
    h->numRefL0 =
        s->chooses_references ? NV_ENC_NUM_REF_FRAMES_1 : NV_ENC_NUM_REF_FRAMES_AUTOSELECT;
    h->useBFramesAsRef = NV_ENC_BFRAME_REF_MODE_DISABLED;
    h->sliceMode = 0; /* macroblocks a slice; 0 of them: one slice */
    h->sliceModeData = config->slice_max_mbs;
    h->chromaFormatIDC = 1;
    h->disableSPSPPS = 1; /* asked for apart; nothing but slices comes in pictures */
    h->repeatSPSPPS = 0;
    h->outputAUD = 0;
    h->outputBufferingPeriodSEI = h->outputPictureTimingSEI = h->outputRecoveryPointSEI = 0;
    h->enableIntraRefresh = h->enableLTR = h->enableTemporalSVC = h->enableFillerDataInsertion = 0;
    h->hierarchicalPFrames = 0;
}

static int initialise(uis_nvenc_session *s, const uis_encoder_config *config, const GUID *preset,
                      char *err, size_t err_size) {
    NV_ENC_PRESET_CONFIG *from = calloc(1, sizeof *from);
    if (!from) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    from->version = NV_ENC_PRESET_CONFIG_VER;
    from->presetCfg.version = NV_ENC_CONFIG_VER;
    int rc = uis_nvenc_check(
        s,
        s->api.nvEncGetEncodePresetConfigEx(s->encoder, NV_ENC_CODEC_H264_GUID, *preset,
                                            NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY, from),
        "asking for a preset", err, err_size);
    if (rc == 0) {
        configure(s, &from->presetCfg, config);
        NV_ENC_INITIALIZE_PARAMS p = {.version = NV_ENC_INITIALIZE_PARAMS_VER,
                                      .encodeGUID = NV_ENC_CODEC_H264_GUID,
                                      .presetGUID = *preset,
                                      .encodeWidth = s->width,
                                      .encodeHeight = s->height,
                                      .darWidth = s->width,
                                      .darHeight = s->height,
                                      .frameRateNum = config->fps_num,
                                      .frameRateDen = config->fps_den,
                                      .enableEncodeAsync = 0,
                                      .enablePTD = 1, /* the first is IDR, all others P */
                                      .encodeConfig = &from->presetCfg,
                                      .tuningInfo = NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY};
        char what[96];
        snprintf(what, sizeof what, "initialising the encoder for %ux%u", s->width, s->height);
        rc = uis_nvenc_check(s, s->api.nvEncInitializeEncoder(s->encoder, &p), what, err, err_size);
    }
    free(from);
    return rc;
}

static int create_bitstream(uis_nvenc_session *s, char *err, size_t err_size) {
    NV_ENC_CREATE_BITSTREAM_BUFFER p = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    if (uis_nvenc_check(s, s->api.nvEncCreateBitstreamBuffer(s->encoder, &p),
                        "creating the bitstream's buffer", err, err_size) != 0)
        return -1;
    s->bitstream = p.bitstreamBuffer;
    return 0;
}

static const GUID *const presets[] = {
    &NV_ENC_PRESET_P1_GUID, &NV_ENC_PRESET_P2_GUID, &NV_ENC_PRESET_P3_GUID, &NV_ENC_PRESET_P4_GUID,
    &NV_ENC_PRESET_P5_GUID, &NV_ENC_PRESET_P6_GUID, &NV_ENC_PRESET_P7_GUID};

int uis_nvenc_open(uis_nvenc_session *s, const uis_encoder_config *config, char *err,
                   size_t err_size) {
    *s = (uis_nvenc_session){.width = config->width, .height = config->height};
    const int number = preset_of(config->preset);
    if (number < 0) {
        snprintf(err, err_size, "NVENC: there is no preset '%s' to map to P1 to P7",
                 config->preset);
        return -1;
    }
    const GUID *preset = presets[number];
    if (uis_cuda_open(&s->cuda, err, err_size) != 0)
        return -1;
    int rc = uis_cuda_push(&s->cuda, err, err_size);
    if (rc == 0) {
        if (negotiate(s, err, err_size) != 0 || open_session(s, err, err_size) != 0 ||
            check_capabilities(s, preset, err, err_size) != 0 ||
            initialise(s, config, preset, err, err_size) != 0 ||
            create_bitstream(s, err, err_size) != 0)
            rc = -1;
        uis_cuda_pop(&s->cuda);
    }
    if (rc != 0) {
        uis_nvenc_close(s);
        return -1;
    }
    describe(s, number + 1);
    return 0;
}

void uis_nvenc_close(uis_nvenc_session *s) {
    char ignored[64];
    if (s->encoder && uis_cuda_push(&s->cuda, ignored, sizeof ignored) == 0) {
        if (s->bitstream)
            s->api.nvEncDestroyBitstreamBuffer(s->encoder, s->bitstream);
        s->api.nvEncDestroyEncoder(s->encoder);
        uis_cuda_pop(&s->cuda);
    }
    nvenc_free_functions(&s->library);
    uis_cuda_close(&s->cuda);
    *s = (uis_nvenc_session){0};
}

int uis_nvenc_headers(uis_nvenc_session *s, uint8_t **data, size_t *size, char *err,
                      size_t err_size) {
    enum { ROOM = 1024 };
    uint32_t written = 0;
    *data = malloc(ROOM);
    if (!*data) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    NV_ENC_SEQUENCE_PARAM_PAYLOAD p = {.version = NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER,
                                       .inBufferSize = ROOM,
                                       .spsppsBuffer = *data,
                                       .outSPSPPSPayloadSize = &written};
    if (uis_nvenc_check(s, s->api.nvEncGetSequenceParams(s->encoder, &p),
                        "asking for the parameter sets", err, err_size) != 0) {
        free(*data);
        *data = NULL;
        return -1;
    }
    *size = written;
    return 0;
}

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* Whether to call again, a millisecond later ("after few milliseconds", as the header says). */
static bool wait_for(NVENCSTATUS status, uint64_t since) {
    if ((status != NV_ENC_ERR_LOCK_BUSY && status != NV_ENC_ERR_ENCODER_BUSY) ||
        now_ms() - since >= UIS_NVENC_PATIENCE_MS)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return true;
}

int uis_nvenc_encode(uis_nvenc_session *s, NV_ENC_INPUT_PTR input, NV_ENC_BUFFER_FORMAT format,
                     uint32_t pitch, bool force_idr, uint64_t number, const uint8_t **data,
                     size_t *size, char *err, size_t err_size) {
    NV_ENC_PIC_PARAMS p = {.version = NV_ENC_PIC_PARAMS_VER,
                           .inputWidth = s->width,
                           .inputHeight = s->height,
                           .inputPitch = pitch,
                           .encodePicFlags = force_idr ? NV_ENC_PIC_FLAG_FORCEIDR : 0,
                           .frameIdx = (uint32_t)number,
                           .inputTimeStamp = number,
                           .inputBuffer = input,
                           .outputBitstream = s->bitstream,
                           .bufferFmt = format,
                           .pictureStruct = NV_ENC_PIC_STRUCT_FRAME};
    uint64_t since = now_ms();
    NVENCSTATUS status;
    do
        status = s->api.nvEncEncodePicture(s->encoder, &p);
    while (wait_for(status, since));
    if (uis_nvenc_check(s, status, "coding a picture", err, err_size) != 0)
        return -1;
    NV_ENC_LOCK_BITSTREAM lock = {.version = NV_ENC_LOCK_BITSTREAM_VER,
                                  .outputBitstream = s->bitstream};
    since = now_ms();
    do
        status = s->api.nvEncLockBitstream(s->encoder, &lock);
    while (wait_for(status, since));
    if (uis_nvenc_check(s, status, "reading a coded picture", err, err_size) != 0)
        return -1;
    *data = lock.bitstreamBufferPtr;
    *size = lock.bitstreamSizeInBytes;
    return 0;
}

int uis_nvenc_unlock(uis_nvenc_session *s, char *err, size_t err_size) {
    return uis_nvenc_check(s, s->api.nvEncUnlockBitstream(s->encoder, s->bitstream),
                           "giving the bitstream's buffer back", err, err_size);
}
