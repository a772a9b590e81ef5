/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uisplice/openh264_decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

struct uis_openh264 {
    ISVCDecoder *decoder;
    char version[32];
};

static char version_text[32];

const char *uis_openh264_version(void) {
    OpenH264Version v;
    WelsGetCodecVersionEx(&v);
    snprintf(version_text, sizeof version_text, "%u.%u.%u", v.uMajor, v.uMinor, v.uRevision);
    return version_text;
}

uis_openh264 *uis_openh264_open(char *err, size_t err_size) {
    uis_openh264 *d = calloc(1, sizeof *d);
    if (!d || WelsCreateDecoder(&d->decoder) != 0 || !d->decoder) {
        snprintf(err, err_size, "OpenH264 gives no decoder");
        free(d);
        return NULL;
    }
    int quiet = WELS_LOG_QUIET;
    (*d->decoder)->SetOption(d->decoder, DECODER_OPTION_TRACE_LEVEL, &quiet);
    SDecodingParam param;
    memset(&param, 0, sizeof param);
    /* Off: a judge must not paint over what it cannot decode. */
    param.eEcActiveIdc = ERROR_CON_DISABLE;
    param.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
    long rc = (*d->decoder)->Initialize(d->decoder, &param);
    if (rc != 0) {
        snprintf(err, err_size, "OpenH264 does not initialise (%ld)", rc);
        WelsDestroyDecoder(d->decoder);
        free(d);
        return NULL;
    }
    return d;
}

int uis_openh264_decode(uis_openh264 *d, const uint8_t *data, size_t size,
                        uis_openh264_picture *picture) {
    SBufferInfo info;
    memset(&info, 0, sizeof info);
    unsigned char *planes[3] = {NULL, NULL, NULL};
    DECODING_STATE state =
        (*d->decoder)->DecodeFrameNoDelay(d->decoder, data, (int)size, planes, &info);
    if (state != dsErrorFree)
        return -(int)state;
    if (info.iBufferStatus != 1)
        return 0;
    for (int i = 0; i < 3; i++) {
        picture->planes[i] = info.pDst[i];
        picture->strides[i] = info.UsrData.sSystemBuffer.iStride[i ? 1 : 0];
    }
    picture->width = info.UsrData.sSystemBuffer.iWidth;
    picture->height = info.UsrData.sSystemBuffer.iHeight;
    return 1;
}

void uis_openh264_close(uis_openh264 *d) {
    if (!d)
        return;
    (*d->decoder)->Uninitialize(d->decoder);
    WelsDestroyDecoder(d->decoder);
    free(d);
}
