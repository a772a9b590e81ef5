"""The frame ring: lossless while read, never blocking the writer, checked on attach."""

from __future__ import annotations

import errno
import stat
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from support.feeder import Feeder

from harness.errors import CaptureError, EnvironmentProblem
from harness.native import native
from harness.recorder import Recorder, RecorderSettings
from harness.ring import FrameRing, VideoRegion


def frame(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 4), value, np.uint8)


def take(ring: FrameRing, before_ns: int = 0):
    return native().lib.uis_ring_take(ring.pointer, before_ns)


def shared(ring: FrameRing) -> Path:
    return Path("/dev/shm") / ring.name.lstrip("/")


def attach_error(name: str) -> str:
    library = native()
    out = library.ffi.new("uis_ring **")
    error = library.ffi.new("char[]", 512)
    rc = library.lib.uis_ring_attach(name.encode(), out, error, 512)
    if rc == 0:
        library.lib.uis_ring_close(out[0])
        return ""
    return library.text(error)


def test_frames_come_out_in_order_with_pixels_and_damage():
    with FrameRing(64, 48, slots=4) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(1), [(0, 0, 64, 48)])
        feeder.present(frame(2), [(16, 8, 4, 4), (1, 2, 3, 4)])
        first, second = take(ring), take(ring)
        assert (first.sequence, second.sequence) == (1, 2)
        assert second.damage_count == 2
        assert (second.damage[1].x, second.damage[1].h) == (1, 4)
        lib, ffi = native().lib, native().ffi
        pixels = bytes(ffi.buffer(lib.uis_ring_slot_pixels(second), 64 * 48 * 4))
        assert pixels == frame(2).tobytes()
        assert take(ring) == ffi.NULL


def test_draining_takes_every_frame_and_frees_its_slot():
    with FrameRing(64, 48, slots=3) as ring:
        assert list(ring.drain()) == []
        feeder = Feeder(ring)
        for first in (1, 4):  # the second time there is room again
            small = np.arange(32 * 16 * 4, dtype=np.uint8).reshape(16, 32, 4)
            feeder.present(frame(1), [(0, 0, 64, 48)])
            feeder.present(small, [(16, 8, 4, 4), (1, 2, 3, 4)])
            feeder.present(frame(3))
            taken = list(ring.drain())
            assert [one.sequence for one in taken] == [first, first + 1, first + 2]
            assert [one.damage for one in taken] == [
                ((0, 0, 64, 48),),
                ((16, 8, 4, 4), (1, 2, 3, 4)),
                (),
            ]
            assert [one.damaged for one in taken] == [64 * 48, 16 + 12, 0]
            assert (taken[0].pixels == frame(1)).all()
            assert (taken[1].pixels == small).all()
            assert (taken[1].rgb[..., 0] == small[..., 2]).all()
            assert taken[1].rgb.shape == (16, 32, 3)
        assert ring.counters().superseded == 0


def test_draining_believes_no_slot_that_cannot_be():
    with FrameRing(64, 48, slots=2) as ring:
        feeder = Feeder(ring)
        for _ in range(3):
            feeder.present(frame(1), stride=1 << 20)
            with pytest.raises(CaptureError, match="64x48 does not fit"):
                next(ring.drain())
        assert ring.counters().superseded == 0


def test_a_full_ring_supersedes_the_oldest_and_counts_it():
    with FrameRing(64, 48, slots=3) as ring:
        feeder = Feeder(ring)
        for value in range(5):
            feeder.present(frame(value))
        assert ring.counters().superseded == 2
        assert [take(ring).sequence for _ in range(3)] == [3, 4, 5]


def test_the_writer_never_touches_what_is_being_read():
    with FrameRing(64, 48, slots=2) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(7))
        feeder.present(frame(8))
        held = take(ring), take(ring)
        assert native().lib.uis_ring_begin_write(ring.pointer) == native().ffi.NULL
        native().lib.uis_ring_release(held[0])
        feeder.present(frame(9))
        lib, ffi = native().lib, native().ffi
        assert bytes(ffi.buffer(lib.uis_ring_slot_pixels(held[1]), 4)) == b"\x08" * 4


def test_only_frames_before_a_time_are_taken():
    with FrameRing(64, 48, slots=4) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(1))
        now = native().lib.uis_now_ns()
        feeder.present(frame(2))
        assert take(ring, now).sequence == 1
        assert take(ring, now) == native().ffi.NULL


def test_the_frame_that_the_reader_holds_can_be_copied():
    with FrameRing(64, 48, slots=3) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(1))
        assert ring.held_frame() is None  # nobody has taken it
        first = take(ring)
        feeder.present(frame(2))
        held = ring.held_frame()
        assert held is not None and held.sequence == 1
        assert (held.pixels == frame(1)).all()
        small = frame(3, 32, 16)
        feeder.present(small)
        take(ring), take(ring)
        held = ring.held_frame()
        assert held is not None and held.sequence == 3
        assert (held.pixels[:16, :32] == small).all()
        assert set(held.pixels[16:].ravel()) == {0, 255} and held.pixels[..., 3][20, 40] == 255
        native().lib.uis_ring_release(first)
        lib, ffi = native().lib, native().ffi
        said, room = ffi.new("uis_ring_slot *"), ffi.new("uint8_t[]", 8)
        assert lib.uis_ring_copy_held(ring.pointer, said, room, 8) == -errno.ENOSPC


def test_a_held_frame_on_the_gpu_needs_a_copy_in_its_slot():
    """Nobody is there to make one here; of two that are held the one that has one is it."""
    lib, ffi = native().lib, native().ffi
    with FrameRing(64, 48, slots=3) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(1))
        feeder.present(frame(2))
        first, second = take(ring), take(ring)
        second.flags |= lib.UIS_SLOT_ON_DEVICE
        assert ring.held_frame().sequence == 1
        first.flags |= lib.UIS_SLOT_ON_DEVICE
        said, room = ffi.new("uis_ring_slot *"), ffi.new("uint8_t[]", 12288)
        assert lib.uis_ring_copy_held(ring.pointer, said, room, 12288) == -errno.ENODATA
        assert ring.held_frame() is None
        assert lib.uis_ring_ask_held(ring.pointer, 10**9) == -errno.ENODATA
        second.flags |= lib.UIS_SLOT_COPIED
        held = ring.held_frame()
        assert held is not None and held.sequence == 2 and (held.pixels == frame(2)).all()


def test_a_held_frame_that_does_not_fit_is_none():
    with FrameRing(64, 48) as ring:
        Feeder(ring).present(frame(1), stride=1 << 20)
        take(ring)
        assert ring.held_frame() is None


def test_the_layout_stays_what_was_checked():
    """Whoever else has the object mapped may write to its header."""
    library = native()
    with FrameRing(64, 48, slots=4) as ring:
        out = library.ffi.new("uis_ring **")
        error = library.ffi.new("char[]", 512)
        assert library.lib.uis_ring_attach(ring.name.encode(), out, error, 512) == 0
        checked = library.lib.uis_ring_get_geometry(out[0])
        assert (checked.slot_count, checked.max_width, checked.max_height) == (4, 64, 48)
        assert (checked.encode, checked.slot_room) == (library.lib.UIS_ENCODE_RECORDER, 64 * 48 * 4)
        assert checked.frame_bytes == shared(ring).stat().st_size
        Feeder(ring).present(frame(1))
        take(ring)
        header = library.lib.uis_ring_get_header(out[0])
        header.slot_count, header.max_width, header.max_height = 1 << 30, 16384, 16384
        header.slot_stride = header.slots_offset = header.link_offset = 1 << 40
        header.encode = library.lib.UIS_ENCODE_LAYER
        held = ring.held_frame()
        assert held is not None and held.pixels.shape == (48, 64, 4)
        for one in (out[0], ring.pointer):
            again = library.lib.uis_ring_get_geometry(one)
            assert (
                library.ffi.buffer(library.ffi.addressof(again))[:]
                == (library.ffi.buffer(library.ffi.addressof(checked))[:])
            )
        library.lib.uis_ring_close(out[0])


def test_what_a_dead_writer_was_writing_is_free_again():
    with FrameRing(64, 48, slots=2) as ring:
        lib, ffi = native().lib, native().ffi
        Feeder(ring).present(frame(1))
        held = take(ring)
        assert lib.uis_ring_begin_write(ring.pointer) != ffi.NULL
        assert lib.uis_ring_begin_write(ring.pointer) == ffi.NULL
        lib.uis_ring_drop_writer(ring.pointer)
        assert held.state == lib.UIS_SLOT_READING
        assert lib.uis_ring_begin_write(ring.pointer) != ffi.NULL
        assert lib.uis_ring_begin_write(ring.pointer) == ffi.NULL


def test_regions_go_through():
    with FrameRing(64, 48) as ring:
        ring.set_regions([VideoRegion(5, 1, 2, 30, 40, True, 99)])
        out = native().ffi.new("uis_video_region[8]")
        assert native().lib.uis_ring_get_regions(ring.pointer, out) == 1
        assert (out[0].id, out[0].rect.w, out[0].playing, out[0].changed_ns) == (5, 30, 1, 99)


def test_shared_memory_is_private_and_gone_after_close():
    ring = FrameRing(64, 48)
    path = shared(ring)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ring.close()
    assert not path.exists()
    ring.close()  # twice is fine


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (0, 0x12345678, "wrong magic"),
        (4, 99, "protocol version 99"),
        (16, 1, "sizes that do not fit"),
        (20, 1000, "sizes that do not fit"),
        (48, 100000, "sizes that do not fit"),  # max_width
        (56, 2, "an encode link that does not fit"),  # encode
        (56, 1, "an encode link that does not fit"),
        (64, 4096, "an encode link that does not fit"),  # link_offset
        (72, 4096, "an encode link that does not fit"),  # link_size
    ],
)
def test_attach_refuses_a_ring_that_does_not_fit(offset: int, value: int, words: str):
    with FrameRing(64, 48) as ring:
        assert attach_error(ring.name) == ""
        with shared(ring).open("r+b") as file:
            file.seek(offset)
            file.write(struct.pack("<I", value))
        assert words in attach_error(ring.name)


@pytest.mark.parametrize(
    ("offset", "value"), [(56, 0), (64, 0), (72, 0), (72, 4096), (72, 8192), (76, 1), (76, 1 << 31)]
)
def test_attach_refuses_an_encode_link_that_does_not_fit(offset: int, value: int):
    with FrameRing(64, 48, encode="layer") as ring:
        assert attach_error(ring.name) == ""
        with shared(ring).open("r+b") as file:
            file.seek(offset)
            file.write(struct.pack("<I", value))
        assert "an encode link that does not fit" in attach_error(ring.name)


@pytest.mark.parametrize(
    "field",
    [
        {"width": 0},
        {"height": 0},
        {"width": 1 << 30},
        {"height": 4096},
        {"stride": 8},
        {"stride": 1 << 31},
        {"damage_count": 17},
    ],
)
def test_a_frame_that_does_not_fit_its_slot_is_refused(field: dict[str, int]):
    with FrameRing(64, 48) as ring:
        Feeder(ring).present(frame(1))
        slot = take(ring)
        said = native().ffi.new("uis_ring_slot *")
        assert native().lib.uis_ring_describe(ring.pointer, slot, said) == 0
        assert (said.width, said.height, said.stride) == (64, 48, 256)
        for name, value in field.items():
            setattr(slot, name, value)
        assert native().lib.uis_ring_describe(ring.pointer, slot, said) == -1


def test_a_recording_of_a_broken_frame_ends_with_a_sentence(tmp_path: Path):
    with FrameRing(64, 48) as ring:
        feeder = Feeder(ring)
        feeder.present(frame(1))
        recorder = Recorder(RecorderSettings(64, 48, fps=20), ring, tmp_path / "s.mkv")
        try:
            time.sleep(0.05)
            recorder.start()
            feeder.present(frame(2), stride=1 << 20)
            deadline = time.monotonic() + 5
            while not recorder.failed and time.monotonic() < deadline:
                time.sleep(0.01)
            assert "does not fit its ring slot" in recorder.stop().error
        finally:
            recorder.close()


def test_a_writer_that_died_inside_its_lock_does_not_hang_the_reader():
    with FrameRing(64, 48) as ring:
        ring.set_regions([VideoRegion(5, 1, 2, 30, 40, True, 99)])
        native().lib.uis_ring_get_header(ring.pointer).region_sequence += 1
        out = native().ffi.new("uis_video_region[8]")
        assert native().lib.uis_ring_get_regions(ring.pointer, out) == 0


def test_attach_names_what_is_missing_or_too_small():
    assert "cannot open frame ring /uisplice-none" in attach_error("/uisplice-none")
    short = Path("/dev/shm/uisplice-test-short")
    try:
        short.write_bytes(b"UISR")
        assert "too small" in attach_error("/uisplice-test-short")
    finally:
        short.unlink()


def test_a_ring_that_does_not_fit_in_memory_is_a_clear_error():
    with pytest.raises(EnvironmentProblem, match=r"cannot reserve .* MiB of shared memory"):
        FrameRing(16384, 16384, slots=64)
