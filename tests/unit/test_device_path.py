"""Frames that stay on the GPU until they are encoded: the same streams as from host memory.

GPU and NVENC are their doubles (tests/doubles), the kernels their C twins: what is shown here is
how the parts are joined, and nothing about a GPU. With UISPLICE_TEST_CUDA=libcuda.so.1 the GPU
and its kernels are real, and NVENC alone is a double.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_merging
import test_sequences
from hypothesis import HealthCheck, given, settings
from support import content, doubles
from support.device import DeviceFrames, DevicePipeline, Gpu
from support.feeder import DeviceFeeder, Frame, await_ticks, host, record
from support.taping import header
from test_merging import Step, region, session, show
from test_window_size import SMALLER

from harness.browser_launch import LayerEnvironment
from harness.captured import CapturedPicture
from harness.checks import access_units, check_recording
from harness.encoder import choose_encoder
from harness.errors import RecorderError
from harness.metrics import measure
from harness.native import native
from harness.pipeline import Pipeline
from harness.recorder import (
    Picture,
    Recorder,
    RecorderSettings,
    Recording,
    Tick,
    TickClass,
)
from harness.ring import CapturedFrame, FrameRing, VideoRegion
from harness.ring import DeviceFrames as Said
from harness.run import RunOptions, settings_of
from harness.scenario import load_scenario
from harness.session import capture_fact
from harness.tape import Tape
from harness.tape_writer import open_spool, write_tape

W, H = 320, 192
FPS = 10  # slow: both sides must see every frame on the same tick, on a busy machine, too
VIDEO = VideoRegion(1, 64, 48, 160, 96, True, 0)


needs_double = pytest.mark.skipif(
    "UISPLICE_TEST_CUDA" in os.environ, reason="a real GPU does not fail on request"
)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    """The CUDA double's, with the NVENC double beside it."""
    doubles.use(monkeypatch, smallest="16x16")
    made = Gpu()
    yield made
    made.close()


def seen(tick: Tick) -> tuple[Any, ...]:
    """A tick, but for its times, and what it took to measure it."""
    other = re.compile(r"_ms$|^time$|^present$|^copied_bytes$")
    return tuple(
        getattr(tick, name) for name in Tick.__dataclass_fields__ if not other.search(name)
    )


def assert_same(there: Recording, here: Recording) -> None:
    assert there.error == here.error == ""
    assert [seen(tick) for tick in there.ticks] == [seen(tick) for tick in here.ticks]
    assert list(access_units(there.stream)) == list(access_units(here.stream))
    assert np.array_equal(there.digests.load(), here.digests.load())
    assert any(tick.sse_y for tick in here.ticks)
    assert not any(tick.copied_bytes for tick in here.ticks)
    for tick in there.ticks:
        # Luma, and for SSIM the chroma, too; of the picture no more than the box that changed.
        assert (tick.copied_bytes > 0) is (tick.tick_class is not TickClass.UNCHANGED)
        box = (tick.dirty.w + tick.dirty.x % 2) * (tick.dirty.h + tick.dirty.y % 2)
        assert tick.copied_bytes <= box * (1.5 if there.settings.measure else 1)


def both(play: Callable[[Path], Recording], module: Any, gpu: Gpu, folder: Path) -> Recording:
    """What `play` records, with `module`'s pipeline on the GPU and in host memory, compared."""
    here = play(folder / "here.mkv")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "Pipeline", functools.partial(DevicePipeline, gpu))
        there = play(folder / "there.mkv")
    assert_same(there, here)
    return there


# ------------------------------------------------------------------- pipeline


def come_and_go() -> list[Step]:
    """Regions that begin, meet, move and go while the page changes under and beside them."""
    page = content.ui(test_merging.WIDTH, test_merging.HEIGHT)
    other = (400, 200, 128, 96)
    clip = content.natural(192, 112, 30)
    steps: list[Step] = [(page, ())]
    for n, picture in enumerate(clip):
        if n % 4 == 3:
            page = content.paste(page, content.ui(60, 40, seed=n), 20 + 8 * n, 20)
        at = test_merging.VIDEO if n < 20 else (96, 64, 192, 112)
        videos = [region(1, at, playing=n < 26)]
        shown = show(page, (picture, at))
        if 8 <= n < 24:
            videos.append(region(2, other))
            shown = show(shown, (picture[:96, :128], other))
        steps.append((shown if n % 7 != 6 else None, videos))
    return steps


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        ({}, {Picture.FULL, Picture.SPLICED, Picture.MERGED}),
        ({"keyframe_interval": 7}, {Picture.FULL, Picture.SPLICED, Picture.MERGED}),
        ({"splice": "separate"}, {Picture.FULL, Picture.SPLICED}),
        ({"splice": "rows"}, {Picture.FULL, Picture.SPLICED}),
        ({"mode": "single"}, {Picture.FULL}),
        ({"measure": True}, {Picture.FULL, Picture.SPLICED, Picture.MERGED}),
    ],
    ids=["merged", "keyframes", "separate", "rows", "single", "ssim"],
)
def test_the_stream_is_the_same_from_the_gpu(
    tmp_path: Path, gpu: Gpu, chosen: dict[str, Any], kinds: set[Picture]
):
    for number, steps in enumerate((session(16), come_and_go())):
        folder = tmp_path / str(number)
        folder.mkdir()
        recording = both(
            lambda path, steps=steps: test_merging.run(path, steps, encoder="nvenc", **chosen),
            test_merging,
            gpu,
            folder,
        )
        assert kinds <= {tick.picture for tick in recording.ticks}


@given(test_sequences.sessions())
@settings(
    max_examples=min(test_sequences.SEQUENCES, 15),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
def test_every_sequence_is_the_same(drawn: test_sequences.Drawn):
    with pytest.MonkeyPatch.context() as monkeypatch, tempfile.TemporaryDirectory() as folder:
        doubles.use(monkeypatch, smallest="16x16")
        gpu = Gpu()
        try:
            both(
                lambda path: test_sequences.play(drawn, path, "nvenc"),
                test_sequences,
                gpu,
                Path(folder),
            )
        finally:
            gpu.close()


def test_where_quality_was_measured_is_said(tmp_path: Path, gpu: Gpu):
    """All of the first picture, and then of the box that changes; the same numbers."""
    page = content.ui(W, H)
    frames = [page, *(content.paste(page, clip, 96, 32) for clip in content.natural(64, 48, 3))]
    said = {}
    for name, made in (
        ("there", functools.partial(DevicePipeline, gpu)),
        ("here", Pipeline),
    ):
        settings_ = RecorderSettings(W, H, encoder="nvenc", measure=True)
        with made(settings_, tmp_path / f"{name}.mkv") as pipeline:
            for frame in frames:
                pipeline.tick(np.ascontiguousarray(frame))
            said[name] = measure(pipeline.finish(), "s", [], environment={"capture": name})
    there, here = said["there"], said["here"]
    assert here.environment["measured with"] == "frames in host memory"
    copied = (W * H + 3 * 64 * 48) * 1.5
    assert there.environment == {
        "capture": "there",
        "measured with": f"frames on the GPU, of which {copied / 1e6:.1f} MB were copied to the "
        "host",
    }
    assert there.total == here.total and here.total.psnr_y and here.total.ssim


@needs_double
@pytest.mark.parametrize("fault", ["copy_failed", "stream_failed"])
def test_what_cannot_be_copied_to_be_measured_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu, fault: str
):
    with DevicePipeline(gpu, RecorderSettings(W, H, encoder="nvenc"), tmp_path / "s.mkv") as made:
        made.tick(content.ui(W, H))
        image = made._image
        monkeypatch.setattr(made, "_image", lambda frame: (image(frame), breaking())[0])

        def breaking() -> None:
            monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", fault)

        with pytest.raises(RecorderError, match="copying what is measured failed"):
            made.tick(content.ui(W, H, seed=9))
        monkeypatch.delenv("UISPLICE_DOUBLE_FAULT")


@needs_double
def test_without_page_locked_memory_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu
):
    monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", "no_locked")
    both(
        lambda path: test_merging.run(path, session(8), encoder="nvenc", measure=True),
        test_merging,
        gpu,
        tmp_path,
    )


@pytest.mark.usefixtures("gpu")
def test_x264_takes_no_frames_of_the_gpu(tmp_path: Path):
    library = native()
    error = library.ffi.new("char[]", 512)
    with Pipeline(RecorderSettings(W, H), tmp_path / "s.mkv") as made:
        assert library.lib.uis_pipeline_context(made._pointer) == library.ffi.NULL
        assert library.lib.uis_pipeline_use_device(made._pointer, error, 512) != 0
    assert library.text(error) == "the encoder takes pixels from host memory"


# ------------------------------------------------------------- recorder, host


def frames_of(sizes: list[tuple[int, int]], each: int) -> list[Frame]:
    clip = iter(content.natural(VIDEO.w, VIDEO.h, each * len(sizes)))
    return [
        content.paste(content.ui(w, h, seed=w), next(clip), VIDEO.x, VIDEO.y)
        for w, h in sizes
        for _ in range(each)
    ]


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[Said]:
    """What rings said of frames on the GPU when they were closed."""
    said: list[Said] = []
    close = FrameRing.close

    def closing(ring: FrameRing) -> None:
        if ring.pointer is not None:
            said.append(ring.counters().on_device)
        close(ring)

    monkeypatch.setattr(FrameRing, "close", closing)
    return said


def recorded(
    path: Path, frames: list[Frame], device: DeviceFrames | None, **settings_: Any
) -> Recording:
    steps = [(None if n % 6 == 4 else frame, [VIDEO]) for n, frame in enumerate(frames[1:])]
    return record(path, steps, first=frames[0], fps=FPS, encode="layer", device=device, **settings_)


def test_the_recorder_encodes_what_stays_on_the_gpu(tmp_path: Path, gpu: Gpu, rings: list[Said]):
    frames = frames_of([(W, H)], 14)
    device = DeviceFrames(gpu)
    native()  # before two threads would each load it
    with ThreadPoolExecutor(2) as pool:
        here = pool.submit(recorded, tmp_path / "h.mkv", frames, None, encoder="nvenc")
        there = pool.submit(recorded, tmp_path / "d.mkv", frames, device, encoder="nvenc")
    assert_same(there.result(), here.result())
    assert Picture.SPLICED in {tick.picture for tick in there.result().ticks}
    assert device.downloaded == 0 and device.held == 0 and device.taken >= 12
    said = next(one for one in reversed(rings) if one.encoded)
    assert said.downloaded == 0 and said.download_reason == ""
    for result in check_recording(there.result()):
        assert result.passed, f"{result.name}: {result.summary}"


def test_a_smaller_window_is_copied_and_counted(tmp_path: Path, gpu: Gpu, rings: list[Said]):
    """There and back: frames in canvases of the host, and on the GPU, one after the other."""
    sizes = [(W, H), SMALLER[0], (W, H), SMALLER[1]]
    frames = frames_of(sizes, 4)
    device = DeviceFrames(gpu)
    native()
    with ThreadPoolExecutor(2) as pool:
        here = pool.submit(recorded, tmp_path / "h.mkv", frames, None, encoder="nvenc")
        there = pool.submit(recorded, tmp_path / "d.mkv", frames, device, encoder="nvenc")
    assert_same(there.result(), here.result())
    said = next(one for one in reversed(rings) if one.encoded)
    assert said.downloaded == device.downloaded > 4
    assert said.download_reason == "the window is smaller than the view"
    assert device.held == 0


def test_x264_gets_a_copy(tmp_path: Path, gpu: Gpu, rings: list[Said]):
    device = DeviceFrames(gpu)
    recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 7), device)
    assert recording.error == ""
    assert not any(tick.copied_bytes for tick in recording.ticks)
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    assert rings[-1].encoded == 0 and rings[-1].downloaded == device.downloaded > 4
    assert rings[-1].download_reason == "the encoder takes pixels from host memory"


@needs_double
def test_frames_of_another_gpu_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rings: list[Said]
):
    doubles.use(monkeypatch, smallest="16x16")
    monkeypatch.setenv("UISPLICE_DOUBLE_DEVICES", "2")
    second = Gpu(1)
    try:
        device = DeviceFrames(second)
        recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 5), device, encoder="nvenc")
    finally:
        second.close()
    assert recording.error == "" and device.downloaded >= 4
    assert rings[-1].encoded == 0 and "the encoder is on another GPU" in rings[-1].download_reason


@needs_double
def test_without_kernels_frames_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu, rings: list[Said]
):
    monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", "module_failed")
    device = DeviceFrames(gpu)
    recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 5), device, encoder="nvenc")
    assert recording.error == "" and device.downloaded >= 4
    assert "cuModuleLoadData failed (CUDA_ERROR_INVALID_IMAGE)" in rings[-1].download_reason


@needs_double
def test_a_gpu_that_fails_ends_the_recording_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu
):
    monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", "launch_failed@8")
    device = DeviceFrames(gpu)
    recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 8), device, encoder="nvenc")
    assert recording.error == "comparing frames on test double 0 failed"
    assert 2 <= len(recording.ticks) < 7 and device.held == 0


def test_a_tape_asks_for_pixels(tmp_path: Path, gpu: Gpu, rings: list[Said]):
    frames = frames_of([(W, H)], 8)
    with open_spool(tmp_path, named=True) as spool:
        device = DeviceFrames(gpu)
        live = recorded(tmp_path / "s.mkv", frames, device, spool=spool, encoder="nvenc")
        assert live.error == ""
        assert not any(tick.copied_bytes for tick in live.ticks)
        write_tape(
            tmp_path / "s.tape.mkv", header(W, H, fps=FPS, unseen_drops=live.unseen_drops), spool
        )
    tape = Tape.open(tmp_path / "s.tape.mkv")
    kept = [step.frame for step in tape if step.frame is not None]
    assert np.array_equal(kept[0], frames[0]) and len(kept) >= 5
    assert rings[-1].encoded == 0 and rings[-1].download_reason == "a tape is made"


def test_frames_that_are_gone_count_as_dropped(tmp_path: Path, gpu: Gpu):
    """The pool has overwritten what the ring still names: one in the middle, and the last."""

    class Forgetful(DeviceFeeder):
        """Its fifth and eighth frame are gone before the ring names them."""

        def _store(self, slot: Any, frame: Frame) -> None:
            super()._store(slot, frame)
            if self.sequence in (5, 8):
                device.forget()

    device = DeviceFrames(gpu)
    frames = frames_of([(W, H)], 8)
    settings_ = RecorderSettings(W, H, fps=FPS, encoder="nvenc")
    with FrameRing(W, H, slots=24, encode="layer") as ring, host(ring, frames=device.table):
        feeder = Forgetful(ring, device)
        recorder = Recorder(settings_, ring, tmp_path / "s.mkv")
        try:
            feeder.present(frames[0])
            origin = native().lib.uis_now_ns() + 400_000_000
            recorder.start(origin)
            for number, frame in enumerate(frames[1:]):
                if number in (3, 6):  # the others were taken
                    await_ticks(recorder, number + 1)
                feeder.present(frame, at_ns=origin + round((number + 0.5) / FPS * 1e9))
            recording = recorder.stop(8 / FPS)
        finally:
            recorder.close()
    assert recording.error == ""
    assert sum(tick.dropped for tick in recording.ticks) == 1
    assert recording.unseen_drops == 1
    assert device.held == 0


def test_encoders_of_another_process_cannot_see_them(tmp_path: Path, gpu: Gpu):
    device = DeviceFrames(gpu)
    with FrameRing(W, H) as ring:
        recorder = Recorder(RecorderSettings(W, H, fps=FPS), ring, tmp_path / "s.mkv")
        try:
            DeviceFeeder(ring, device).present(content.ui(W, H))
            recorder.start()
            time.sleep(0.2)
            recording = recorder.stop()
        finally:
            recorder.close()
        assert ring.held_frame() is None
    assert "frames stay on the GPU (UIS_CAPTURE=device)" in recording.error


# --------------------------------------------------------- the frame on screen


class Live:
    """A recording that runs, whose frames are on a GPU, and whoever asks to see one."""

    def __init__(self, device: DeviceFrames, ring: FrameRing, path: Path) -> None:
        self._feeder, self.ring = DeviceFeeder(ring, device), ring
        self.recorder = Recorder(RecorderSettings(W, H, fps=FPS, encoder="nvenc"), ring, path)
        self._shown: list[Frame] = []

    def start(self) -> None:
        """Returns once the frame on screen is coded: one that came before would take its place."""
        self.recorder.start()
        until = time.monotonic() + 5
        while self.recorder.ticks == 0:
            assert time.monotonic() < until, "the recording does not begin"
            time.sleep(0.01)

    def show(self, frame: Frame) -> None:
        """Returns once the recorder has it."""
        self._feeder.present(frame)
        self._shown.append(frame)
        until = time.monotonic() + 5
        while (held := self.held()) is None or held.sequence < len(self._shown):
            assert time.monotonic() < until, "the recorder does not take it"
            time.sleep(0.01)

    def held(self) -> CapturedFrame | None:
        """What is handed over; it must be what was presented under that number."""
        held = self.ring.held_frame()
        if held is not None:
            shown = self._shown[held.sequence - 1]
            h, w = shown.shape[:2]
            assert np.array_equal(held.pixels[:h, :w], shown)
            assert not held.pixels[h:, :, :3].any() and not held.pixels[:, w:, :3].any()
            assert (held.pixels[h:, :, 3] == 255).all() and (held.pixels[:, w:, 3] == 255).all()
        return held


@pytest.fixture
def live(tmp_path: Path, gpu: Gpu) -> Iterator[tuple[Live, DeviceFrames]]:
    device = DeviceFrames(gpu)
    with FrameRing(W, H, slots=6, encode="layer") as ring, host(ring, frames=device.table):
        made = Live(device, ring, tmp_path / "s.mkv")
        try:
            yield made, device
        finally:
            made.recorder.close()
    assert device.held == 0


def test_the_frame_on_screen_is_copied_when_somebody_asks(
    tmp_path: Path, live: tuple[Live, DeviceFrames]
):
    """Before the recording, in it, and of a window that is smaller than the view."""
    session, device = live
    frames = frames_of([(W, H), SMALLER[0], (W, H)], 2)
    assert session.held() is None, "nothing was presented"
    session.show(frames[0])
    session.start()
    for frame in frames[1:]:
        session.show(frame)
        asked = device.downloaded
        assert session.held() is not None and session.held() is not None
        assert device.downloaded == asked, "the copy that is there serves whoever comes next"
    time.sleep(1.5 / FPS)
    last = session.held()
    assert last is not None and last.sequence == len(frames)
    kept = CapturedPicture.write(last, "at failure", tmp_path / "captured" / "01.png")
    assert np.array_equal(kept.read()[..., :3], frames[-1][..., :3])
    recording = session.recorder.stop()
    assert recording.error == "" and sum(tick.dropped for tick in recording.ticks) == 0
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    said = session.ring.counters().on_device
    assert said.downloaded == 2, "to encode, only the smaller window's were"
    assert said.encoded == len(frames) - 2


def test_nobody_asks_and_nothing_is_copied(live: tuple[Live, DeviceFrames]):
    session, device = live
    session.show(content.ui(W, H))
    session.start()
    before = device.downloaded
    time.sleep(4 / FPS)
    assert session.recorder.stop().error == ""
    assert device.downloaded == before


def test_a_copy_that_fails_is_no_picture_and_no_failure(live: tuple[Live, DeviceFrames]):
    session, device = live
    first, second = frames_of([(W, H)], 2)
    session.show(first)
    session.start()
    session.show(second)
    device.broken = True
    session._feeder.present(first)
    time.sleep(2.5 / FPS)
    begun = time.monotonic()
    assert session.held() is None
    assert time.monotonic() - begun < 0.5
    device.broken = False
    session._shown.append(first)
    assert session.held() is not None
    assert session.recorder.stop().error == ""


def test_it_is_there_until_the_recorder_is_closed(live: tuple[Live, DeviceFrames]):
    """When a step fails, the recording is ended before its picture is taken."""
    session, _ = live
    session.show(content.ui(W, H))
    session.start()
    session.show(content.ui(W, H, seed=3))
    time.sleep(1.5 / FPS)
    assert session.recorder.stop().error == ""
    last = session.held()
    assert last is not None and last.sequence == 2
    session.recorder.close()
    begun = time.monotonic()
    while session.held() is not None:
        assert time.monotonic() < begun + 5, "it is never let go"
    assert time.monotonic() - begun < 0.9, "somebody was waited for"


# ------------------------------------------------------------------ the choice


def said(**what: Any) -> Said:
    return Said(
        **{
            "wanted": "device",
            "active": "device",
            "fallback": "",
            "encoded": 0,
            "downloaded": 0,
            "download_reason": "",
            **what,
        }
    )


@pytest.mark.parametrize(
    ("frames", "fact"),
    [
        (said(wanted="host", active="host"), "host"),
        (said(active="host", fallback="no CUDA"), "host (no CUDA)"),
        (said(wanted="verify", active="verify"), "host, compared with the device's"),
        (said(encoded=9), "device"),
        (said(downloaded=9, download_reason="a tape is made"),
         "device, copied to the host (a tape is made)"),
        (said(encoded=3, downloaded=2, download_reason="small"),
         "device, 2 of 5 copied to the host (small)"),
    ],
)  # fmt: skip
def test_reports_say_where_frames_were(frames: Said, fact: str):
    assert capture_fact(frames) == fact


@pytest.mark.parametrize(
    ("written", "stays"),
    [
        ("encode: layer\nencoder: nvenc", True),
        ("encode: layer", False),
        ("encoder: nvenc", False),
        ("encode: layer\nencoder: nvenc\nwsi: passthrough", False),
        ("encode: layer\nencoder: nvenc\nexpect: {psnr_y: '>= 30 dB', ssim: '>= 0.9'}", True),
    ],
)
@pytest.mark.usefixtures("gpu")
def test_who_leaves_frames_on_the_gpu(tmp_path: Path, written: str, stays: bool):
    file = tmp_path / "s.yaml"
    (tmp_path / "index.html").write_text("<p>x")
    file.write_text(f"open: index.html\n{written}\nwait: 1s\n")
    chosen = settings_of(load_scenario(file), tmp_path, RunOptions())
    encoder = choose_encoder(chosen.recorder)
    assert chosen.keeps_frames_on_device(encoder.settings.encoder, taped=False) is stays
    assert not chosen.keeps_frames_on_device(encoder.settings.encoder, taped=True)


def test_the_environment_has_the_last_word(tmp_path: Path):
    layer = LayerEnvironment(tmp_path, "/ring", capture="device")
    assert layer.variables({})["UIS_CAPTURE"] == "device"
    assert "UIS_CAPTURE" not in layer.variables({"UIS_CAPTURE": "host"})
    assert "UIS_CAPTURE" not in LayerEnvironment(tmp_path, "/ring").variables({})
