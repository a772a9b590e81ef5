"""Faults put in on purpose, and the name of the check that finds each.

First faults of the encoder side (`Fault`), then good recordings whose files are changed
in one syntax element.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from support import content, damage
from support.damage import Slice

from harness.checks import Status, access_units, check_recording, check_structure
from harness.pipeline import Pipeline
from harness.recorder import Fault, Picture, RecorderSettings, Recording
from harness.ring import VideoRegion

WIDTH, HEIGHT = 352, 256
VIDEO = (112, 80, 128, 96)


def record(path: Path, splice: str = "syntax", faults: Fault = Fault.NONE) -> Recording:
    """UI, then a playing video with changes of the UI: full and spliced pictures."""
    base = content.ui(WIDTH, HEIGHT)
    x, y, w, h = VIDEO
    region = VideoRegion(1, x, y, w, h, True, 0)
    settings = RecorderSettings(WIDTH, HEIGHT, qp=28, splice=splice, faults=faults)  # type: ignore[arg-type]
    with Pipeline(settings, path) as pipeline:
        pipeline.tick(base)
        for number, picture in enumerate(content.natural(w, h, 16)):
            if number % 6 == 5:
                base = content.paste(base, content.ui(64, 32, seed=number), 8, 8)
            pipeline.tick(content.paste(base, picture, x, y), [region])
        return pipeline.finish()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("good")
    return {name: record(folder / f"{name}.mkv", name) for name in ("syntax", "rows")}


def failed(recording: Recording) -> set[str]:
    results = check_recording(recording)
    assert Status.NOT_RUN not in {result.status for result in results}
    return {result.name for result in results if not result.passed}


def picture(recording: Recording, kind: Picture, after: int = 1) -> int:
    """Number of the first picture of a kind, from picture `after` on."""
    kinds = [t.picture for t in recording.ticks if t.picture is not Picture.NONE]
    return kinds.index(kind, after)


@pytest.mark.parametrize("splice", ["syntax", "rows"])
def test_a_good_recording_has_no_violation(good, splice: str):
    result = check_structure(good[splice])
    assert result.passed, result.summary
    assert "0 violations" in result.summary
    kinds = {tick.picture for tick in good[splice].ticks}
    assert {Picture.FULL, Picture.SPLICED} <= kinds


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.NO_GUARD, {"exact in FFmpeg", "exact in OpenH264"}),
        (Fault.WRONG_MVD, {"exact in FFmpeg", "exact in OpenH264"}),
        (Fault.WRONG_LTR, {"stream structure", "decodes in OpenH264", "exact in FFmpeg"}),
        (Fault.NO_MMCO4, {"stream structure", "decodes in OpenH264"}),
    ],
)
def test_a_fault_of_the_encoder_side(tmp_path: Path, fault: Fault, expected: set[str]):
    recording = record(tmp_path / "s.mkv", faults=fault)
    assert expected <= failed(recording)
    if "stream structure" not in expected:
        assert check_structure(recording).passed, "nothing in the syntax is wrong"


def name_missing_pps(s: Slice) -> None:
    s.pps_id = 7


def set_idc(s: Slice) -> None:
    # With filter offsets that do nothing, so that only the mixture is wrong.
    s.disable_deblocking, s.offsets = 0, (0, 0)


def drop_mmco4(s: Slice) -> None:
    s.markings = [m for m in s.markings if m[0] != 4]


def drop_mmco6(s: Slice) -> None:
    s.markings = [m for m in s.markings if m[0] != 6]


def name_missing_reference(s: Slice) -> None:
    s.modifications = [(2, 5)] * len(s.modifications)


def name_short_term_reference(s: Slice) -> None:
    s.modifications[0] = (0, 0)


def skip_frame_num(s: Slice) -> None:
    s.frame_num = (s.frame_num + 1) % 256


def raise_qp(s: Slice) -> None:
    s.qp_delta += 1


def more_references_than_there_are(s: Slice) -> None:
    s.num_ref = 4


def move_first_macroblock(s: Slice) -> None:
    s.first_mb += 1


def flip_a_bit(s: Slice) -> None:
    middle = len(s.data) // 2
    s.data = s.data[:middle] + "10"[int(s.data[middle])] + s.data[middle + 1 :]


# What is changed, in which kind of picture and way of splicing, in which slice, and what
# the structure check says of it.
EDITS: list[tuple[Callable[[Slice], None], Picture, str, int, str]] = [
    (name_missing_pps, Picture.SPLICED, "syntax", 0, "names PPS 7, expected one of [0"),
    (name_missing_pps, Picture.FULL, "syntax", 0, "names PPS 7, expected one of [0"),
    (name_missing_pps, Picture.SPLICED, "rows", 3, "pic_parameter_set_id is 7, expected 0"),
    (set_idc, Picture.SPLICED, "rows", 4, "disable_deblocking_filter_idc is 0, expected 1"),
    (drop_mmco4, Picture.SPLICED, "syntax", 0, ", expected MMCO 4 before MMCO 6"),
    (drop_mmco4, Picture.SPLICED, "rows", 2, "reference marking unlike that of"),
    (drop_mmco6, Picture.FULL, "syntax", 0, ", expected MMCO 6 once"),
    (name_missing_reference, Picture.SPLICED, "syntax", 0, "names long-term index 5, expected"),
    (name_short_term_reference, Picture.FULL, "syntax", 0, "list modification idc 0, expected 2"),
    (skip_frame_num, Picture.SPLICED, "syntax", 0, "frame_num is"),
    (raise_qp, Picture.SPLICED, "syntax", 0, "QP is 29, expected 28"),
    (more_references_than_there_are, Picture.FULL, "syntax", 0, "is no reference picture"),
    (move_first_macroblock, Picture.SPLICED, "rows", 2, "begins at macroblock"),
]


@pytest.mark.parametrize(("edit", "kind", "splice", "which", "words"), EDITS)
def test_a_changed_slice_header(good, tmp_path: Path, edit, kind, splice, which, words):
    number = picture(good[splice], kind)
    changed = damage.with_slice(good[splice], tmp_path / "s.mkv", number, edit, which)
    result = check_structure(changed)
    assert result.status is Status.FAILED
    assert any(words in detail for detail in result.details), result.details
    first = result.details[0]
    tick = [t for t in changed.ticks if t.picture is not Picture.NONE][number]
    assert first.startswith(f"picture {number} (tick {tick.index}, {tick.tick_class.name}, ")
    assert f"slice {which}: " in "".join(result.details)


@pytest.mark.parametrize("splice", ["syntax", "rows"])
def test_a_flipped_bit_in_slice_data(good, tmp_path: Path, splice: str):
    """Whether the rest can still be read depends on the bit; the pictures are wrong either way."""
    recording = good[splice]
    number = picture(recording, Picture.SPLICED)
    which = 0 if splice == "syntax" else 7
    changed = damage.with_slice(recording, tmp_path / "s.mkv", number, flip_a_bit, which)
    assert {"exact in FFmpeg", "exact in OpenH264"} <= failed(changed)


@pytest.mark.parametrize("which", [0, 5, -1])
def test_a_missing_slice(good, tmp_path: Path, which: int):
    recording = good["rows"]
    number = picture(recording, Picture.SPLICED)

    def drop(at: int, parts: list[bytes]) -> list[bytes]:
        return [p for p in parts if p is not parts[which]] if at == number else parts

    changed = damage.rewritten(recording, tmp_path / "s.mkv", drop)
    result = check_structure(changed)
    assert result.status is Status.FAILED
    words = "its slices end at macroblock" if which == -1 else "begins at macroblock"
    assert words in result.summary
    assert "exact in FFmpeg" in failed(changed)


def test_two_pps_ids_in_one_picture(good, tmp_path: Path):
    """Both exist and say the same; FFmpeg takes it, the specification and OpenH264 do not."""
    recording = good["rows"]
    number = picture(recording, Picture.SPLICED)
    first = damage.nal_units(next(iter(access_units(recording.stream))))
    pps = next(part for part in first if part[0] & 31 == damage.PPS)
    bits = damage.Bits("".join(f"{byte:08b}" for byte in damage.unescape(pps[1:])))
    assert bits.ue() == 0
    other = damage.ue(7) + bits.text[bits.position :].rstrip("0")
    other += "0" * (-len(other) % 8)
    second = pps[:1] + bytes(int(other[i : i + 8], 2) for i in range(0, len(other), 8))

    def add(at: int, parts: list[bytes]) -> list[bytes]:
        if at == 0:
            return [*parts[:2], second, *parts[2:]]
        if at != number:
            return parts
        s = damage.read_slice(parts[3])
        name_missing_pps(s)
        return [*parts[:3], damage.write_slice(s), *parts[4:]]

    changed = damage.rewritten(recording, tmp_path / "s.mkv", add)
    result = check_structure(changed)
    assert result.status is Status.FAILED
    assert len(result.details) == 1
    assert "slice 3: pic_parameter_set_id is 7, expected 0" in result.summary
    names = failed(changed)
    assert "decodes in OpenH264" in names
    assert "decodes in FFmpeg" not in names


def test_a_picture_that_is_coded_twice(good, tmp_path: Path):
    recording = good["syntax"]

    def double(at: int, parts: list[bytes]) -> list[bytes]:
        return [*parts, *parts] if at == 3 else parts

    twice = check_structure(damage.rewritten(recording, tmp_path / "twice.mkv", double))
    assert "begins at macroblock 0, expected 352" in "".join(twice.details)


def test_other_parameter_sets_in_mid_stream(good, tmp_path: Path):
    recording = good["syntax"]
    first = damage.nal_units(next(iter(access_units(recording.stream))))
    pps = bytearray(next(part for part in first if part[0] & 31 == damage.PPS))
    pps[1] ^= 0x20  # entropy_coding_mode_flag: CABAC

    def insert(at: int, parts: list[bytes]) -> list[bytes]:
        return [bytes(pps), *parts] if at == 4 else parts

    result = check_structure(damage.rewritten(recording, tmp_path / "s.mkv", insert))
    assert result.status is Status.FAILED
    assert result.details[0].startswith("picture 4 ")
    assert "a second PPS 0, unlike that of picture 0" in result.details[0]


def test_a_stream_for_another_view_or_qp(good):
    recording = good["syntax"]
    for settings, words in (
        (dataclasses.replace(recording.settings, width=WIDTH - 2), "the picture's width is 352"),
        (dataclasses.replace(recording.settings, qp=20), "QP is 28, expected 20"),
    ):
        result = check_structure(dataclasses.replace(recording, settings=settings))
        assert result.status is Status.FAILED
        assert words in result.summary


def test_a_file_that_does_not_open(good, tmp_path: Path):
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"nothing")
    result = check_structure(dataclasses.replace(good["syntax"], stream=empty))
    assert result.status is Status.FAILED
    assert "does not open" in result.summary
