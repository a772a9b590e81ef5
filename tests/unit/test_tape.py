"""Tapes: what was recorded comes back bit for bit, and nothing else is taken for a tape."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from support import content
from support.feeder import record, spaced
from support.taping import FIRST_TICK_NS, header, make_tape

from harness.cli import main
from harness.errors import TapeError
from harness.native import native
from harness.pipeline import bgra_image
from harness.recorder import RecorderSettings, TickClass
from harness.replay import open_tape, replay
from harness.ring import VideoRegion
from harness.scenario import load_scenario
from harness.tape import HEADER_TAG, SUFFIX, VERSION_TAG, Tape, recipe_of
from harness.tape_writer import open_spool, require_folder, write_tape

W, H = 320, 192
VIDEO = VideoRegion(7, 96, 48, 128, 96, True, FIRST_TICK_NS - 5)
PAUSED = dataclasses.replace(VIDEO, playing=False, changed_ns=FIRST_TICK_NS + 10)


def story():
    """UI, video in it, ticks without a present, a present without a change, a cut."""
    ui = content.ui(W, H)
    frames = [(ui, [])]
    for picture in content.natural(VIDEO.w, VIDEO.h, 8):
        frames += [(content.paste(ui, picture, VIDEO.x, VIDEO.y), [VIDEO]), (None, [])]
    frames += [(frames[-2][0].copy(), [PAUSED]), (content.ui(W, H, seed=2), [])]
    return frames


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return make_tape(tmp_path / f"case{SUFFIX}", story())


def without_times(ticks):
    """Ticks without what a clock measured."""
    names = [f.name for f in dataclasses.fields(ticks[0]) if not f.name.endswith("_ms")]
    return [[getattr(tick, name) for name in names] for tick in ticks]


def test_everything_comes_back_as_it_was(tape: Path):
    frames = story()
    opened = Tape.open(tape)
    assert opened.header == header(W, H, ticks=len(frames))
    for _ in range(2):  # as often as wanted
        steps = list(opened)
        assert len(steps) == len(frames)
        for step, (frame, videos) in zip(steps, frames, strict=True):
            assert (step.frame is None) == (frame is None)
            assert step.tick.videos == tuple(videos)
            if frame is not None:
                assert np.array_equal(step.frame, frame)
                assert step.tick.damage == (0, 0, W, H)
    arrival = opened.ticks[1].arrival
    assert (arrival.sequence, arrival.presents, arrival.coalesced) == (104, 2, 1)
    assert arrival.present_ns == arrival.tick_ns - 7_000_123
    # The box is what changed, not the damage: the video, or nothing.
    assert opened.ticks[3].box.w <= VIDEO.w and opened.ticks[3].box.h <= VIDEO.h
    assert not opened.ticks[-2].has_picture
    assert [path.name for path in tape.parent.iterdir()] == [tape.name]


def test_frames_that_are_not_opaque_keep_their_alpha(tmp_path: Path):
    rng = np.random.default_rng(3)
    frames = [(rng.integers(0, 256, (48, 66, 4), np.uint8), []) for _ in range(3)]
    tape = Tape.open(make_tape(tmp_path / f"a{SUFFIX}", frames))
    for step, (frame, _) in zip(tape, frames, strict=True):
        assert np.array_equal(step.frame, frame)


def test_leaving_a_tape_early_ends_its_thread(tape: Path):
    before = threading.active_count()
    steps = iter(Tape.open(tape))
    next(steps)
    steps.close()
    assert threading.active_count() == before


def test_two_replays_are_one_file(tape: Path, tmp_path: Path):
    settings = RecorderSettings(W, H)
    first, second = (
        replay(Tape.open(tape), settings, tmp_path / f"{name}.mkv") for name in ("one", "two")
    )
    assert first.stream.read_bytes() == second.stream.read_bytes()
    assert without_times(first.ticks) == without_times(second.ticks)
    classes = {tick.tick_class for tick in first.ticks}
    assert classes == set(TickClass)
    assert all(tick.latency_ms == 0 for tick in first.ticks) and not first.live
    other = replay(Tape.open(tape), RecorderSettings(W, H, qp=35), tmp_path / "qp.mkv")
    assert other.stream.stat().st_size < first.stream.stat().st_size


def test_a_replay_is_the_live_recording(tmp_path: Path):
    frames = story() + story()[1:]
    with open_spool(tmp_path) as spool:
        live = record(tmp_path / "live.mkv", spaced(frames[1:]), first=frames[0][0], spool=spool)
        path = tmp_path / f"live{SUFFIX}"
        write_tape(path, header(W, H, fps=48, unseen_drops=live.unseen_drops), spool)
    again = replay(Tape.open(path), live.settings, tmp_path / "again.mkv")
    assert without_times(again.ticks) == without_times(live.ticks)
    assert again.stream.read_bytes() == live.stream.read_bytes()
    assert np.array_equal(again.digests.load(), live.digests.load())
    assert {tick.tick_class for tick in live.ticks} == set(TickClass)


def test_a_full_disk_ends_the_recording_with_an_error(tmp_path: Path):
    ui = content.ui(W, H)
    with open(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0) as full:  # noqa: PTH123
        live = record(tmp_path / "live.mkv", [(ui, [])] * 6, first=ui, spool=full)
    assert live.error == "cannot write what the tape is made of: No space left on device"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TapeError, match="cannot write to the folder") as raised:
        require_folder(tmp_path / "file" / "tapes")
    assert "check the folder's rights and free space" in str(raised.value)


def test_the_difference_box_equals_its_plain_twin():
    lib = native().lib
    rng = np.random.default_rng(5)
    for _ in range(60):
        before = rng.integers(0, 256, (24, 40, 4), np.uint8)
        now = before.copy()
        for _ in range(rng.integers(0, 4)):
            y, x, c = rng.integers(0, 24), rng.integers(0, 40), rng.integers(0, 4)
            now[y, x, c] ^= 1
        ys, xs = np.nonzero((now != before).any(axis=2))
        expected = (0, 0, 0, 0)
        if len(ys):
            expected = (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
        box = lib.uis_difference_box(bgra_image(now), bgra_image(before))
        assert (box.x, box.y, box.w, box.h) == expected


def test_every_damaged_byte_is_noticed_or_does_not_matter(tape: Path):
    """Flips bytes all over the file: an error that says so, or the very same contents."""
    whole = tape.read_bytes()
    good = [(step.tick, step.frame) for step in Tape.open(tape)]
    noticed = 0
    places = np.linspace(0, len(whole) - 1, 150).astype(int)
    for place in places:
        data = bytearray(whole)
        data[place] ^= 0x55
        tape.write_bytes(data)
        try:
            opened = Tape.open(tape)
            for (tick, frame), step in itertools.zip_longest(good, opened):
                assert step.tick == tick
                assert (frame is None) == (step.frame is None)
                assert frame is None or np.array_equal(step.frame, frame)
        except TapeError:
            noticed += 1
    assert noticed > 0.9 * len(places)


@pytest.mark.parametrize(
    ("word", "by"),
    [
        (b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/AVX"),  # a codec that FFmpeg does not know
        (b"DURATION", b"DURAT\xffON"),  # tags that are no text
        ("Ünïcode".encode(), b"\xff" * 9),
    ],
)
def test_damaged_words(tape: Path, word: bytes, by: bytes):
    """As a byte that changed: noticed, or without meaning for what is replayed."""
    whole = tape.read_bytes()
    assert word in whole
    for place in (whole.find(word), whole.rfind(word)):
        tape.write_bytes(whole[:place] + by + whole[place + len(word) :])
        with contextlib.suppress(TapeError):
            assert len(list(Tape.open(tape))) == len(Tape.open(tape).ticks)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.98])  # behind it: only the index
def test_a_tape_that_was_cut(tape: Path, share: float):
    whole = tape.read_bytes()
    tape.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(TapeError, match=r"cut|damaged") as raised:
        Tape.open(tape)
    assert str(tape) in str(raised.value) and "what to do: record it again" in str(raised.value)


def test_foreign_files(tmp_path: Path, tape: Path):
    foreign = tmp_path / f"foreign{SUFFIX}"
    foreign.write_bytes(b"no media at all" * 100)
    with pytest.raises(TapeError, match="is no tape, or a damaged one"):
        Tape.open(foreign)
    foreign.write_bytes(b"")
    with pytest.raises(TapeError, match="is no tape, or a damaged one"):
        Tape.open(foreign)
    stream = replay(Tape.open(tape), RecorderSettings(W, H), tmp_path / "stream.mkv").stream
    with pytest.raises(TapeError, match=f"without the tag {VERSION_TAG}"):
        Tape.open(stream)
    with pytest.raises(TapeError, match="there is no tape"):
        Tape.open(tmp_path / "nowhere")


def retagged(tape: Path, **tags: str) -> Path:
    """The tape with other tags, its packets untouched."""
    out = tape.with_name(f"retagged{SUFFIX}")
    with av.open(str(tape)) as read, av.open(str(out), "w", format="matroska") as write:
        write.metadata.update({**read.metadata, **tags})
        streams = {
            stream: write.add_stream_from_template(stream, opaque=True)
            if stream.type == "video"
            else write.add_mux_stream("subrip", time_base=stream.time_base)
            for stream in read.streams
        }
        for packet in read.demux():
            if packet.size:
                packet.stream = streams[packet.stream]
                write.mux_one(packet)
    return out


def test_a_newer_format_and_an_edited_header(tape: Path):
    with pytest.raises(TapeError, match="has format 2; this harness reads format 1"):
        Tape.open(retagged(tape, **{VERSION_TAG: "2"}))
    edited = header(W, H, ticks=len(story()), title="Another").to_json()
    with pytest.raises(TapeError, match="do not match its digest"):
        Tape.open(retagged(tape, **{HEADER_TAG: edited}))
    with pytest.raises(TapeError, match="a record cannot be read"):
        Tape.open(retagged(tape, **{HEADER_TAG: "{}"}))


SCENARIO = """open: http://localhost/
viewport: {viewport}
device_pixel_ratio: {ratio}
fps: {fps}
encoder: {{qp: {qp}}}
phases:
  - phase: A
    duration: {duration}
    steps:
      - press: {key}
    expect: {{shares: {{changed: ">= {share}%"}}}}
"""


def scenario(folder: Path, **changes: object):
    fields = {"viewport": "320x192", "ratio": 1, "fps": 24, "qp": 23}
    fields |= {"duration": "1s", "key": "Enter"}
    path = folder / "case.yaml"
    path.write_text(SCENARIO.format(**{**fields, "share": 1, **changes}))
    return load_scenario(path)


def test_a_tape_fits_its_scenario_or_says_what_does_not(tmp_path: Path):
    recorded = scenario(tmp_path)
    with pytest.raises(TapeError, match="there is no tape") as raised:
        open_tape(tmp_path, recorded)
    assert f"harness run {recorded.path} --tape-record {tmp_path}" in str(raised.value)
    make_tape(tmp_path / f"case{SUFFIX}", story(), header(W, H, recipe=recipe_of(recorded)))
    assert open_tape(tmp_path, recorded).header.recipe == recipe_of(recorded)
    # Encoder settings, expectations and the place in the file may change.
    open_tape(tmp_path, scenario(tmp_path, qp=30, share=5))
    for changes, message in (
        ({"viewport": "640x384"}, "has the viewport 320x192, the scenario 640x384"),
        ({"ratio": 2}, "`device_pixel_ratio` was as by default, it is 2.0"),
        ({"fps": 30}, "has 24 ticks a second, the scenario 30"),
        ({"key": "Space"}, "the steps or the duration of phase 'A' are not the same"),
        ({"duration": "2s"}, "the steps or the duration of phase 'A' are not the same"),
    ):
        with pytest.raises(TapeError, match=message):
            open_tape(tmp_path, scenario(tmp_path, **changes))


def test_a_replay_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = scenario(tmp_path).path
    replaying = ["run", str(path), "--output", str(tmp_path / "out"), "--tape-replay"]
    assert main([*replaying, str(tmp_path)]) == 2
    assert "there is no tape" in capsys.readouterr().err
    make_tape(
        tmp_path / f"case{SUFFIX}", story(), header(W, H, recipe=recipe_of(load_scenario(path)))
    )
    # The accounts of these made-up presents hold, too.
    assert main([*replaying, str(tmp_path)]) == 0, capsys.readouterr().out
    assert (tmp_path / "out/case/metrics.json").is_file()
    with pytest.raises(SystemExit):
        main([*replaying, str(tmp_path), "--tape-record", str(tmp_path)])
    assert "not allowed with argument" in capsys.readouterr().err
