/* SPDX-License-Identifier: GPL-2.0-or-later
 * libx264 through its C API (mb_info is not reachable any other way). */
#include "encoder.h"
#include "uisplice/recorder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x264.h>

struct uis_encoder {
    x264_t *x264;
    x264_param_t param;
    x264_nal_t *headers;
    uint8_t *header_data;
    size_t header_size;
    uint8_t *mb_info; /* one byte a macroblock, read by x264 during encode */
    size_t mbs;
    int64_t pts;
    char log[256]; /* the last thing x264 complained about */
};

static void keep_log(void *private, int level, const char *format, va_list args) {
    if (level <= X264_LOG_WARNING)
        vsnprintf(((uis_encoder *)private)->log, sizeof((uis_encoder *)private)->log, format, args);
}

static void x264_close(uis_encoder *e) {
    if (!e)
        return;
    if (e->x264)
        x264_encoder_close(e->x264);
    free(e->header_data);
    free(e->mb_info);
    free(e);
}

static int x264_open(const uis_encoder_config *config, uis_encoder **out, char *err,
                     size_t err_size) {
    *out = NULL;
    uis_encoder *e = calloc(1, sizeof *e);
    if (!e) {
        snprintf(err, err_size, "out of memory");
        return -1;
    }
    x264_param_t *p = &e->param;
    if (x264_param_default_preset(p, config->preset, "zerolatency") < 0) {
        snprintf(err, err_size, "libx264 does not know the preset '%s'", config->preset);
        x264_close(e);
        return -1;
    }
    p->pf_log = keep_log;
    p->p_log_private = e;
    p->i_log_level = X264_LOG_WARNING;
    p->i_csp = X264_CSP_I420;
    p->i_width = (int)config->width;
    p->i_height = (int)config->height;
    p->i_fps_num = config->fps_num;
    p->i_fps_den = config->fps_den;
    p->b_vfr_input = 0;
    p->i_threads = (int)config->threads;
    p->b_sliced_threads = config->threads > 1;
    p->i_slice_max_mbs = (int)config->slice_max_mbs;
    p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    p->i_scenecut_threshold = 0; /* an IDR comes when we ask for one, and only then */
    p->b_intra_refresh = 0;
    p->i_frame_reference = 1;
    p->i_bframe = 0;
    p->b_cabac = 0;
    p->rc.i_rc_method = X264_RC_CQP;
    p->rc.i_qp_constant = (int)config->qp;
    p->rc.f_ip_factor = 1.0f; /* the same QP for I and P */
    p->rc.i_aq_mode = X264_AQ_NONE;
    p->rc.b_mb_tree = 0;
    p->b_deblocking_filter = 1; /* chosen picture by picture */
    if (config->mv_range)
        p->analyse.i_mv_range = (int)config->mv_range;
    p->analyse.b_mb_info = 1;
    p->b_full_recon = 1;
    p->b_repeat_headers = 0;
    p->b_annexb = 1;
    p->b_aud = 0;
    if (x264_param_apply_profile(p, "baseline") < 0) {
        snprintf(err, err_size, "libx264 refuses the Baseline profile: %s", e->log);
        x264_close(e);
        return -1;
    }
    e->mbs = (size_t)((config->width + 15) / 16) * ((config->height + 15) / 16);
    e->mb_info = calloc(e->mbs, 1);
    e->x264 = e->mb_info ? x264_encoder_open(p) : NULL;
    if (e->x264)
        x264_encoder_parameters(e->x264, p); /* what it settled on, for x264_encoder_reconfig */
    x264_nal_t *nals;
    int count;
    int size = e->x264 ? x264_encoder_headers(e->x264, &nals, &count) : -1;
    if (size > 0 && (e->header_data = malloc((size_t)size)) != NULL) {
        memcpy(e->header_data, nals[0].p_payload, (size_t)size); /* payloads are contiguous */
        e->header_size = (size_t)size;
    } else {
        snprintf(err, err_size, "libx264 does not open at %ux%u: %s", config->width, config->height,
                 e->log[0] ? e->log : "no reason given");
        x264_close(e);
        return -1;
    }
    *out = e;
    return 0;
}

static void x264_headers(uis_encoder *e, const uint8_t **data, size_t *size) {
    *data = e->header_data;
    *size = e->header_size;
}

static int x264_encode(uis_encoder *e, const uis_encode_request *request, uis_encoded *out,
                       char *err, size_t err_size) {
    if (e->param.b_deblocking_filter != request->deblock) {
        e->param.b_deblocking_filter = request->deblock;
        if (x264_encoder_reconfig(e->x264, &e->param) < 0) {
            snprintf(err, err_size, "libx264 does not switch its deblocking filter: %s", e->log);
            return -1;
        }
    }
    const uis_i420 *picture = request->picture;
    if (request->device) {
        snprintf(err, err_size, "libx264 codes pictures of the host's memory only");
        return -1;
    }
    x264_picture_t in, recon;
    x264_picture_init(&in);
    in.i_type = request->force_idr ? X264_TYPE_IDR : X264_TYPE_AUTO;
    in.i_pts = e->pts++;
    in.img.i_csp = X264_CSP_I420;
    in.img.i_plane = 3;
    in.img.plane[0] = picture->y;
    in.img.plane[1] = picture->u;
    in.img.plane[2] = picture->v;
    in.img.i_stride[0] = (int)picture->y_stride;
    in.img.i_stride[1] = in.img.i_stride[2] = (int)picture->c_stride;
    if (request->constant)
        for (size_t i = 0; i < e->mbs; i++)
            e->mb_info[i] = request->constant[i] ? X264_MBINFO_CONSTANT : 0;
    in.prop.mb_info = request->constant ? e->mb_info : NULL;
    x264_nal_t *nals;
    int count;
    int size = x264_encoder_encode(e->x264, &nals, &count, &in, &recon);
    if (size <= 0) {
        snprintf(err, err_size, "libx264 gave no picture (%d): %s", size, e->log);
        return -1;
    }
    if ((recon.img.i_csp & X264_CSP_MASK) != X264_CSP_NV12) {
        snprintf(err, err_size, "libx264's reconstruction is not NV12 (csp %d)", recon.img.i_csp);
        return -1;
    }
    *out = (uis_encoded){
        .data = nals[0].p_payload,
        .size = (size_t)size,
        .idr = recon.b_keyframe != 0,
        .recon_y = recon.img.plane[0],
        .recon_uv = recon.img.plane[1],
        .recon_y_stride = (size_t)recon.img.i_stride[0],
        .recon_uv_stride = (size_t)recon.img.i_stride[1],
    };
    return 0;
}

const char *uis_x264_version(void) {
    return X264_POINTVER;
}

static const char *x264_describe(const uis_encoder *e) {
    (void)e;
    return "libx264 " X264_POINTVER;
}

static uis_encoder_limits x264_limits(const uis_encoder *e) {
    (void)e;
    return (uis_encoder_limits){.min_width = 16, .min_height = 16};
}

const uis_encoder_backend uis_backend_x264 = {
    .name = "libx264",
    .switches_deblocking = true,
    .open = x264_open,
    .headers = x264_headers,
    .encode = x264_encode,
    .close = x264_close,
    .describe = x264_describe,
    .limits = x264_limits,
};
