/* SPDX-License-Identifier: GPL-2.0-or-later
 * Drives what no other test reaches, with the doubles that the environment names:
 *   nvenc_driver rules    the NVENC double against clients that break the header's rules
 *   nvenc_driver device   the backend on pictures that are on the device already
 * Prints a line for each thing that is not so, and ends with 1 if there was any. */
#define _GNU_SOURCE
#include "encoder.h"
#include "nvenc_session.h"
#include "nvenc_status.h"

#include <sys/mman.h>
#include <unistd.h>

static int wrong;
static int looked;

static void expect(NVENCSTATUS got, NVENCSTATUS wanted, const char *what) {
    looked++;
    if (got == wanted)
        return;
    printf("%s: %s instead of %s\n", what, uis_nvenc_status_name(got),
           uis_nvenc_status_name(wanted));
    wrong++;
}

static void require(bool condition, const char *what) {
    looked++;
    if (!condition) {
        printf("not so: %s\n", what);
        wrong++;
    }
}

/* Every structure ends in reserved fields. */
#define SPOIL(structure) ((uint8_t *)&(structure))[sizeof(structure) - 1] = 1

static void die(const char *why) {
    printf("%s\n", why);
    exit(2);
}

/* ------------------------------------------------------------------- rules */

static uis_cuda cuda;
static NvencFunctions *library;
static NV_ENCODE_API_FUNCTION_LIST api;

static void load_libraries(void) {
    char err[512];
    uis_loader_log log = {{0}};
    if (uis_cuda_open(&cuda, err, sizeof err) != 0 || uis_cuda_push(&cuda, err, sizeof err) != 0)
        die(err);
    if (nvenc_load_functions(&library, &log) != 0)
        die(log.text);
    if (!uis_double_name(library->lib) || !cuda.is_double)
        die("these are no doubles: UISPLICE_NVENC_LIBRARY and UISPLICE_CUDA_LIBRARY name them");
}

static NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS session_params(void) {
    return (NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS){.version =
                                                      NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                                                  .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
                                                  .device = cuda.context,
                                                  .apiVersion = NVENCAPI_VERSION};
}

static void check_instance(void) {
    uint32_t version;
    expect(library->NvEncodeAPIGetMaxSupportedVersion(NULL), NV_ENC_ERR_INVALID_PTR,
           "NvEncodeAPIGetMaxSupportedVersion(NULL)");
    expect(library->NvEncodeAPIGetMaxSupportedVersion(&version), NV_ENC_SUCCESS,
           "NvEncodeAPIGetMaxSupportedVersion");
    expect(library->NvEncodeAPICreateInstance(NULL), NV_ENC_ERR_INVALID_PTR,
           "NvEncodeAPICreateInstance(NULL)");
    api = (NV_ENCODE_API_FUNCTION_LIST){.version = NV_ENCODE_API_FUNCTION_LIST_VER + 1};
    expect(library->NvEncodeAPICreateInstance(&api), NV_ENC_ERR_INVALID_VERSION,
           "a function list of another version");
    api = (NV_ENCODE_API_FUNCTION_LIST){.version = NV_ENCODE_API_FUNCTION_LIST_VER};
    expect(library->NvEncodeAPICreateInstance(&api), NV_ENC_SUCCESS, "NvEncodeAPICreateInstance");
}

static void *check_opening(void) {
    void *s = NULL;
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS p = session_params();
    p.version++;
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_ERR_INVALID_VERSION, "session's version");
    p = session_params();
    p.apiVersion = 10;
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_ERR_INVALID_VERSION, "session's API");
    p = session_params();
    p.device = NULL;
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_ERR_INVALID_DEVICE, "no device");
    p = session_params();
    p.deviceType = NV_ENC_DEVICE_TYPE_OPENGL;
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_ERR_UNSUPPORTED_DEVICE, "OpenGL device");
    p = session_params();
    SPOIL(p);
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_ERR_INVALID_PARAM, "session's reserved");
    p = session_params();
    expect(api.nvEncOpenEncodeSessionEx(&p, &s), NV_ENC_SUCCESS, "opening");
    if (!s)
        die("no session");
    NV_ENC_CAPS_PARAM caps = {.version = NV_ENC_CAPS_PARAM_VER,
                              .capsToQuery = NV_ENC_CAPS_WIDTH_MAX};
    int value = 0;
    expect(api.nvEncGetEncodeCaps(s, NV_ENC_CODEC_H264_GUID, &caps, &value), NV_ENC_SUCCESS,
           "caps");
    require(value == 4096, "the largest width is 4096");
    expect(api.nvEncGetEncodeCaps(s, NV_ENC_CODEC_HEVC_GUID, &caps, &value),
           NV_ENC_ERR_INVALID_PARAM, "caps of HEVC");
    caps.version = 0;
    expect(api.nvEncGetEncodeCaps(s, NV_ENC_CODEC_H264_GUID, &caps, &value),
           NV_ENC_ERR_INVALID_VERSION, "caps' version");
    expect(api.nvEncGetEncodeCaps(&caps, NV_ENC_CODEC_H264_GUID, &caps, &value),
           NV_ENC_ERR_INVALID_ENCODERDEVICE, "a handle that is none");
    return s;
}

enum { WIDTH = 320, HEIGHT = 192 };

static NV_ENC_INITIALIZE_PARAMS settings(NV_ENC_CONFIG *c) {
    memset(c, 0, sizeof *c);
    c->version = NV_ENC_CONFIG_VER;
    c->profileGUID = NV_ENC_H264_PROFILE_BASELINE_GUID;
    c->gopLength = NVENC_INFINITE_GOPLENGTH;
    c->frameIntervalP = 1;
    c->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    c->rcParams.version = NV_ENC_RC_PARAMS_VER;
    c->rcParams.rateControlMode = NV_ENC_PARAMS_RC_CONSTQP;
    c->rcParams.constQP = (NV_ENC_QP){23, 23, 23};
    NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
    h->entropyCodingMode = NV_ENC_H264_ENTROPY_CODING_MODE_CAVLC;
    h->idrPeriod = NVENC_INFINITE_GOPLENGTH;
    h->chromaFormatIDC = 1;
    h->maxNumRefFrames = 1;
    return (NV_ENC_INITIALIZE_PARAMS){.version = NV_ENC_INITIALIZE_PARAMS_VER,
                                      .encodeGUID = NV_ENC_CODEC_H264_GUID,
                                      .presetGUID = NV_ENC_PRESET_P2_GUID,
                                      .encodeWidth = WIDTH,
                                      .encodeHeight = HEIGHT,
                                      .frameRateNum = 24,
                                      .frameRateDen = 1,
                                      .enablePTD = 1,
                                      .encodeConfig = c,
                                      .tuningInfo = NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY};
}

static void check_initialising(void *s) {
    static NV_ENC_CONFIG c;
    NV_ENC_INITIALIZE_PARAMS p;
    NV_ENC_CREATE_BITSTREAM_BUFFER b = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    expect(api.nvEncCreateBitstreamBuffer(s, &b), NV_ENC_ERR_ENCODER_NOT_INITIALIZED,
           "a buffer before initialising");
#define REFUSED(change, status, what)                                                              \
    p = settings(&c);                                                                              \
    change;                                                                                        \
    expect(api.nvEncInitializeEncoder(s, &p), status, what)
    REFUSED(p.version ^= 1, NV_ENC_ERR_INVALID_VERSION, "settings' version");
    REFUSED(c.version = 0, NV_ENC_ERR_INVALID_VERSION, "configuration's version");
    REFUSED(c.rcParams.version = 0, NV_ENC_ERR_INVALID_VERSION, "rate control's version");
    REFUSED(p.encodeConfig = NULL, NV_ENC_ERR_INVALID_PTR, "no configuration");
    REFUSED(SPOIL(p), NV_ENC_ERR_INVALID_PARAM, "settings' reserved");
    REFUSED(p.encodeGUID = NV_ENC_CODEC_HEVC_GUID, NV_ENC_ERR_INVALID_PARAM, "HEVC");
    REFUSED(p.encodeWidth = 32, NV_ENC_ERR_INVALID_PARAM, "too narrow");
    REFUSED(p.encodeWidth = 8192, NV_ENC_ERR_INVALID_PARAM, "too wide");
    REFUSED(p.frameRateDen = 0, NV_ENC_ERR_INVALID_PARAM, "no frame rate");
    REFUSED(p.tuningInfo = 0, NV_ENC_ERR_INVALID_PARAM, "no tuning");
    REFUSED(p.enableEncodeAsync = 1, NV_ENC_ERR_UNSUPPORTED_PARAM, "asynchronous on Linux");
    REFUSED(c.encodeCodecConfig.h264Config.entropyCodingMode =
                NV_ENC_H264_ENTROPY_CODING_MODE_CABAC,
            NV_ENC_ERR_INVALID_PARAM, "CABAC in Baseline");
    REFUSED(c.encodeCodecConfig.h264Config.disableDeblockingFilterIDC = 3, NV_ENC_ERR_INVALID_PARAM,
            "a deblocking mode that is none");
    REFUSED(c.rcParams.constQP.qpInterP = 52, NV_ENC_ERR_INVALID_PARAM, "QP 52");
    REFUSED(c.monoChromeEncoding = 1, NV_ENC_ERR_INVALID_PARAM, "monochrome");
#undef REFUSED
    p = settings(&c);
    expect(api.nvEncInitializeEncoder(s, &p), NV_ENC_SUCCESS, "initialising");
    expect(api.nvEncInitializeEncoder(s, &p), NV_ENC_ERR_INVALID_CALL, "initialising twice");
    uint8_t text[512];
    uint32_t size = 0;
    NV_ENC_SEQUENCE_PARAM_PAYLOAD q = {.version = NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER,
                                       .inBufferSize = 4,
                                       .spsppsBuffer = text,
                                       .outSPSPPSPayloadSize = &size};
    expect(api.nvEncGetSequenceParams(s, &q), NV_ENC_ERR_NOT_ENOUGH_BUFFER, "4 bytes of headers");
    q.inBufferSize = sizeof text;
    expect(api.nvEncGetSequenceParams(s, &q), NV_ENC_SUCCESS, "headers");
    require(size > 8 && (text[4] & 31) == 7, "headers begin with an SPS");
}

static void check_pictures(void *s) {
    CUdeviceptr memory;
    size_t pitch;
    char err[256];
    if (uis_cuda_check(&cuda, cuda.api->cuMemAllocPitch(&memory, &pitch, WIDTH, HEIGHT * 3 / 2, 16),
                       "allocating", err, sizeof err) != 0)
        die(err);
    cuda.api->cuMemsetD8Async(memory, 128, pitch * HEIGHT * 3 / 2, NULL);
    NV_ENC_REGISTER_RESOURCE r = {.version = NV_ENC_REGISTER_RESOURCE_VER,
                                  .resourceType = NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
                                  .width = WIDTH,
                                  .height = HEIGHT,
                                  .pitch = 100,
                                  .resourceToRegister = (void *)(uintptr_t)memory,
                                  .bufferFormat = NV_ENC_BUFFER_FORMAT_NV12};
    expect(api.nvEncRegisterResource(s, &r), NV_ENC_ERR_INVALID_PARAM, "too small a pitch");
    r.pitch = (uint32_t)pitch;
    r.resourceType = NV_ENC_INPUT_RESOURCE_TYPE_DIRECTX;
    expect(api.nvEncRegisterResource(s, &r), NV_ENC_ERR_UNSUPPORTED_PARAM, "DirectX");
    r.resourceType = NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR;
    expect(api.nvEncRegisterResource(s, &r), NV_ENC_SUCCESS, "registering");

    NV_ENC_CREATE_BITSTREAM_BUFFER b = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    SPOIL(b);
    expect(api.nvEncCreateBitstreamBuffer(s, &b), NV_ENC_ERR_INVALID_PARAM, "buffer's reserved");
    b = (NV_ENC_CREATE_BITSTREAM_BUFFER){.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    expect(api.nvEncCreateBitstreamBuffer(s, &b), NV_ENC_SUCCESS, "a buffer");

    NV_ENC_PIC_PARAMS p = {.version = NV_ENC_PIC_PARAMS_VER,
                           .inputWidth = WIDTH,
                           .inputHeight = HEIGHT,
                           .inputPitch = (uint32_t)pitch,
                           .inputBuffer = r.registeredResource,
                           .outputBitstream = b.bitstreamBuffer,
                           .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12,
                           .pictureStruct = NV_ENC_PIC_STRUCT_FRAME};
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_ERR_RESOURCE_NOT_MAPPED, "coding before mapping");
    NV_ENC_MAP_INPUT_RESOURCE m = {.version = NV_ENC_MAP_INPUT_RESOURCE_VER,
                                   .registeredResource = b.bitstreamBuffer};
    expect(api.nvEncMapInputResource(s, &m), NV_ENC_ERR_RESOURCE_NOT_REGISTERED,
           "mapping what was not registered");
    m.registeredResource = r.registeredResource;
    expect(api.nvEncMapInputResource(s, &m), NV_ENC_SUCCESS, "mapping");
    expect(api.nvEncMapInputResource(s, &m), NV_ENC_ERR_MAP_FAILED, "mapping twice");
    m.mappedResource = NULL;
    m.mappedBufferFmt = 0;
    expect(api.nvEncUnregisterResource(s, r.registeredResource), NV_ENC_ERR_INVALID_CALL,
           "unregistering what is mapped");
    p.inputBuffer = r.registeredResource;
    p.bufferFmt = NV_ENC_BUFFER_FORMAT_ARGB;
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_ERR_INVALID_PARAM, "another format");
    p.bufferFmt = NV_ENC_BUFFER_FORMAT_NV12;
    p.version++;
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_ERR_INVALID_VERSION, "picture's version");
    p.version--;
    p.qpDeltaMapSize = 1;
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_ERR_INVALID_PARAM, "a map of no QP");
    p.qpDeltaMapSize = 0;

    NV_ENC_LOCK_BITSTREAM l = {.version = NV_ENC_LOCK_BITSTREAM_VER,
                               .outputBitstream = b.bitstreamBuffer};
    expect(api.nvEncLockBitstream(s, &l), NV_ENC_ERR_INVALID_CALL, "locking before coding");
    expect(api.nvEncUnlockBitstream(s, b.bitstreamBuffer), NV_ENC_ERR_INVALID_CALL,
           "unlocking what is not locked");
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_SUCCESS, "coding");
    expect(api.nvEncEncodePicture(s, &p), NV_ENC_ERR_INVALID_CALL, "coding over an unread picture");
    expect(api.nvEncUnmapInputResource(s, r.registeredResource), NV_ENC_ERR_INVALID_CALL,
           "unmapping before the picture was read");
    expect(api.nvEncLockBitstream(s, &l), NV_ENC_SUCCESS, "locking");
    require(l.bitstreamSizeInBytes > 0 && l.pictureType == NV_ENC_PIC_TYPE_IDR,
            "the first picture is IDR");
    const uint8_t *bytes = l.bitstreamBufferPtr;
    require((bytes[4] & 31) == 7, "parameter sets are in front unless they are disabled");
    expect(api.nvEncDestroyBitstreamBuffer(s, b.bitstreamBuffer), NV_ENC_ERR_INVALID_CALL,
           "destroying what is locked");
    expect(api.nvEncUnlockBitstream(s, b.bitstreamBuffer), NV_ENC_SUCCESS, "unlocking");
    expect(api.nvEncUnmapInputResource(s, r.registeredResource), NV_ENC_SUCCESS, "unmapping");
    expect(api.nvEncUnmapInputResource(s, r.registeredResource), NV_ENC_ERR_RESOURCE_NOT_MAPPED,
           "unmapping twice");
    expect(api.nvEncUnregisterResource(s, r.registeredResource), NV_ENC_SUCCESS, "unregistering");
    expect(api.nvEncUnregisterResource(s, r.registeredResource), NV_ENC_ERR_RESOURCE_NOT_REGISTERED,
           "unregistering twice");
    expect(api.nvEncDestroyEncoder(s), NV_ENC_ERR_INVALID_CALL, "a session with a buffer left");
    expect(api.nvEncDestroyEncoder(s), NV_ENC_ERR_INVALID_ENCODERDEVICE, "destroying twice");
    cuda.api->cuMemFree(memory);
}

static void check_cuda(void) {
    CUdeviceptr memory = 0;
    uint8_t host[16] = {0};
    require(cuda.api->cuMemAlloc(&memory, 16) == CUDA_SUCCESS, "16 bytes of the device");
    require(cuda.api->cuMemcpyHtoD(memory, host, 16) == CUDA_SUCCESS, "copying 16 bytes");
    require(cuda.api->cuMemcpyHtoD(memory, host, 17) != CUDA_SUCCESS, "17 do not fit");
    require(cuda.api->cuMemcpyHtoD((CUdeviceptr)(uintptr_t)host, host, 1) != CUDA_SUCCESS,
            "the host's memory is not the device's");
    require(cuda.api->cuMemFree(memory) == CUDA_SUCCESS, "freeing");
    require(cuda.api->cuMemFree(memory) != CUDA_SUCCESS, "freeing twice is refused");
    const int fd = memfd_create("external", 0);
    CUexternalMemory external;
    if (fd < 0 || write(fd, "0123456789abcdef", 16) != 16)
        die("no memory with a file descriptor");
    const CUDA_EXTERNAL_MEMORY_HANDLE_DESC handle = {
        .type = CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD, .handle.fd = fd, .size = 16};
    const CUDA_EXTERNAL_MEMORY_BUFFER_DESC part = {.offset = 10, .size = 6};
    require(cuda.api->cuImportExternalMemory(&external, &handle) == CUDA_SUCCESS, "importing");
    require(cuda.api->cuExternalMemoryGetMappedBuffer(&memory, external, &part) == CUDA_SUCCESS &&
                cuda.api->cuMemcpyDtoH(host, memory, 6) == CUDA_SUCCESS &&
                memcmp(host, "abcdef", 6) == 0,
            "what is imported is what was written");
    require(cuda.api->cuMemFree(memory) == CUDA_SUCCESS &&
                cuda.api->cuDestroyExternalMemory(external) == CUDA_SUCCESS,
            "giving it back");
    uis_cuda_pop(&cuda);
    require(cuda.api->cuMemAlloc(&memory, 16) != CUDA_SUCCESS, "no context, no memory");
}

static void rules(void) {
    load_libraries();
    check_instance();
    void *s = check_opening();
    check_initialising(s);
    check_pictures(s);
    check_cuda();
    nvenc_free_functions(&library);
    uis_cuda_close(&cuda);
}

/* ------------------------------------------------------------------ device */

enum { WHOLE_WIDTH = 480, WHOLE_HEIGHT = 320, X = 32, Y = 48 };

/* A page of the device and of the host with the same pixels; row by row `step` bytes. */
static uint8_t *paint(size_t bytes, size_t step, unsigned seed) {
    uint8_t *pixels = malloc(bytes);
    if (!pixels)
        die("out of memory");
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)((i / step * 3 + i % step / 2 + seed * 5) & 0xff);
    return pixels;
}

static CUdeviceptr on_device(const uint8_t *pixels, size_t bytes) {
    CUdeviceptr memory;
    if (cuda.api->cuMemAlloc(&memory, bytes) != CUDA_SUCCESS ||
        cuda.api->cuMemcpyHtoD(memory, pixels, bytes) != CUDA_SUCCESS)
        die("no memory on the device");
    return memory;
}

typedef struct coded {
    uint8_t data[65536];
    size_t size;
    bool idr;
} coded;

/* Codes one picture with a fresh encoder; where `reason` is not NULL, it must fail so. */
static void code_once(const uis_encode_request *request, coded *out, const char *reason) {
    char err[512] = "";
    const uis_encoder_config config = {.width = WIDTH,
                                       .height = HEIGHT,
                                       .fps_num = 24,
                                       .fps_den = 1,
                                       .qp = 23,
                                       .preset = "superfast"};
    uis_encoder *e;
    if (uis_backend_nvenc.open(&config, &e, err, sizeof err) != 0)
        die(err);
    uis_encoded picture;
    const int rc = uis_backend_nvenc.encode(e, request, &picture, err, sizeof err);
    if (reason) {
        require(rc != 0 && strstr(err, reason) != NULL, reason);
    } else if (rc != 0) {
        die(err);
    } else {
        out->size = picture.size;
        out->idr = picture.idr;
        if (picture.size > sizeof out->data)
            die("a picture is larger than expected");
        memcpy(out->data, picture.data, picture.size);
        require(picture.recon_y && picture.recon_uv && picture.recon_y_stride >= WIDTH,
                "a reconstruction");
    }
    uis_backend_nvenc.close(e);
}

static bool same(const coded *a, const coded *b) {
    return a->size == b->size && a->idr == b->idr && memcmp(a->data, b->data, a->size) == 0;
}

/* NV12 from the device, cropped, is coded like the same pixels from the host. */
static void check_nv12(void) {
    const size_t bytes = (size_t)WHOLE_WIDTH * WHOLE_HEIGHT * 3 / 2;
    uint8_t *pixels = paint(bytes, WHOLE_WIDTH, 1);
    const CUdeviceptr memory = on_device(pixels, bytes);
    uint8_t *planes = malloc((size_t)WIDTH * HEIGHT * 3 / 2);
    if (!planes)
        die("out of memory");
    uint8_t *u = planes + WIDTH * HEIGHT, *v = u + WIDTH * HEIGHT / 4;
    for (int y = 0; y < HEIGHT; y++)
        memcpy(planes + y * WIDTH, pixels + (y + Y) * WHOLE_WIDTH + X, WIDTH);
    for (int y = 0; y < HEIGHT / 2; y++)
        for (int x = 0; x < WIDTH / 2; x++) {
            const uint8_t *uv = pixels + (WHOLE_HEIGHT + Y / 2 + y) * WHOLE_WIDTH + X + 2 * x;
            u[y * WIDTH / 2 + x] = uv[0];
            v[y * WIDTH / 2 + x] = uv[1];
        }
    const uis_i420 host = {planes, u, v, WIDTH, WIDTH / 2, WIDTH, HEIGHT};
    const uis_device_picture device = {.format = UIS_DEVICE_NV12,
                                       .pointer = memory,
                                       .pitch = WHOLE_WIDTH,
                                       .width = WHOLE_WIDTH,
                                       .height = WHOLE_HEIGHT,
                                       .x = X,
                                       .y = Y,
                                       .context = cuda.context};
    static coded a, b;
    code_once(&(uis_encode_request){.picture = &host}, &a, NULL);
    code_once(&(uis_encode_request){.device = &device}, &b, NULL);
    require(a.idr && same(&a, &b), "NV12 of the device is coded like planes of the host");
    uis_device_picture bad = device;
    bad.x = WHOLE_WIDTH - WIDTH + 2;
    code_once(&(uis_encode_request){.device = &bad}, &b, "does not hold");
    bad = device;
    bad.y = 1;
    code_once(&(uis_encode_request){.device = &bad}, &b, "does not hold");
    bad = device;
    bad.context = NULL;
    code_once(&(uis_encode_request){.device = &bad}, &b, "another CUDA context");
    bad = device;
    bad.pointer = 64;
    code_once(&(uis_encode_request){.device = &bad}, &b, "CUDA_ERROR_INVALID_VALUE");
    cuda.api->cuMemFree(memory);
    free(pixels);
    free(planes);
}

/* BGRA in linear memory and in an array, cropped. */
static void check_bgra(void) {
    const size_t bytes = (size_t)WHOLE_WIDTH * WHOLE_HEIGHT * 4;
    uint8_t *pixels = paint(bytes, (size_t)WHOLE_WIDTH * 4, 2);
    const CUdeviceptr memory = on_device(pixels, bytes);
    CUarray array;
    const CUDA_ARRAY3D_DESCRIPTOR description = {.Width = WHOLE_WIDTH,
                                                 .Height = WHOLE_HEIGHT,
                                                 .Format = CU_AD_FORMAT_UNSIGNED_INT8,
                                                 .NumChannels = 4};
    const CUDA_MEMCPY2D fill = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                                .srcHost = pixels,
                                .srcPitch = (size_t)WHOLE_WIDTH * 4,
                                .dstMemoryType = CU_MEMORYTYPE_ARRAY,
                                .WidthInBytes = (size_t)WHOLE_WIDTH * 4,
                                .Height = WHOLE_HEIGHT};
    CUDA_MEMCPY2D copy = fill;
    if (cuda.api->cuArray3DCreate(&array, &description) != CUDA_SUCCESS)
        die("no array");
    copy.dstArray = array;
    if (cuda.api->cuMemcpy2D(&copy) != CUDA_SUCCESS)
        die("the array takes no pixels");
    uis_device_picture device = {.format = UIS_DEVICE_BGRA,
                                 .pointer = memory,
                                 .pitch = (size_t)WHOLE_WIDTH * 4,
                                 .width = WHOLE_WIDTH,
                                 .height = WHOLE_HEIGHT,
                                 .x = X,
                                 .y = Y,
                                 .context = cuda.context};
    static coded a, b, c;
    code_once(&(uis_encode_request){.device = &device}, &a, NULL);
    device.pointer = 0;
    device.pitch = 0;
    device.array = array;
    code_once(&(uis_encode_request){.device = &device}, &b, NULL);
    require(same(&a, &b), "an array is coded like linear memory");
    device.x = device.y = 0;
    code_once(&(uis_encode_request){.device = &device}, &c, NULL);
    require(!same(&a, &c), "another crop is another picture");
    cuda.api->cuArrayDestroy(array);
    cuda.api->cuMemFree(memory);
    free(pixels);
}

static void device(void) {
    load_libraries();
    check_nv12();
    check_bgra();
    nvenc_free_functions(&library);
    uis_cuda_pop(&cuda);
    uis_cuda_close(&cuda);
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "rules") == 0)
        rules();
    else if (count == 2 && strcmp(arguments[1], "device") == 0)
        device();
    else
        die("nvenc_driver rules | device");
    printf("%d looked at, %d wrong\n", looked, wrong);
    return wrong ? 1 : 0;
}
