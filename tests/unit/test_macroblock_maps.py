"""How macroblocks were coded: against what FFmpeg's own reader says, and the marking process."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from support import streams

from harness.checks import access_units
from harness.native import native
from harness.report.macroblock_maps import MacroblockKind, PictureMap, Reference, read_maps
from harness.report.viewer_page import map_bytes

STREAMS = sorted((Path(__file__).parents[1] / "streams").glob("*.h264"))

# FFmpeg's letters: how it predicts, and how it is divided.
LETTERS = {
    "S": {MacroblockKind.SKIP},
    "i": {MacroblockKind.I_4X4},
    "I": {MacroblockKind.I_16X16},
    "P": {MacroblockKind.I_PCM},
    "> ": {MacroblockKind.P_16X16},
    ">-": {MacroblockKind.P_16X8},
    ">|": {MacroblockKind.P_8X16},
    ">+": {MacroblockKind.P_8X8, MacroblockKind.P_8X8_REF0},
}


def told_by_ffmpeg(path: Path) -> list[list[list[str]]]:
    """Of every picture the rows of macroblocks, two letters each."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.DEBUG)
    try:
        with av.logging.Capture() as logs, av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"debug": "mb_type"}
            stream.codec_context.thread_count = 1
            for _ in container.decode(stream):
                pass
    finally:
        av.logging.set_level(level)
    pictures: list[list[list[str]]] = []
    for block in "".join(text for _, _, text in logs).split("New frame, type: ")[1:]:
        rows = []
        for line in block.split("\n")[2:]:
            if not line[:3].strip().isdigit() or line[3:4] != " ":
                break
            cells = line[4:]
            rows.append([cells[i : i + 2] for i in range(0, len(cells) - 2, 3)])
        pictures.append(rows)
    return pictures


def qps_told_by_ffmpeg(path: Path) -> list[np.ndarray]:
    """QP of every macroblock of every picture, from AVVideoEncParams, which FFmpeg's decoder
    exports (libavutil/video_enc_params.h)."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        for frame in container.decode(stream):
            (data,) = (bytes(d) for d in frame.side_data if d.type.name == "VIDEO_ENC_PARAMS")
            blocks, offset, size, _type, base = struct.unpack_from("=I4xQQii", data)
            told = np.zeros((-(-frame.height // 16), -(-frame.width // 16)), np.int32)
            for n in range(blocks):
                x, y, w, h, delta = struct.unpack_from("=iiiii", data, offset + n * size)
                assert (w, h) == (16, 16)
                if y // 16 < told.shape[0] and x // 16 < told.shape[1]:
                    told[y // 16, x // 16] = base + delta
            pictures.append(told)
    return pictures


# A constant QP; one that adapts to what is in a macroblock; the same in slices of rows.
WITH_QPS = {
    "constant": "threads=1",
    "adaptive": "threads=1:aq-mode=1:aq-strength=2",
    "adaptive in rows": "threads=1:aq-mode=1:aq-strength=2:slice-max-mbs=22",
}


@pytest.mark.parametrize("name", [*(path.stem for path in STREAMS), *WITH_QPS])
def test_qps_are_those_that_ffmpeg_exports(name: str, tmp_path: Path):
    path = STREAMS[0].with_name(f"{name}.h264")
    if name in WITH_QPS:
        path = tmp_path / "encoded.h264"
        frames = streams.pictures("natural", 6)
        path.write_bytes(streams.with_x264(frames, "superfast", 23, WITH_QPS[name], name[0] != "c"))
    maps, told = maps_of(path), qps_told_by_ffmpeg(path)
    assert len(maps) == len(told) > 1
    for number, (picture, qps) in enumerate(zip(maps, told, strict=True)):
        # I_PCM has no QP: FFmpeg says 0 (7.4.5 and 8.7.2.2), and the next one counts from before.
        coded = picture.kinds != MacroblockKind.I_PCM
        wrong = np.argwhere((picture.qps != qps) & coded)
        assert not wrong.size, (number, wrong[0])
    if name in WITH_QPS:
        several = [len(set(picture.qps.ravel().tolist())) > 3 for picture in maps]
        assert all(several) if name != "constant" else not any(several)
        rows = tuple(range(0, 22 * 13, 22))
        assert all(p.slices == (rows if "rows" in name else (0,)) for p in maps)


def expected(letters: str) -> set[MacroblockKind]:
    return LETTERS.get(letters[0]) or LETTERS[letters]


def maps_of(path: Path) -> list[PictureMap]:
    return list(read_maps(access_units(path)))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_kinds_are_those_that_ffmpeg_reads(path: Path):
    maps, told = maps_of(path), told_by_ffmpeg(path)
    assert len(maps) == len(told) > 1
    for number, (picture, rows) in enumerate(zip(maps, told, strict=True)):
        assert picture.kinds.shape == (len(rows), len(rows[0]))
        for y, row in enumerate(rows):
            for x, letters in enumerate(row):
                assert picture.kinds[y, x] in expected(letters), (number, x, y, letters)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_kinds_add_up_to_those_that_are_written_back(path: Path):
    library = native()
    data = b"".join(access_units(path))
    result = library.ffi.new("uis_rewrite_result *")
    assert library.lib.uis_rewrite_stream(data, len(data), result) == 0
    counted = sum(np.bincount(m.kinds.ravel(), minlength=10) for m in maps_of(path))
    assert counted.tolist() == list(result.kinds)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_only_references_that_exist_are_predicted_from(path: Path):
    for picture in maps_of(path):
        intra = picture.kinds >= MacroblockKind.I_4X4
        assert (intra == (picture.references == Reference.INTRA)).all()
        for reference, held in zip(
            (Reference.LTR_0, Reference.LTR_1), picture.references_to, strict=True
        ):
            assert held is not None or not (picture.references == reference).any()
        assert not (picture.references == Reference.UNNAMED).any()
        assert picture.becomes in (0, 1)
        assert (picture.qps == picture.qps[0, 0]).all()


def test_the_long_term_references_are_followed():
    maps = maps_of(STREAMS[0].with_name("merged.h264"))
    held: dict[int, int] = {}
    for number, picture in enumerate(maps):
        assert picture.references_to == (held.get(0), held.get(1))
        assert picture.becomes is not None
        held[picture.becomes] = number
    assert {picture.becomes for picture in maps} == {0, 1}


def test_a_map_is_packed_into_a_byte_a_macroblock():
    picture = maps_of(STREAMS[0].with_name("merged.h264"))[5]
    packed = np.frombuffer(map_bytes(picture), np.uint8).reshape(picture.kinds.shape)
    assert (packed & 15 == picture.kinds).all()
    assert (packed >> 4 == picture.references).all()


def test_a_plain_encoders_references_have_no_name(tmp_path: Path):
    path = tmp_path / "plain.h264"
    path.write_bytes(streams.with_x264(streams.pictures("natural", 4), "superfast", 23, ""))
    first, *rest = maps_of(path)
    assert (first.references == Reference.INTRA).all()
    assert len(rest) == 3
    for picture in rest:
        inter = picture.kinds < MacroblockKind.I_4X4
        assert inter.any() and (picture.references[inter] == Reference.UNNAMED).all()


def test_damaged_slices_are_unread_and_do_no_harm():
    units = list(access_units(STREAMS[0].with_name("merged.h264")))
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(30):
        damaged = bytearray(units[5])
        for place in rng.integers(8, len(damaged), 6):
            damaged[place] ^= int(rng.integers(1, 255))
        maps = list(read_maps([units[0], bytes(damaged)]))
        assert maps[0].kinds.all()
        seen += sum(not picture.kinds.all() for picture in maps[1:])
    assert seen
    assert list(read_maps([units[5]])) == []
    (without_pps,) = read_maps([units[0].replace(b"\0\0\1\x68", b"\0\0\1\x6c")])
    assert not without_pps.kinds.any()
