/* SPDX-License-Identifier: GPL-2.0-or-later
 * OpenH264's encoder for tests: I420 pictures from stdin, Annex B to stdout.
 * Usage: openh264_encode WIDTH HEIGHT QP SLICES ROWS BYTES SCREEN LAYERS LTR
 *   SLICES  above 1: that many slices a picture
 *   ROWS    1: a slice a macroblock row
 *   BYTES   above 0: slices of at most so many bytes
 *   SCREEN  1: screen content instead of camera
 *   LAYERS  temporal layers, 1 to 4
 *   LTR     1: long-term references
 * Exit status 1 with a sentence where the encoder refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

static int fail(const char *what) {
    fprintf(stderr, "openh264_encode: %s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 10)
        return fail("nine arguments are needed");
    int value[10];
    for (int i = 1; i < 10; i++)
        value[i] = atoi(argv[i]);
    const int width = value[1], height = value[2], qp = value[3];
    ISVCEncoder *encoder;
    SEncParamExt p;
    if (WelsCreateSVCEncoder(&encoder) != 0)
        return fail("no encoder");
    (*encoder)->GetDefaultParams(encoder, &p);
    p.iUsageType = value[7] ? SCREEN_CONTENT_REAL_TIME : CAMERA_VIDEO_REAL_TIME;
    p.iPicWidth = width;
    p.iPicHeight = height;
    p.fMaxFrameRate = 25;
    p.iTargetBitrate = 5000000;
    p.iRCMode = RC_OFF_MODE;
    p.iTemporalLayerNum = value[8];
    p.bEnableLongTermReference = value[9] != 0;
    p.iLTRRefNum = value[9] ? (value[7] ? 4 : 2) : 0;
    p.iLtrMarkPeriod = 4;
    p.iMultipleThreadIdc = 1;
    p.bEnableFrameSkip = 0;
    p.bEnableAdaptiveQuant = 0;
    p.eSpsPpsIdStrategy = CONSTANT_ID;
    p.iEntropyCodingModeFlag = 0;
    p.iMinQp = p.iMaxQp = qp;
    SSpatialLayerConfig *layer = &p.sSpatialLayers[0];
    layer->uiProfileIdc = PRO_BASELINE;
    layer->iVideoWidth = width;
    layer->iVideoHeight = height;
    layer->fFrameRate = 25;
    layer->iDLayerQp = qp;
    if (value[4] > 1) {
        layer->sSliceArgument.uiSliceMode = SM_FIXEDSLCNUM_SLICE;
        layer->sSliceArgument.uiSliceNum = (unsigned)value[4];
    } else if (value[5]) {
        layer->sSliceArgument.uiSliceMode = SM_RASTER_SLICE; /* all sizes 0: rows */
    } else if (value[6]) {
        layer->sSliceArgument.uiSliceMode = SM_SIZELIMITED_SLICE;
        layer->sSliceArgument.uiSliceSizeConstraint = (unsigned)value[6];
        p.uiMaxNalSize = (unsigned)value[6];
    }
    if ((*encoder)->InitializeExt(encoder, &p) != cmResultSuccess)
        return fail("the parameters are refused");
    int format = videoFormatI420;
    (*encoder)->SetOption(encoder, ENCODER_OPTION_DATAFORMAT, &format);
    const size_t luma = (size_t)width * (size_t)height;
    unsigned char *pixels = malloc(luma * 3 / 2);
    if (!pixels)
        return fail("out of memory");
    SSourcePicture picture;
    memset(&picture, 0, sizeof picture);
    picture.iPicWidth = width;
    picture.iPicHeight = height;
    picture.iColorFormat = videoFormatI420;
    picture.iStride[0] = width;
    picture.iStride[1] = picture.iStride[2] = width / 2;
    picture.pData[0] = pixels;
    picture.pData[1] = pixels + luma;
    picture.pData[2] = pixels + luma + luma / 4;
    for (; fread(pixels, luma * 3 / 2, 1, stdin) == 1; picture.uiTimeStamp += 40) {
        SFrameBSInfo info;
        memset(&info, 0, sizeof info);
        if ((*encoder)->EncodeFrame(encoder, &picture, &info) != cmResultSuccess)
            return fail("a picture is refused");
        for (int i = 0; i < info.iLayerNum; i++) {
            const SLayerBSInfo *l = &info.sLayerInfo[i];
            size_t size = 0;
            for (int k = 0; k < l->iNalCount; k++)
                size += (size_t)l->pNalLengthInByte[k];
            fwrite(l->pBsBuf, size, 1, stdout);
        }
    }
    free(pixels);
    (*encoder)->Uninitialize(encoder);
    WelsDestroySVCEncoder(encoder);
    return fflush(stdout) == 0 ? 0 : fail("cannot write");
}
