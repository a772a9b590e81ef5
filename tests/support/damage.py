"""Changes single syntax elements of a finished recording, to see which check notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.checks import access_units
from harness.muxer import Muxer
from harness.recorder import Picture, Recording

START = b"\0\0\0\1"
SLICE, IDR, SPS, PPS = 1, 5, 7, 8


class Bits:
    """A string of bits, read from the front."""

    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0

    def u(self, count: int) -> int:
        self.position += count
        return int(self.text[self.position - count : self.position], 2)

    def ue(self) -> int:
        zeros = self.text.index("1", self.position) - self.position
        self.position += zeros
        return self.u(zeros + 1) - 1

    def se(self) -> int:
        k = self.ue()
        return (k + 1) // 2 if k % 2 else -(k // 2)


def ue(value: int) -> str:
    """Exp-Golomb code of clause 9.1."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


@dataclass
class Slice:
    """A slice of the spliced stream (pic_order_cnt_type 2, deblocking control present):
    its header's elements, and slice_data() with its trailing bits."""

    nal_header: int
    first_mb: int
    slice_type: int
    pps_id: int
    frame_num: int
    idr_pic_id: int
    num_ref: int
    modifications: list[tuple[int, int]]
    markings: list[tuple[int, int]]  # MMCO 4 and 6 have one value each
    qp_delta: int
    disable_deblocking: int
    offsets: tuple[int, int]
    data: str

    @property
    def idr(self) -> bool:
        return self.nal_header & 31 == IDR


def unescape(nal: bytes) -> bytes:
    return nal.replace(b"\0\0\3", b"\0\0")


def escape(rbsp: bytes) -> bytes:
    out, zeros = bytearray(), 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def read_slice(nal: bytes) -> Slice:
    bits = Bits("".join(f"{byte:08b}" for byte in unescape(nal[1:])))
    idr = nal[0] & 31 == IDR
    first_mb, slice_type, pps_id, frame_num = bits.ue(), bits.ue(), bits.ue(), bits.u(8)
    idr_pic_id = bits.ue() if idr else 0
    num_ref, modifications, markings = 0, [], []
    if slice_type == 0:
        num_ref = bits.ue() + 1 if bits.u(1) else 1
        if bits.u(1):
            while (idc := bits.ue()) != 3:
                modifications.append((idc, bits.ue()))
    if idr:
        bits.u(2)
    elif bits.u(1):
        while (operation := bits.ue()) != 0:
            markings.append((operation, bits.ue()))
    qp_delta, disable = bits.se(), bits.ue()
    offsets = (bits.se(), bits.se()) if disable != 1 else (0, 0)
    # Without what aligned the last byte: writing aligns again.
    data = bits.text[bits.position :].rstrip("0")
    return Slice(
        nal[0],
        first_mb,
        slice_type,
        pps_id,
        frame_num,
        idr_pic_id,
        num_ref,
        modifications,
        markings,
        qp_delta,
        disable,
        offsets,
        data,
    )


def write_slice(s: Slice) -> bytes:
    bits = ue(s.first_mb) + ue(s.slice_type) + ue(s.pps_id) + f"{s.frame_num:08b}"
    bits += ue(s.idr_pic_id) if s.idr else ""
    if s.slice_type == 0:
        bits += "0" if s.num_ref == 1 else "1" + ue(s.num_ref - 1)
        bits += "1" + "".join(ue(idc) + ue(value) for idc, value in s.modifications) + ue(3)
    if s.idr:
        bits += "01"
    else:
        bits += "1" + "".join(ue(op) + ue(value) for op, value in s.markings) + ue(0)
    bits += se(s.qp_delta) + ue(s.disable_deblocking)
    if s.disable_deblocking != 1:
        bits += se(s.offsets[0]) + se(s.offsets[1])
    bits += s.data
    bits += "0" * (-len(bits) % 8)
    rbsp = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return bytes([s.nal_header]) + escape(rbsp)


def nal_units(access_unit: bytes) -> list[bytes]:
    return [part.rstrip(b"\0") for part in access_unit.split(b"\0\0\1") if part.strip(b"\0")]


def rewritten(
    recording: Recording, path: Path, change: Callable[[int, list[bytes]], list[bytes]]
) -> Recording:
    """The recording with another file: `change` gets each picture's number and NAL units."""
    written = [tick for tick in recording.ticks if tick.picture is not Picture.NONE]
    with Muxer(path) as muxer:
        for number, unit in enumerate(access_units(recording.stream)):
            parts = change(number, nal_units(unit))
            tick = written[number]
            shown = tick.present if tick.present is not None else tick.time
            muxer.add(b"".join(START + p for p in parts), max(shown, 0.0), tick.keyframe)
        muxer.close(recording.duration)
    return dataclasses.replace(recording, stream=path)


def with_slice(
    recording: Recording, path: Path, picture: int, edit: Callable[[Slice], None], which: int = 0
) -> Recording:
    """The recording with one slice changed: slice `which` of picture `picture`."""

    def change(number: int, parts: list[bytes]) -> list[bytes]:
        if number != picture:
            return parts
        slices = [i for i, part in enumerate(parts) if part[0] & 31 in (SLICE, IDR)]
        place = slices[which]
        s = read_slice(parts[place])
        assert write_slice(s) == parts[place], "an unchanged slice is written as it was"
        edit(s)
        return [*parts[:place], write_slice(s), *parts[place + 1 :]]

    return rewritten(recording, path, change)
