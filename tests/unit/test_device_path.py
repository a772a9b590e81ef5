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

from harness.browser import LayerEnvironment
from harness.checks import access_units, check_recording
from harness.encoder import choose_encoder
from harness.metrics import measure
from harness.native import native
from harness.pipeline import Pipeline
from harness.recorder import Picture, Recorder, RecorderSettings, Recording, Tick
from harness.ring import DeviceFrames as Said
from harness.ring import FrameRing, VideoRegion
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
    """A tick, but for its times and what needs the source's pixels."""
    other = re.compile(r"_ms$|^time$|^present$|^sse_|^measured$")
    return tuple(
        getattr(tick, name) for name in Tick.__dataclass_fields__ if not other.search(name)
    )


def assert_same(there: Recording, here: Recording) -> None:
    assert there.error == here.error == ""
    assert [seen(tick) for tick in there.ticks] == [seen(tick) for tick in here.ticks]
    assert list(access_units(there.stream)) == list(access_units(here.stream))
    assert np.array_equal(there.digests.load(), here.digests.load())
    coded = [tick for tick in there.ticks if tick.picture is not Picture.NONE]
    assert coded and not any(tick.measured for tick in coded)
    assert all(tick.measured for tick in here.ticks if tick.picture is not Picture.NONE)


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
    ],
    ids=["merged", "keyframes", "separate", "rows", "single"],
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


def test_nothing_is_measured_and_nobody_reads_it_as_zero(tmp_path: Path, gpu: Gpu):
    with DevicePipeline(gpu, RecorderSettings(W, H, encoder="nvenc"), tmp_path / "s.mkv") as made:
        for frame in content.natural(W, H, 3):
            made.tick(np.ascontiguousarray(frame))
        metrics = measure(made.finish(), "s", [])
    assert metrics.total.psnr_y is None and metrics.total.coded == 3


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"encoder": "x264"}, "the encoder takes pixels from host memory"),
        ({"encoder": "nvenc", "measure": True}, "pixels are measured"),
    ],
)
@pytest.mark.usefixtures("gpu")
def test_who_takes_no_frames_of_the_gpu(tmp_path: Path, chosen: dict[str, Any], said: str):
    library = native()
    error = library.ffi.new("char[]", 512)
    with Pipeline(RecorderSettings(W, H, **chosen), tmp_path / "s.mkv") as made:
        assert library.lib.uis_pipeline_context(made._pointer) == library.ffi.NULL
        assert library.lib.uis_pipeline_use_device(made._pointer, error, 512) != 0
    assert library.text(error) == said


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
    said = next(one for one in rings if one.encoded)
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
    said = next(one for one in rings if one.encoded)
    assert said.downloaded == device.downloaded > 4
    assert said.download_reason == "the window is smaller than the view"
    assert device.held == 0


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"encoder": "x264"}, "the encoder takes pixels from host memory"),
        ({"encoder": "nvenc", "measure": True}, "pixels are measured"),
    ],
    ids=["x264", "measured"],
)
def test_who_asks_for_pixels_gets_a_copy(
    tmp_path: Path, gpu: Gpu, rings: list[Said], chosen: dict[str, Any], why: str
):
    device = DeviceFrames(gpu)
    recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 7), device, **chosen)
    assert recording.error == ""
    assert all(tick.measured for tick in recording.ticks if tick.picture is not Picture.NONE)
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    assert rings[0].encoded == 0 and rings[0].downloaded == device.downloaded > 4
    assert rings[0].download_reason == why


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
    assert rings[0].encoded == 0 and "the encoder is on another GPU" in rings[0].download_reason


@needs_double
def test_without_kernels_frames_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: Gpu, rings: list[Said]
):
    monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", "module_failed")
    device = DeviceFrames(gpu)
    recording = recorded(tmp_path / "s.mkv", frames_of([(W, H)], 5), device, encoder="nvenc")
    assert recording.error == "" and device.downloaded >= 4
    assert "cuModuleLoadData failed (CUDA_ERROR_INVALID_IMAGE)" in rings[0].download_reason


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
        assert all(tick.measured for tick in live.ticks if tick.picture is not Picture.NONE)
        write_tape(
            tmp_path / "s.tape.mkv", header(W, H, fps=FPS, unseen_drops=live.unseen_drops), spool
        )
    tape = Tape.open(tmp_path / "s.tape.mkv")
    kept = [step.frame for step in tape if step.frame is not None]
    assert np.array_equal(kept[0], frames[0]) and len(kept) >= 5
    assert rings[0].encoded == 0 and rings[0].download_reason == "a tape is made"


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
        ("encode: layer\nencoder: nvenc\nexpect: {psnr_y: '>= 30 dB'}", False),
        ("encode: layer\nencoder: nvenc\nexpect: {ssim: '>= 0.9'}", False),
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
