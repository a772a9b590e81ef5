/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The frame ring: the one versioned shared-memory protocol between the Vulkan
 * layer (writer, inside Chrome's GPU process), the recorder (reader, native
 * thread) and Python (video regions, counters, preflight).
 *
 * The object is created by the recorder's process (POSIX shared memory, mode
 * 0600) and attached by the layer through the name in $UIS_RING.
 *
 *   [ uis_ring_header ][ slot 0 ][ slot 1 ] ... [ slot n-1 ][ encode link ]
 *   slot = [ uis_ring_slot, padded to UIS_RING_SLOT_HEADER bytes ][ pixels ]
 *
 * The encode link is there when the layer's process encodes (UIS_ENCODE_LAYER): the
 * recorder's settings and control one way, records and bitstream the other
 * (src/encode_link.h). Frames then have their reader in the layer's own process.
 *
 * Pixels are B,G,R,A bytes, rows `stride` bytes apart. Times are
 * CLOCK_MONOTONIC nanoseconds. All fields are host-endian: both sides run on
 * one machine. Fields marked (atomic) are only touched with __atomic built-ins.
 *
 * Slot life: FREE -> WRITING -> READY -> READING -> FREE. The writer never
 * waits: when no slot is FREE it takes the oldest READY one (READY -> WRITING)
 * and counts it in `superseded`. A slot that is READING is never touched by
 * the writer. If all are READING or WRITING the present is lost and counted.
 *
 * What lies between the cffi marks is read by Python too, so it holds plain
 * declarations only.
 */
#ifndef UISPLICE_FRAME_RING_H
#define UISPLICE_FRAME_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)
/* cffi: begin */
#define UIS_RING_MAGIC 0x52534955 /* "UISR" */
#define UIS_RING_VERSION 6
#define UIS_RING_SLOT_HEADER 4096 /* bytes before a slot's pixels */
#define UIS_RING_MAX_DAMAGE 16
#define UIS_RING_MAX_REGIONS 8
#define UIS_RING_MAX_SLOTS 64

/* Whose process encodes. */
#define UIS_ENCODE_RECORDER 0
#define UIS_ENCODE_LAYER 1

/* Slot states. */
#define UIS_SLOT_FREE 0
#define UIS_SLOT_WRITING 1
#define UIS_SLOT_READY 2
#define UIS_SLOT_READING 3

/* Slot flags. */
#define UIS_SLOT_DAMAGE_MISSING 1 /* no damage came with the present: all of it */
#define UIS_SLOT_ON_DEVICE 2      /* its pixels are on the GPU, under the same sequence (image.h) */
#define UIS_SLOT_COPIED 4         /* and the slot has a copy, because somebody asked for it */

/* writer_state: how far the layer has come. */
#define UIS_WRITER_NONE 0       /* no layer has attached */
#define UIS_WRITER_ATTACHED 1   /* an instance exists in some Chrome process */
#define UIS_WRITER_SWAPCHAIN 2  /* the main window's swapchain exists */
#define UIS_WRITER_PRESENTING 3 /* at least one frame of it was published */
#define UIS_WRITER_FAILED 4     /* capture gave up: see writer_error */

/* Pixels, top-left origin. */
typedef struct uis_rect {
    int32_t x, y, w, h;
} uis_rect;

typedef struct uis_video_region {
    uis_rect rect;       /* where the video is seen, clipped to the view, device pixels */
    uint32_t id;         /* stable for one <video> element */
    uint32_t playing;    /* 1 while new video frames are expected */
    uint64_t changed_ns; /* when the page said so */
} uis_video_region;

/* What the layer captures (UIS_CAPTURE): pixels in the ring's slots, frames on the GPU
 * (zero-copy), or both, compared. */
#define UIS_CAPTURE_HOST 0
#define UIS_CAPTURE_DEVICE 1
#define UIS_CAPTURE_VERIFY 2

/* What became of zero-copy, said by the layer. Frames count from the ring's creation. */
typedef struct uis_device_capture {
    uint32_t wanted;     /* UIS_CAPTURE_* that the layer was asked for */
    uint32_t active;     /* (atomic) and what it does; less than wanted: see fallback */
    uint64_t copied;     /* (atomic) presents whose pixels reached a buffer on the GPU */
    uint64_t lost;       /* (atomic) presents that found no free one, or whose copy failed */
    uint64_t superseded; /* (atomic) frames on the GPU overwritten untaken */
    uint64_t equal;      /* (atomic) verify: frames the same on the GPU and in the ring */
    uint64_t different;  /* (atomic) verify: and those that were not */
    uint64_t presents;   /* (atomic) captured presents that were timed, in any mode */
    uint32_t median_ns;  /* (atomic) what vkQueuePresentKHR took; 0: none yet */
    uint32_t p99_ns;     /* (atomic) and 99 of 100 did not take longer than */
    uint32_t copy_ns;    /* (atomic) median, present to pixels on the GPU */
    uint32_t reserved;
    char fallback[256]; /* why frames do not stay on the GPU; empty: they do, or need not */
    /* Said by the encoders in the layer's process. */
    uint64_t encoded;          /* (atomic) frames that were encoded from there */
    uint64_t downloaded;       /* (atomic) those that were copied to the host for it */
    char download_reason[256]; /* why, of the last one */
} uis_device_capture;

typedef struct uis_ring_header {
    uint32_t magic;
    uint32_t version;
    uint64_t total_size;  /* bytes of the whole object */
    uint32_t header_size; /* sizeof(uis_ring_header), checked on attach */
    uint32_t slot_count;
    uint64_t slots_offset; /* of slot 0 from the start of the object */
    uint64_t slot_stride;  /* bytes from one slot to the next */
    uint32_t width;        /* (atomic) of the main window: chooses the swapchain captured */
    uint32_t height;       /* (atomic) while no swapchain is; a resize changes both */
    uint32_t max_width;    /* the view: no captured window is wider */
    uint32_t max_height;   /* or higher */
    uint32_t encode;       /* UIS_ENCODE_*, as long as the object lives */
    uint32_t reserved;
    uint64_t link_offset; /* of the encode link, from the start of the object */
    uint64_t link_size;   /* bytes; 0 when the recorder's process encodes */

    /* Recorder -> layer. */
    uint64_t pace_origin_ns; /* (atomic) FIFO beat: origin + k * period */
    uint64_t pace_period_ns; /* (atomic) 0: the layer's own default */
    uint32_t reader_pid;
    uint32_t reader_closed; /* (atomic) 1: nobody reads any more, stop publishing */

    /* Layer -> recorder. */
    uint32_t writer_state; /* (atomic) */
    uint32_t writer_pid;
    uint32_t publish_word;   /* (atomic) futex: +1 each publication, wraps */
    uint32_t passthrough;    /* 1: the driver's own swapchain is captured */
    uint64_t presented;      /* (atomic) presents of the main window seen */
    uint64_t published;      /* (atomic) of those, how many became READY */
    uint64_t superseded;     /* (atomic) READY frames overwritten unread */
    uint64_t lost;           /* (atomic) presents that never became READY */
    uint64_t without_damage; /* (atomic) presents that carried no damage rects */
    uint64_t swapchains;     /* (atomic) main-window swapchains created (resizes) */
    char device_name[256];   /* VkPhysicalDeviceProperties.deviceName */
    char writer_error[512];
    uis_device_capture device;

    /* Python -> recorder: a sequence lock around the regions. */
    uint32_t region_sequence; /* (atomic) odd while being written */
    uint32_t region_count;
    uis_video_region regions[UIS_RING_MAX_REGIONS];
} uis_ring_header;

typedef struct uis_ring_slot {
    uint32_t state;      /* (atomic) UIS_SLOT_* */
    uint32_t flags;      /* the writer's; a reader adds UIS_SLOT_COPIED (atomic) */
    uint64_t sequence;   /* ordinal of the present, from 1, no gaps */
    uint64_t present_ns; /* when vkQueuePresentKHR was called */
    uint64_t ready_ns;   /* when the pixels were in the slot */
    uint32_t width, height;
    uint32_t stride; /* bytes a row */
    uint32_t damage_count;
    uis_rect damage[UIS_RING_MAX_DAMAGE];
} uis_ring_slot;

typedef struct uis_ring uis_ring;

/* How a ring is laid out, as it was checked when it was created or attached: what the other
 * process writes into the header later changes nothing of it. */
typedef struct uis_ring_geometry {
    uint32_t slot_count;
    uint32_t max_width, max_height; /* the view */
    uint32_t encode;                /* UIS_ENCODE_* */
    uint64_t slot_room;             /* bytes for a slot's pixels */
    uint64_t frame_bytes;           /* header and slots: where the encode link begins */
} uis_ring_geometry;

/* Creates the shared-memory object NAME ("/...") and maps it. Fails if it
 * exists. Reserves all pages at once, so a full /dev/shm is an error here and
 * not a SIGBUS later. `encode` is UIS_ENCODE_*. Returns 0 or a negative errno with a
 * sentence in err. */
int uis_ring_create(const char *name, uint32_t width, uint32_t height, uint32_t slots,
                    uint32_t encode, uis_ring **out, char *err, size_t err_size);

/* Maps an existing object and checks magic, version, sizes; nothing of what it checked
 * is read from the object again. Same errors. */
int uis_ring_attach(const char *name, uis_ring **out, char *err, size_t err_size);

/* Says which size the main window has from now on, at most the maximum: it is found by its
 * size where its swapchain is not the old one's successor (a new process, a new window). */
void uis_ring_set_window(uis_ring *ring, uint32_t width, uint32_t height);

/* Unmaps; the creator also marks the ring closed and unlinks the name. NULL is fine. */
void uis_ring_close(uis_ring *ring);

uis_ring_header *uis_ring_get_header(uis_ring *ring);
uis_ring_geometry uis_ring_get_geometry(const uis_ring *ring);
uint8_t *uis_ring_slot_pixels(uis_ring_slot *slot);

/* The encode link and its bytes, as they were checked; NULL and 0 without one. */
uint8_t *uis_ring_link(uis_ring *ring, uint64_t *size);

/* Writer. Never blocks. NULL when every slot is being read. The caller fills
 * the slot (everything but state) and publishes or cancels it. One writer
 * thread at a time. */
uis_ring_slot *uis_ring_begin_write(uis_ring *ring);
void uis_ring_publish(uis_ring *ring, uis_ring_slot *slot);
void uis_ring_cancel(uis_ring *ring, uis_ring_slot *slot);

/* Frees what a writer that is gone was writing. No other writer may be at work. */
void uis_ring_drop_writer(uis_ring *ring);

/* Reader, one thread. take returns the oldest READY slot whose present time is
 * below before_ns (0: any), now READING, or NULL. */
uis_ring_slot *uis_ring_take(uis_ring *ring, uint64_t before_ns);

/* Copies what the writer says of a taken slot. 0, or -1: pixels or damage would not fit
 * the slot. The writer is another process: use the copy, never the slot's own fields. */
int uis_ring_describe(const uis_ring *ring, const uis_ring_slot *slot, uis_ring_slot *out);
void uis_ring_release(uis_ring_slot *slot);

/* Frees what a reader that is gone held. No reader may be at work. */
void uis_ring_drop_reader(uis_ring *ring);

/* Any thread. Copies the newest frame that the reader holds and whose pixels are in its slot, for a
 * diagnosis: what it says of itself to `said`, its rows without gaps to `out` of `size` bytes. 0;
 * -ENOENT: none is held; -ENODATA: those held are on the GPU; -EAGAIN: it was let go meanwhile;
 * -EPROTO: it does not fit its slot; -ENOSPC: `out` is too small. */
int uis_ring_copy_held(uis_ring *ring, uis_ring_slot *said, uint8_t *out, size_t size);

/* Any thread. Asks the encoder host to copy the pixels of the frame that it holds from the GPU to
 * the frame's slot (UIS_SLOT_COPIED), and waits until it has. 0; -EAGAIN: it holds none just now;
 * -EIO: it could not; -ENODATA: encoders are in the recorder's process, which sees no GPU; -ESRCH:
 * no host is at work; -ETIMEDOUT. */
int uis_ring_ask_held(uis_ring *ring, uint64_t timeout_ns);

/* Waits until something is published after `seen` (a publish_word value) or
 * until timeout_ns has passed. */
void uis_ring_wait(uis_ring *ring, uint32_t seen, uint64_t timeout_ns);

/* The same for any futex word that processes share, and waking all who wait for it. */
void uis_shared_wait(uint32_t *word, uint32_t seen, uint64_t timeout_ns);
void uis_shared_wake(uint32_t *word); /* adds 1 first */

/* Video regions: one writer (Python), one reader (recorder). get returns the count; 0
 * when the writer has stood still inside a write for longer than any write takes. */
void uis_ring_set_regions(uis_ring *ring, const uis_video_region *regions, uint32_t count);
uint32_t uis_ring_get_regions(uis_ring *ring, uis_video_region *out);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t uis_now_ns(void);
/* cffi: end */
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
