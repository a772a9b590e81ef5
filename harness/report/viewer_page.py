"""viewer.html: steps through the stream picture by picture and shows how each was coded."""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..checks import CheckResult, access_units
from ..metrics import Metrics
from ..recorder import Recording
from ..verdict import Verdict
from .macroblock_maps import PictureMap, read_maps
from .markup import data_block, packed, page
from .tick_data import picture_ticks, tick_data

EMBED_LIMIT = 8_000_000
"""Bytes of a stream up to which the page carries it. A larger one is read from the MP4
beside the page, or from the file that the reader chooses."""

MAP_CHUNK = 64
"""Pictures whose maps are deflated together; the page inflates what it shows."""


@dataclass(frozen=True)
class _Samples:
    """Where the MP4 holds each access unit; `data` is all of them, one behind the other."""

    setup: bytes  # AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)
    offsets: list[int]
    sizes: list[int]
    times: list[float]  # seconds
    keys: list[int]  # pictures a decoder can begin with
    data: bytes


def _samples(mp4: Path) -> _Samples:
    offsets: list[int] = []
    sizes: list[int] = []
    times: list[float] = []
    keys: list[int] = []
    data: list[bytes] = []
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        setup = bytes(stream.codec_context.extradata or b"")
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts is None or packet.pos is None:
                continue
            if packet.is_keyframe:
                keys.append(len(sizes))
            offsets.append(packet.pos)
            sizes.append(packet.size)
            times.append(round(float(packet.pts * stream.time_base), 4))
            data.append(bytes(packet))
    return _Samples(setup, offsets, sizes, times, keys, b"".join(data))


def map_bytes(picture: PictureMap) -> bytes:
    """One byte a macroblock in raster order: MacroblockKind, and Reference times 16."""
    return (picture.kinds | picture.references << 4).tobytes()


def _map_data(maps: Iterable[PictureMap]) -> dict[str, Any]:
    chunks: list[str] = []
    facts: list[list[Any]] = []
    # Of most streams every picture has one QP and one slice: then there is nothing here.
    qps: dict[int, str] = {}
    slices: dict[int, tuple[int, ...]] = {}
    coming = iter(maps)
    while batch := list(itertools.islice(coming, MAP_CHUNK)):
        raw = b"".join(map_bytes(picture) for picture in batch)
        chunks.append(base64.b64encode(zlib.compress(raw, 9)).decode())
        for number, p in enumerate(batch, len(facts)):
            coded = p.qps[p.kinds != 0]
            qp = [int(coded.min()), int(coded.max())] if coded.size else None
            kinds = np.bincount(p.kinds.ravel(), minlength=10).tolist()
            facts.append([len(p.slices), qp, *p.references_to, p.becomes, kinds])
            if qp is not None and qp[0] != qp[1]:
                qps[number] = base64.b64encode(zlib.compress(p.qps.tobytes(), 9)).decode()
            if len(p.slices) > 1:
                slices[number] = p.slices
    return {"chunk": MAP_CHUNK, "chunks": chunks, "facts": facts, "qps": qps, "slices": slices}


def write_viewer(
    path: Path,
    recording: Recording,
    metrics: Metrics,
    checks: Sequence[CheckResult],
    verdicts: Sequence[Verdict],
    mp4: Path,
    *,
    maps: Iterable[PictureMap] | None = None,
    embed_limit: int = EMBED_LIMIT,
) -> None:
    """Writes the page for the stream in `mp4`, which lies beside it. It carries the access
    units up to `embed_limit` bytes of them. `maps` are the stream's; None: read here.

    Raises:
        OSError, av.error.FFmpegError: the stream or the MP4 cannot be read.
    """
    samples = _samples(mp4)
    if maps is None:
        maps = read_maps(access_units(recording.stream))
    embedded = len(samples.data) <= embed_limit
    sizes = samples.sizes
    data = tick_data(metrics, recording.ticks, checks, verdicts) | {
        "pictures": picture_ticks(recording.ticks)[: len(sizes)],
        "maps": _map_data(maps),
        "columns": -(-metrics.width // 16),
        "rows": -(-metrics.height // 16),
        "stream": {
            "file": mp4.name,
            "embedded": embedded,
            "codec": "avc1." + samples.setup[1:4].hex(),
            "setup": base64.b64encode(samples.setup).decode(),
            "offsets": list(itertools.accumulate(sizes[:-1], initial=0))
            if embedded
            else samples.offsets,
            "sizes": sizes,
            "times": samples.times,
            "keys": samples.keys,
        },
    }
    stream = base64.b64encode(samples.data).decode() if embedded else ""
    body = ('<div id="app"></div>', data_block("facts", packed(data)), data_block("stream", stream))
    text = page(
        f"{metrics.scenario} – stream",  # noqa: RUF001
        ("page.css", "viewer.css"),
        ("common.js", "picture_source.js", "viewer.js"),
        body,
    )
    path.write_text(text, encoding="utf-8")
