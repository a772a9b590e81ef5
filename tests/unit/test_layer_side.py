"""Encoding in the layer's process: the same stream, and an end with a sentence whatever
happens to the other process. The host runs on threads here, or in a child; no Chrome."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from support import content
from support.feeder import Feeder, Frame, await_ticks, host, record

from harness.checks import access_units, check_recording
from harness.errors import RecorderError
from harness.native import native
from harness.recorder import Fault, Recorder, RecorderSettings, Recording, Tick, native_config
from harness.ring import FrameRing, VideoRegion

ROOT = Path(__file__).parents[2]
W, H = 160, 96
FPS = 12  # slow: both sides must see every frame on the same tick, on a busy machine, too
VIDEO = VideoRegion(1, 48, 16, 64, 48, True, 0)
CHILD = """
import sys, time
from harness.native import native
lib, ffi = native().lib, native().ffi
out, error = ffi.new("uis_encode_host **"), ffi.new("char[]", 512)
assert lib.uis_encode_host_open(sys.argv[1].encode(), b"", out, error, 512) == 0
assert lib.uis_encode_host_start(out[0], ffi.NULL) == 0
print("started", flush=True)
time.sleep(60)
"""


def session(count: int) -> tuple[Frame, list[tuple[Frame | None, list[VideoRegion]]]]:
    """A page with a video, whose last frames also change the page; some ticks see nothing."""
    page = content.ui(W, H)
    changed = page.copy()
    changed[80:96, 0:32] = 255
    clip = content.natural(VIDEO.w, VIDEO.h, count)
    frames = [
        content.paste(changed if n > count - 4 else page, clip[n], VIDEO.x, VIDEO.y)
        for n in range(count)
    ]
    return page, [(None if n % 5 == 3 else frame, [VIDEO]) for n, frame in enumerate(frames)]


def noise(count: int) -> list[Frame]:
    """Frames of 64x48 that no encoder makes small: few fill the stream's ring of 12 KiB."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (48, 64, 4), np.uint8) for _ in range(count)]


def seen(tick: Tick) -> tuple[Any, ...]:
    """A tick, but for its times."""
    times = re.compile(r"_ms$|^time$|^present$")
    return tuple(
        getattr(tick, name) for name in Tick.__dataclass_fields__ if not times.search(name)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"measure": True, "keyframe_interval": 5},
        {"splice": "rows", "deblock": False},
        {"splice": "separate", "faults": Fault.WRONG_LTR},
        {"mode": "single-vfr", "faults": Fault.BAD_SHARES},
    ],
    ids=["syntax", "rows", "fault", "single"],
)
def test_the_stream_is_the_same_wherever_it_is_encoded(tmp_path: Path, settings: dict[str, Any]):
    first, frames = session(9)
    native()  # before two threads would each load it

    def recorded(side: Any) -> Recording:
        path = tmp_path / f"{side}.mkv"
        return record(path, frames, fps=FPS, first=first, encode=side, **settings)

    with ThreadPoolExecutor(2) as pool:
        here, there = pool.map(recorded, ("recorder", "layer"))
    assert here.error == there.error == ""
    assert [seen(tick) for tick in there.ticks] == [seen(tick) for tick in here.ticks]
    assert list(access_units(there.stream)) == list(access_units(here.stream))
    assert np.array_equal(there.digests.load(), here.digests.load())
    assert there.digests.pictures >= 7
    assert there.unseen_drops == here.unseen_drops == 0


def test_a_recorder_that_is_behind_loses_nothing():
    """Nobody takes records until the recording is over, and the ring is full long before."""
    lib, ffi = native().lib, native().ffi
    with remote(RecorderSettings(64, 48, fps=60, qp=1)) as (ring, recorder), host(ring):
        feeder = Feeder(ring)
        feeder.present(noise(1)[0])
        assert lib.uis_recorder_start(recorder, 0) == 0
        origin = lib.uis_recorder_origin(recorder)
        for frame in noise(12):
            feeder.present(frame)
            time.sleep(1 / 60)
        lib.uis_recorder_stop(recorder, 0)
        stopped = lib.uis_now_ns() - origin
        written = lib.uis_recorder_ticks(recorder)
        tick = ffi.new("uis_tick *")
        taken = []
        while (rc := lib.uis_recorder_next(recorder, 3000, tick)) == 1:
            taken.append((tick.index, tick.tick_ns - origin, tick.au_size))
        assert rc == -1
        assert [index for index, _, _ in taken] == list(range(len(taken)))
        assert sum(size for _, _, size in taken) > 3 * 12288, "or the ring never was full"
        assert written < len(taken), "or nobody had to wait"
        assert all(ticks < stopped for _, ticks, _ in taken)


def test_a_keyframe_on_request_and_the_end_said_ahead(tmp_path: Path):
    with FrameRing(64, 48, encode="layer") as ring, host(ring):
        Feeder(ring).present(noise(1)[0])
        recorder = Recorder(RecorderSettings(64, 48, fps=20), ring, tmp_path / "s.mkv")
        try:
            recorder.start()
            recorder.end_at(0.4)
            await_ticks(recorder, 3)
            recorder.request_keyframe()
            await_ticks(recorder, 8)
            time.sleep(0.1)
            assert recorder.ticks == 8
            recording = recorder.stop(0.4)
        finally:
            recorder.close()
    assert recording.error == "" and recorder.failed == ""
    keys = [tick.index for tick in recording.ticks if tick.keyframe]
    assert len(keys) == 2 and keys[0] == 0 and 3 <= keys[1] < 8


# --- what the other process may do ---------------------------------------------------------


@contextlib.contextmanager
def remote(settings: RecorderSettings) -> Iterator[tuple[FrameRing, Any]]:
    """A ring and a recorder on it, without a thread that takes records."""
    lib, ffi = native().lib, native().ffi
    with FrameRing(settings.width, settings.height, encode="layer") as ring:
        out = ffi.new("uis_recorder **")
        error = ffi.new("char[]", 512)
        config = native_config(settings)
        assert lib.uis_recorder_create(config, ring.pointer, out, error, 512) == 0
        try:
            yield ring, out[0]
        finally:
            lib.uis_recorder_destroy(out[0])


class FakeHost:
    """Writes the link as a host does, and then what none would."""

    def __init__(self, ring: FrameRing) -> None:
        header = (ROOT / "native/src/encode_link.h").read_text()
        marked = re.search(r"/\* cffi: begin \*/(.*)/\* cffi: end \*/", header, re.S)
        assert marked
        self.ffi = cffi.FFI()
        self.ffi.include(native().ffi)
        self.ffi.cdef(re.sub(r"/\*.*?\*/", "", marked[1], flags=re.S))
        size = native().ffi.new("uint64_t *")
        start = native().lib.uis_ring_link(ring.pointer, size)
        self.link: Any = self.ffi.cast("uis_encode_link *", start)
        self.stream = start + 8192
        self.room = size[0] - 8192
        self.link.host_pid = os.getpid()
        self.link.host_state = 2

    def record(self) -> Any:
        """The first tick, without a picture."""
        record = self.ffi.new("uis_link_record *")
        record.magic = 0x4C534955
        record.tick.mbs = 12
        record.tick.tick_ns = self.link.origin_ns
        return record

    def send(self, record: Any) -> None:
        size = self.ffi.sizeof(record[0])
        native().ffi.memmove(self.stream + self.link.head, self.ffi.buffer(record), size)
        self.link.head += size


@pytest.fixture
def fake() -> Iterator[tuple[FakeHost, Callable[[], tuple[int, str]]]]:
    """A host, and what the recorder says when it looks."""
    lib, ffi = native().lib, native().ffi
    with remote(RecorderSettings(64, 48)) as (ring, recorder):
        made = FakeHost(ring)
        assert lib.uis_recorder_start(recorder, 0) == 0

        def look() -> tuple[int, str]:
            rc = lib.uis_recorder_next(recorder, 0, ffi.new("uis_tick *"))
            return rc, native().text(lib.uis_recorder_error(recorder))

        yield made, look


def test_a_record_that_is_whole_is_taken(fake):
    made, look = fake
    assert look() == (0, "")
    made.send(made.record())
    assert look() == (1, "")
    made.link.host_state = 3
    assert look() == (-1, "")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r: setattr(r, "magic", 7), "its mark"),
        (lambda r: setattr(r.tick, "index", 1), "the tick's number"),
        (lambda r: setattr(r, "au_size", 1 << 40), "the access unit's size"),
        (lambda r: setattr(r, "digests", 13), "the number of macroblocks"),
        (lambda r: setattr(r.tick, "mbs", 1 << 20), "the number of macroblocks"),
        (lambda r: setattr(r.tick, "au_size", 1), "the number of macroblocks"),
        (lambda r: setattr(r.tick, "tick_class", 3), "the tick's class"),
        (lambda r: setattr(r.tick, "picture", 9), "the tick's class"),
        (lambda r: setattr(r.tick, "picture", 1), "the tick's class"),
        (lambda r: setattr(r.tick, "regions", 9), "the number of regions"),
        (lambda r: setattr(r.tick, "region_count", 1 << 31), "the number of regions"),
        (lambda r: setattr(r.tick, "dirty_mbs", 13), "a count of macroblocks"),
        (lambda r: setattr(r.tick, "dirty_outside_mbs", 1), "a count of macroblocks"),
        (lambda r: setattr(r.tick, "video_mbs", 13), "a count of macroblocks"),
        (lambda r: setattr(r.tick, "tick_ns", r.tick.tick_ns + 1), "its time"),
        (lambda r: setattr(r.tick, "present_ns", r.tick.tick_ns + 2_000_000_000), "its time"),
        (lambda r: setattr(r.tick, "dirty", (32, 0, 33, 1)), "a rectangle"),
        (lambda r: setattr(r.tick, "region", (0, -1, 1, 1)), "a rectangle"),
        (lambda r: setattr(r.tick, "dirty", (2**31 - 1, 0, 2**31 - 1, 1)), "a rectangle"),
        (lambda r: setattr(r.tick, "sse_y", float("nan")), "a measure"),
        (lambda r: setattr(r.tick, "sse_video", -1.0), "a measure"),
        (lambda r: setattr(r.tick, "ssim", float("inf")), "a measure"),
        (lambda r: setattr(r.tick, "copied_bytes", 12 * 384 + 1), "a measure"),
    ],
)
def test_a_damaged_record_is_refused(fake, damage: Callable[[Any], None], words: str):
    made, look = fake
    record = made.record()
    damage(record)
    made.send(record)
    code, said = look()
    assert code == -2
    assert said == f"the process that encodes wrote a damaged record: {words} is wrong"
    assert made.link.abort == 1, "the host need not go on"
    assert look() == (-2, said)


def test_a_tick_that_is_not_due_yet_is_refused():
    """Else a host could fill the disk with ticks of the future."""
    lib, ffi = native().lib, native().ffi
    with remote(RecorderSettings(64, 48, fps=1)) as (ring, recorder):
        made = FakeHost(ring)
        assert lib.uis_recorder_start(recorder, 0) == 0
        for index in range(10):
            record = made.record()
            record.tick.index = index
            record.tick.tick_ns += index * 1_000_000_000
            made.send(record)
            rc = lib.uis_recorder_next(recorder, 0, ffi.new("uis_tick *"))
            if rc != 1:
                break
        said = native().text(lib.uis_recorder_error(recorder))
    assert (rc, index > 0) == (-2, True)
    assert said == "the process that encodes wrote a damaged record: its time is wrong"


def test_a_host_that_miscounts_or_breaks_off_is_refused(fake):
    made, look = fake
    made.link.head = made.room + 1
    assert look() == (-2, "the process that encodes miscounted the stream's bytes")


def test_a_stream_that_ends_inside_a_record_is_said(fake):
    made, look = fake
    made.link.head = 100
    made.stream[0:4] = b"UISL"
    assert look() == (0, "")
    made.link.host_state = 3
    assert look() == (-2, "the last record broke off")


def test_what_the_host_says_of_itself_is_shown_as_text(fake):
    made, look = fake
    made.link.error = b"the disk\nis full"
    made.link.host_state = 4
    assert look() == (-2, "the disk is full")


def test_a_host_that_fails_without_a_word_is_a_failure_all_the_same(fake):
    """Found by fuzz_link: without a sentence the recording would have counted as whole."""
    made, look = fake
    made.link.error = b"\n"
    made.link.host_state = 4
    assert look() == (-2, "the process that encodes failed, and did not say why")


def test_a_host_that_stands_still_ends_the_recording(fake):
    made, look = fake
    now = native().lib.uis_now_ns()
    made.link.beat_ns = now - 9_000_000_000
    assert look() == (0, "")
    made.link.beat_ns = now - 11_000_000_000
    code, said = look()
    assert code == -2 and "has not answered for 10 s; the stream holds 0 ticks" in said


def test_a_request_for_pixels_that_nobody_answers_ends():
    """No host, one that stands still, and one that says what cannot be."""
    lib = native().lib
    with FrameRing(64, 48, encode="layer") as ring:
        assert lib.uis_ring_ask_held(ring.pointer, 10**9) == -errno.ESRCH
        made = FakeHost(ring)
        begun = time.monotonic()
        assert lib.uis_ring_ask_held(ring.pointer, 50_000_000) == -errno.ETIMEDOUT
        assert 0.04 < time.monotonic() - begun < 10
        for said, result in ((0, 0), (-errno.ENOENT, -errno.EAGAIN), (77, -errno.EIO)):
            made.link.pixels_given = made.link.pixels_wanted + 1
            made.link.pixels_result = said
            assert lib.uis_ring_ask_held(ring.pointer, 10**9) == result


def host_error(name: str, spool: str = "") -> str:
    lib, ffi = native().lib, native().ffi
    error = ffi.new("char[]", 512)
    out = ffi.new("uis_encode_host **")
    assert lib.uis_encode_host_open(name.encode(), spool.encode(), out, error, 512) < 0
    assert out[0] == ffi.NULL
    return native().text(error)


def test_a_host_says_what_it_lacks():
    with FrameRing(64, 48) as ring:
        assert host_error(ring.name) == f"frame ring {ring.name} has no encode link"
    with FrameRing(64, 48, encode="layer") as ring:
        assert "for a tape's frames, /nowhere/x: No such file" in host_error(
            ring.name, "/nowhere/x"
        )
    assert "cannot open frame ring /uisplice-none" in host_error("/uisplice-none")


def test_encoders_that_do_not_open_there_are_the_starts_error(tmp_path: Path):
    with FrameRing(64, 48, encode="layer") as ring, host(ring):
        recorder = Recorder(RecorderSettings(64, 48, preset="nosuch"), ring, tmp_path / "s.mkv")
        try:
            with pytest.raises(RecorderError, match=r"cannot encode in Chrome's process: .*nosuch"):
                recorder.start()
        finally:
            recorder.close()


def test_a_library_of_another_build_is_refused(tmp_path: Path):
    with FrameRing(64, 48, encode="layer") as ring:
        recorder = Recorder(RecorderSettings(64, 48), ring, tmp_path / "s.mkv")
        made = FakeHost(ring)
        made.link.host_pid = made.link.host_state = 0
        made.link.tick_size += 8
        try:
            with host(ring), pytest.raises(RecorderError, match="is another build"):
                recorder.start()
        finally:
            recorder.close()


@contextlib.contextmanager
def child(ring: FrameRing, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A host in a process of its own, as Chrome's GPU process is."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, ring.name],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout and process.stdout.readline() == "started\n"
            yield process
        finally:
            process.kill()


def test_a_host_that_is_killed_ends_the_recording_with_a_sentence(tmp_path: Path):
    """First before the recording, when another one takes its place, and then within it."""
    with FrameRing(64, 48, slots=3, encode="layer") as ring:
        feeder = Feeder(ring)
        recorder = Recorder(RecorderSettings(64, 48, fps=20), ring, tmp_path / "s.mkv")
        try:
            with child(ring):
                feeder.present(noise(1)[0])
                until = time.monotonic() + 20
                while ring.held_frame() is None and time.monotonic() < until:
                    time.sleep(0.01)
                assert ring.held_frame() is not None, "when it dies it holds that frame"
            with child(ring) as process:
                feeder.present(noise(1)[0])
                recorder.start()
                await_ticks(recorder, 3)
                process.send_signal(signal.SIGKILL)
                until = time.monotonic() + 20
                while not recorder.failed and time.monotonic() < until:
                    time.sleep(0.02)
            recording = recorder.stop()
        finally:
            recorder.close()
    match = re.match(
        r"the process that encodes \(Chrome's GPU process, \d+\) ended after (\d+) ticks; "
        "the stream holds what came until then",
        recording.error,
    )
    assert match and int(match[1]) == len(recording.ticks) >= 3
    failed = [check for check in check_recording(recording) if not check.passed]
    assert {check.name for check in failed} <= {"no frame dropped", "frame accounts add up"}


def test_a_host_that_ends_in_order_says_so_and_its_role_is_free_before(tmp_path: Path):
    with FrameRing(64, 48, encode="layer") as ring:
        Feeder(ring).present(noise(1)[0])
        recorder = Recorder(RecorderSettings(64, 48, fps=20), ring, tmp_path / "s.mkv")
        try:
            with host(ring):
                time.sleep(0.1)
            Feeder(ring).present(noise(1)[0])
            with host(ring):
                recorder.start()
                time.sleep(0.12)
            assert recorder.stop().error == "Chrome's GPU process ended while it encoded"
        finally:
            recorder.close()


STRICT_ALLOCATOR = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
void *memalign(size_t alignment, size_t size) {
    if (alignment > 1 << 20)
        abort();
    return ((void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "memalign"))(alignment, size);
}
"""


def test_libx264_lives_with_chromes_allocator(tmp_path: Path):
    """Chrome's malloc ends the process that asks for a large alignment, as libx264 does from
    720p on. This one does the same, and nothing else."""
    (tmp_path / "strict.c").write_text(STRICT_ALLOCATOR)
    library = tmp_path / "strict.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "strict.c"), "-ldl"]
    subprocess.run(command, check=True)
    with FrameRing(1280, 720, slots=3, encode="layer") as ring:
        recorder = Recorder(RecorderSettings(), ring, tmp_path / "s.mkv")
        try:
            # Behind a sanitizer, which must come first and is less strict.
            preload = f"{os.environ.get('LD_PRELOAD', '')} {library}".strip()
            with child(ring, LD_PRELOAD=preload) as process:
                Feeder(ring).present(np.zeros((720, 1280, 4), np.uint8))
                recorder.start()
                time.sleep(0.1)
                recording = recorder.stop()
                assert process.poll() is None
        finally:
            recorder.close()
    assert recording.error == "" and recording.digests.pictures == 1
