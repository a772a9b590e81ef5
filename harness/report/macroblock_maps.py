"""How every macroblock of a stream was coded, picture by picture, read from the stream itself."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..native import native
from ..structure import Description, describe

_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8


class MacroblockKind(enum.IntEnum):
    """As in bitstream.h; UNREAD: no slice that can be read has it."""

    UNREAD = 0
    SKIP = 1
    P_16X16 = 2
    P_16X8 = 3
    P_8X16 = 4
    P_8X8 = 5
    P_8X8_REF0 = 6
    I_4X4 = 7
    I_16X16 = 8
    I_PCM = 9


class Reference(enum.IntEnum):
    """What a macroblock predicts from: nothing, a long-term reference, partitions from both,
    or an entry of the list that the slice header does not name."""

    INTRA = 0
    LTR_0 = 1
    LTR_1 = 2
    SEVERAL = 3
    UNNAMED = 4


@dataclass(frozen=True)
class PictureMap:
    """One picture. `kinds` (MacroblockKind), `references` (Reference) and `qps` (QP_Y, 7.4.5;
    where nothing is coded that of the macroblock before) have the shape (macroblock rows,
    columns); `slices` are the first macroblocks of its slices, rising; `references_to` holds
    the pictures that were LTR 0 and LTR 1 when it was decoded, counted from 0, None where
    there was none; `becomes` is the long-term index that it takes."""

    kinds: npt.NDArray[np.uint8]
    references: npt.NDArray[np.uint8]
    qps: npt.NDArray[np.uint8]
    slices: tuple[int, ...]
    references_to: tuple[int | None, int | None]
    becomes: int | None


@dataclass
class _Marking:
    """Which picture each long-term index holds: the marking process (8.2.5) of our streams,
    whose pictures all become long-term references. What breaks its rules is told by the
    structure check."""

    held: dict[int, int] = field(default_factory=dict)

    def take(self, slices: Sequence[Any], picture: int) -> int | None:
        """Marks a picture by its slices (uis_nal_record); returns its long-term index."""
        for unit in slices:
            if unit.type == _IDR:
                self.held = {0: picture}
                return 0
            for operation, value, _ in unit.markings[0 : min(unit.marking_count, 8)]:
                if operation == 6:
                    self.held[value] = picture
                    return int(value)
        return None


def read_maps(access_units: Iterable[bytes]) -> Iterator[PictureMap]:
    """The macroblocks of every access unit (Annex B), one at a time, so that a long recording
    does not fill the memory. An access unit before any SPS has none.

    Raises:
        MemoryError: the native reader has no memory.
    """
    ffi, lib = native().ffi, native().lib
    reference_of = _reference_table()
    prefix = b""
    marking = _Marking()
    picture = 0
    for access_unit in access_units:
        # A picture is read apart from the others, so it brings the parameter sets along;
        # those that stand in the access unit itself come last and rule, as in a decoder.
        data = prefix + access_unit
        stream = describe([data])
        prefix = _parameter_sets(stream)
        rows, columns = stream.sequence.mb_height, stream.sequence.mb_width
        if rows * columns == 0:
            continue
        out = ffi.new("uis_mb_record[]", rows * columns)
        # Where it fails, for want of a PPS, all stay UNREAD.
        lib.uis_read_map(data, len(data), out, rows * columns)
        records = np.frombuffer(ffi.buffer(out), np.uint8).reshape(rows, columns, 3)
        slices = [u for u in stream.units if u.type in (_SLICE, _IDR) and u.readable]
        held = {} if any(u.type == _IDR for u in slices) else marking.held
        references_to = (held.get(0), held.get(1))
        yield PictureMap(
            kinds=records[..., 0].copy(),
            references=reference_of[records[..., 2].view(np.int8).astype(np.intp)],
            qps=records[..., 1].copy(),
            slices=tuple(sorted(int(unit.first_mb) for unit in slices)),
            references_to=references_to,
            becomes=marking.take(slices, picture),
        )
        picture += 1


def _parameter_sets(stream: Description) -> bytes:
    """The parameter sets that hold behind the stream, as Annex B: of each id the last."""
    last = {
        (unit.type, unit.pps_id if unit.type == _PPS else 0): unit
        for unit in stream.units
        if unit.type in (_SPS, _PPS) and unit.readable
    }
    return b"".join(
        b"\0\0\0\1" + stream.data[unit.offset : unit.offset + unit.size]
        for _, unit in sorted(last.items(), key=lambda item: item[0])
    )


def _reference_table() -> npt.NDArray[np.uint8]:
    """Indexed by the native `reference`, negative ones from the end."""
    lib = native().lib
    table = np.full(32, Reference.UNNAMED, np.uint8)
    table[0], table[1] = Reference.LTR_0, Reference.LTR_1
    table[lib.UIS_REFERENCE_NONE] = Reference.INTRA
    table[lib.UIS_REFERENCE_SEVERAL] = Reference.SEVERAL
    return table
