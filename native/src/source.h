/* SPDX-License-Identifier: GPL-2.0-or-later
 * The source: what the encoders are fed with. It compares the frames of a tick, converts the
 * newest to planes, and keeps those (`newest`) and a second set (`seen`: encoder 1's input while
 * regions live, whose places stay as they were). One kind for frames in host memory
 * (source_host.c), one for frames on the GPU (source_device.c), which never leave it.
 *
 * Calls return 0 or a count, or -1 with a sentence in err. Used by one thread at a time. */
#ifndef UIS_SOURCE_H
#define UIS_SOURCE_H

#include "encoder.h"
#include "part.h"
#include "row_pool.h"
#include "uisplice/image.h"

typedef struct uis_source uis_source;

typedef enum uis_source_planes { UIS_PLANES_NEWEST, UIS_PLANES_SEEN } uis_source_planes;

/* A part of planes as an encoder takes it; valid until the source changes. */
typedef struct uis_source_view {
    bool on_device;
    uis_i420 host;
    uis_device_picture device;
} uis_source_view;

typedef struct uis_source_kind {
    /* The frames that the next calls, up to feed, are about: both of the view's size and
     * unchanged until then. `before` NULL: there is none. */
    int (*take)(uis_source *source, const uis_image *now, const uis_image *before, char *err,
                size_t err_size);
    /* As uis_dirty_map and uis_dirty_outside, of the frames taken; the second with the map of
     * the first. */
    int64_t (*dirty_map)(uis_source *source, const uis_rect *damage, uint8_t *map, uis_rect *box,
                         char *err, size_t err_size);
    int64_t (*dirty_outside)(uis_source *source, const uint8_t *map, const uis_rect *rects,
                             uint32_t count, char *err, size_t err_size);
    /* Converts what lies in `area` of the frame taken; nothing of it is needed after that. */
    int (*feed)(uis_source *source, const uis_rect *area, char *err, size_t err_size);
    /* Copies macroblocks of `newest`, or of `from` (planes of the same size in host memory), to
     * `seen`. */
    int (*keep)(uis_source *source, const uis_mb_rect *at, char *err, size_t err_size);
    int (*put)(uis_source *source, const uis_mb_rect *at, const uis_i420 *from, char *err,
               size_t err_size);
    int (*view)(uis_source *source, uis_source_planes planes, const uis_mb_rect *at,
                uis_source_view *out, char *err, size_t err_size);
    /* `newest` in host memory, as far as frames reach and until the next feed, for whoever
     * measures. Returns the bytes that were copied from the GPU for it since the last call, or -1.
     */
    int64_t (*pixels)(uis_source *source, const uis_i420 **out, char *err, size_t err_size);
    void (*close)(uis_source *source);
} uis_source_kind;

/* Each kind's structure begins with this. */
struct uis_source {
    const uis_source_kind *kind;
};

/* For frames of width x height, even. Comparing and converting are shared with `rows`, which
 * must outlive the source. */
int uis_source_open_host(uint32_t width, uint32_t height, uis_row_pool *rows, uis_source **out,
                         char *err, size_t err_size);
/* The same on the device of `context`, which must be the one that encoders use (cuda_driver.h).
 * Frames that come in host memory all the same are uploaded. `pixels` has chroma if that is
 * `measured`, and luma anyway. */
int uis_source_open_device(uint32_t width, uint32_t height, void *context, bool measured,
                           uis_source **out, char *err, size_t err_size);
void uis_source_close(uis_source *source); /* NULL is fine */

/* Points an encoder's request at a view, which must outlive it. */
void uis_source_request(const uis_source_view *view, uis_encode_request *request);
#endif
