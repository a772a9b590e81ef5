"""What H.264 and this project demand of a stream's structure, NAL unit by NAL unit.

The decoders show what a stream decodes to; this shows whether it was allowed to. Which
picture a slice predicts from is left open: anything that the marking process (8.2.5) has
kept as a long-term reference at that moment may be named.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .native import native

_SLICE, _IDR, _SEI, _SPS, _PPS, _DELIMITER = 1, 5, 6, 7, 8, 9
_P = 0
_LONG_TERM = 2  # modification_of_pic_nums_idc


@dataclass(frozen=True)
class Violation:
    """`picture` counts access units and `slice` slices in it, from 0; slice None: the
    picture, or the stream, as a whole."""

    picture: int
    slice: int | None
    text: str


@dataclass(frozen=True)
class Demands:
    """What the recording was asked for: the view in pixels, and the QP."""

    width: int
    height: int
    qp: int


@dataclass(frozen=True)
class Description:
    """A stream as the native reader describes it; see bitstream.h for the fields."""

    sequence: Any
    units: Sequence[Any]  # uis_nal_record
    picture_of: Sequence[int]  # access unit of each NAL unit
    data: bytes


def describe(access_units: Iterable[bytes]) -> Description:
    """Reads every NAL unit of the access units (Annex B)."""
    parts = list(access_units)
    data = b"".join(parts)
    starts = list(itertools.accumulate((len(part) for part in parts[:-1]), initial=0))
    ffi, lib = native().ffi, native().lib
    sequence = ffi.new("uis_sequence *")
    most = data.count(b"\0\0\1")  # a NAL unit begins with a start code
    units = ffi.new("uis_nal_record[]", max(most, 1))
    count = lib.uis_describe_stream(data, len(data), sequence, units, most)
    if count < 0:
        raise MemoryError("no memory to read the stream")
    kept = [units[i] for i in range(count)]
    # `units` owns what `kept` points into.
    return Description(
        sequence, _Owned(kept, units), [bisect_right(starts, u.offset) - 1 for u in kept], data
    )


class _Owned(list[Any]):
    def __init__(self, items: Iterable[Any], owner: Any) -> None:
        super().__init__(items)
        self._owner = owner


@dataclass
class _References:
    """Reference marking of frames (8.2.5): what may be predicted from, by picture."""

    short: dict[int, int] = field(default_factory=dict)  # frame_num -> picture
    long: dict[int, int] = field(default_factory=dict)  # LongTermFrameIdx -> picture
    long_limit: int = 0  # MaxLongTermFrameIdx + 1

    def initial_list(self, frame_num: int, max_frame_num: int) -> list[tuple[str, int]]:
        """RefPicList0 of a P slice before modification (8.2.4.2.1)."""

        def wrapped(number: int) -> int:
            return number - max_frame_num if number > frame_num else number

        short = sorted(self.short, key=wrapped, reverse=True)
        return [("short", n) for n in short] + [("long", n) for n in sorted(self.long)]

    def mark(self, unit: Any, picture: int, frames: int, max_frame_num: int) -> Iterator[str]:
        """Applies a picture's dec_ref_pic_marking(); yields what it must not do."""
        if unit.type == _IDR:
            self.short, self.long = {}, {}
            self.long_limit = 1 if unit.long_term_reference else 0
            (self.long if unit.long_term_reference else self.short)[0] = picture
            return
        became_long = False
        if unit.adaptive_marking:
            for operation, value, second in _held(unit.markings, unit.marking_count):
                number = (unit.frame_num - value - 1) % max_frame_num  # operations 1 and 3
                if operation == 1 and self.short.pop(number, None) is None:
                    yield f"MMCO 1 unmarks frame_num {number}, which is no short-term reference"
                elif operation == 2 and self.long.pop(value, None) is None:
                    yield f"MMCO 2 unmarks long-term index {value}, which does not exist"
                elif operation == 3:
                    if number not in self.short:
                        yield f"MMCO 3 moves frame_num {number}, which is no short-term reference"
                    elif second >= self.long_limit:
                        yield f"MMCO 3({second}) with only {self.long_limit} long-term indices"
                    else:
                        self.long[second] = self.short.pop(number)
                elif operation == 4:
                    self.long_limit = value
                    self.long = {i: p for i, p in self.long.items() if i < value}
                elif operation == 5:
                    self.short, self.long, self.long_limit = {}, {}, 0
                elif operation == 6:
                    if value >= self.long_limit:
                        yield (
                            f"MMCO 6({value}) where MMCO 4 allows long-term indices below "
                            f"{self.long_limit}"
                        )
                    self.long[value] = picture
                    became_long = True
        elif len(self.short) + len(self.long) >= frames and self.short:
            oldest = min(self.short, key=lambda n: self.short[n])  # sliding window (8.2.5.3)
            del self.short[oldest]
        if not became_long:
            self.short[unit.frame_num] = picture
        if len(self.short) + len(self.long) > max(frames, 1):
            yield (
                f"{len(self.short) + len(self.long)} frames are marked as references, "
                f"max_num_ref_frames is {frames}"
            )


def _held(commands: Any, count: int) -> list[tuple[int, ...]]:
    return [tuple(command) for command in commands[0 : min(count, len(commands))]]


def _markings(unit: Any) -> tuple[object, ...]:
    return (unit.adaptive_marking, unit.long_term_reference, *_held(unit.markings, 8))


def _show(commands: Iterable[tuple[int, ...]]) -> str:
    return ", ".join(f"MMCO {c[0]}({c[1]})" for c in commands) or "no MMCO"


def violations(stream: Description, demands: Demands) -> Iterator[Violation]:
    """Everything that is wrong, picture by picture. Clauses are H.264's."""
    if not stream.units:
        yield Violation(0, None, "the stream has no NAL unit")
        return
    yield from _parameter_sets(stream, demands)
    sequence = stream.sequence
    if sequence.profile_idc == 0:
        return
    max_frame_num = 1 << sequence.log2_max_frame_num
    pps_ids = {unit.pps_id for unit in stream.units if unit.type == _PPS and unit.readable}
    references = _References()
    before: Any = None  # a slice of the picture before
    units = zip(stream.picture_of, stream.units, strict=True)
    for picture, group in itertools.groupby(units, key=lambda pair: pair[0]):
        slices = [unit for _, unit in group if unit.type in (_SLICE, _IDR)]
        if not slices:
            yield Violation(picture, None, "an access unit without a slice")
            continue
        for number, unit in enumerate(slices):
            if not unit.readable:
                yield Violation(picture, number, "the slice header cannot be parsed")
            elif unit.macroblocks < 0:
                yield Violation(picture, number, "the slice data cannot be read")
        readable = [(number, unit) for number, unit in enumerate(slices) if unit.readable]
        if not readable:
            continue
        yield from _one_picture(picture, readable, sequence, demands, pps_ids)
        first = readable[0][1]
        yield from _numbering(picture, first, before, max_frame_num)
        for number, unit in readable:
            for text in _reference_list(unit, references, max_frame_num):
                yield Violation(picture, number, text)
        for text in _marking_form(first):
            yield Violation(picture, 0, text)
        for text in references.mark(first, picture, sequence.num_ref_frames, max_frame_num):
            yield Violation(picture, 0, text)
        before = first


def _parameter_sets(stream: Description, demands: Demands) -> Iterator[Violation]:
    """One SPS, each PPS once, Constrained Baseline (A.2.1.1), output in decoding order."""
    seen: dict[tuple[int, int], tuple[int, bytes]] = {}  # by type and id
    sps_id = next((unit.sps_id for unit in stream.units if unit.type == _SPS), 0)
    for picture, unit in zip(stream.picture_of, stream.units, strict=True):
        if unit.type in (_SLICE, _IDR):
            if {kind for kind, _ in seen} != {_SPS, _PPS}:
                yield Violation(picture, 0, "a slice before SPS and PPS")
                return
        elif unit.type in (_SPS, _PPS):
            name = "SPS" if unit.type == _SPS else "PPS"
            key = (unit.type, unit.pps_id if unit.type == _PPS else 0)
            text = stream.data[unit.offset : unit.offset + unit.size]
            if not unit.readable:
                yield Violation(picture, None, f"the {name} cannot be parsed as Baseline's")
            elif unit.sps_id != sps_id:
                yield Violation(
                    picture, None, f"the {name}'s SPS id is {unit.sps_id}, expected {sps_id}"
                )
            elif seen.setdefault(key, (picture, text))[1] != text:
                other = seen[key][0]
                yield Violation(
                    picture, None, f"a second {name} {key[1]}, unlike that of picture {other}"
                )
        elif unit.type not in (_SEI, _DELIMITER):
            yield Violation(picture, None, f"a NAL unit of type {unit.type}")
    s = stream.sequence
    width = s.mb_width * 16 - s.crop_left - s.crop_right
    height = s.mb_height * 16 - s.crop_top - s.crop_bottom
    for what, value, expected in (
        ("profile_idc", s.profile_idc, 66),
        ("constraint set flags 0 and 1", s.constraint_flags >> 6, 3),
        ("pic_order_cnt_type", s.poc_type, 2),
        ("the picture's width", width, demands.width),
        ("the picture's height", height, demands.height),
    ):
        if value != expected:
            yield Violation(0, None, f"{what} is {value}, expected {expected}")


def _one_picture(
    picture: int, slices: list[tuple[int, Any]], sequence: Any, demands: Demands, pps_ids: set[int]
) -> Iterator[Violation]:
    """What the slices of one picture have in common, and that they cover it."""
    first = slices[0][1]
    total = sequence.mb_width * sequence.mb_height
    expected = 0
    for number, unit in slices:
        for what, value, wanted in (
            ("pic_parameter_set_id", unit.pps_id, first.pps_id),
            ("QP", unit.qp, demands.qp),
            ("nal_unit_type", unit.type, first.type),
            ("frame_num", unit.frame_num, first.frame_num),
            ("idr_pic_id", unit.idr_pic_id, first.idr_pic_id),
        ):
            if value != wanted:
                yield Violation(picture, number, f"{what} is {value}, expected {wanted}")
        if unit.pps_id not in pps_ids:
            yield Violation(
                picture, number, f"names PPS {unit.pps_id}, expected one of {sorted(pps_ids)}"
            )
        if unit.ref_idc == 0:
            yield Violation(picture, number, "nal_ref_idc is 0, expected a reference")
        if (unit.disable_deblocking == 1) != (first.disable_deblocking == 1):
            yield Violation(
                picture,
                number,
                f"disable_deblocking_filter_idc is {unit.disable_deblocking}, expected "
                f"{first.disable_deblocking} as in slice {slices[0][0]}",
            )
        if _markings(unit) != _markings(first):
            yield Violation(
                picture, number, "reference marking unlike that of the picture's first slice"
            )
        if unit.first_mb != expected:
            yield Violation(
                picture, number, f"begins at macroblock {unit.first_mb}, expected {expected}"
            )
        expected = unit.first_mb + max(unit.macroblocks, 0)
    if expected != total and all(unit.macroblocks >= 0 for _, unit in slices):
        yield Violation(picture, None, f"its slices end at macroblock {expected}, expected {total}")


def _numbering(picture: int, unit: Any, before: Any, max_frame_num: int) -> Iterator[Violation]:
    """frame_num and idr_pic_id (7.4.3)."""
    if before is None and unit.type != _IDR:
        yield Violation(picture, 0, "the first picture is not an IDR picture")
    if unit.type == _IDR:
        expected = 0
        if before is not None and before.type == _IDR and before.idr_pic_id == unit.idr_pic_id:
            yield Violation(picture, 0, f"idr_pic_id {unit.idr_pic_id} twice in a row")
    elif before is None:
        return
    else:
        expected = (before.frame_num + 1) % max_frame_num
    if unit.frame_num != expected:
        yield Violation(picture, 0, f"frame_num is {unit.frame_num}, expected {expected}")


def _reference_list(unit: Any, references: _References, max_frame_num: int) -> Iterator[str]:
    """RefPicList0 of a P slice, modified (8.2.4.3): every entry must be a reference."""
    if unit.slice_type != _P:
        return
    available = references.initial_list(unit.frame_num, max_frame_num)[: unit.num_ref]
    entries: list[tuple[str, int] | None] = [*available]
    entries += [None] * (unit.num_ref - len(entries))
    modifications = _held(unit.modifications, unit.modification_count)
    if unit.modification_count > unit.num_ref:
        yield f"{unit.modification_count} list modifications for {unit.num_ref} list entries"
        return
    for place, (idc, value) in enumerate(modifications):
        if idc != _LONG_TERM:
            yield f"list modification idc {idc}, expected {_LONG_TERM} (a long-term reference)"
            return
        if value not in references.long:
            yield (
                f"list entry {place} names long-term index {value}, expected one of "
                f"{sorted(references.long)}"
            )
            return
        chosen = ("long", value)
        rest = [entry for entry in entries[place:] if entry != chosen]
        entries = [*entries[:place], chosen, *rest][: unit.num_ref]
    for place, entry in enumerate(entries):
        if entry is None:
            yield f"list entry {place} of {unit.num_ref} is no reference picture"
        elif entry[0] != "long":
            yield f"list entry {place} is a short-term reference, expected a long-term one"


def _marking_form(unit: Any) -> Iterator[str]:
    """Every picture becomes a long-term reference; MMCO 4 says how many there may be,
    since an IDR picture leaves one (8.2.5.1)."""
    if unit.type == _IDR:
        if not unit.long_term_reference:
            yield "long_term_reference_flag is 0, expected 1"
        return
    commands = _held(unit.markings, unit.marking_count)
    operations = [command[0] for command in commands]
    if operations.count(6) != 1:
        yield f"{_show(commands)}, expected MMCO 6 once"
    elif 4 not in operations[: operations.index(6)]:
        yield f"{_show(commands)}, expected MMCO 4 before MMCO 6"
