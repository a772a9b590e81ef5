"""Metrics of recordings made of ticks alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support.ticks import recording, tick

from harness.metrics import FORMAT, PhaseSpan, measure, peak_bitrate
from harness.recorder import Picture, Rect, TickClass

FULL = {"tick_class": TickClass.CHANGED, "picture": Picture.FULL}


def test_peak_bitrate_is_the_heaviest_window() -> None:
    sizes = [0, 10, 10, 0, 30, 0, 0, 25]
    ticks = [tick(i, bytes=size) for i, size in enumerate(sizes)]
    assert peak_bitrate(ticks, 24, 1) == (30 * 8 * 24, 4)
    assert peak_bitrate(ticks, 24, 3) == (40 * 8 * 24 / 3, 2)  # 10 + 0 + 30
    assert peak_bitrate(ticks, 24, 8) == (75 * 8 * 24 / 8, 0)
    assert peak_bitrate(ticks, 24, 9) is None
    assert peak_bitrate([], 24, 1) is None


def test_peak_bitrate_against_every_window() -> None:
    draw = random.Random(4)
    for _ in range(50):
        sizes = [draw.choice([0, 0, draw.randrange(9000)]) for _ in range(draw.randrange(1, 60))]
        window = draw.randrange(1, len(sizes) + 1)
        sums = [sum(sizes[i : i + window]) for i in range(len(sizes) - window + 1)]
        ticks = [tick(i, bytes=size) for i, size in enumerate(sizes)]
        assert peak_bitrate(ticks, 30, window) == (
            max(sums) * 8 * 30 / window,
            sums.index(max(sums)),
        )


def test_phases_have_their_own_accounts(tmp_path: Path) -> None:
    ticks = [
        tick(0, **FULL, latency_ms=500.0, ssim=0.5),  # was there before: no latency
        tick(1, **FULL, latency_ms=10.0, ssim=1.0, presents=3, coalesced=2),
        tick(2, presents=1, identical=1),
        tick(3, picture=Picture.FULL, presents=0, keyframe=True, ssim=0.75),  # due, nothing new
        tick(4, **FULL, latency_ms=30.0, ssim=1.0, dropped=2, region_rects=(Rect(0, 0, 16, 16),)),
    ]
    made = recording(tmp_path, ticks, fps=2, measure=True)
    metrics = measure(made, "Five ticks", [PhaseSpan("A", 0.0, 1.0), PhaseSpan("B", 1.0, 2.5)])
    a, b = (phase.measures for phase in metrics.phases)
    assert (a.presents, a.coalesced, a.dropped, a.regions, a.ssim) == (4, 2, 0, 0, 0.75)
    assert (b.presents, b.coalesced, b.dropped, b.regions, b.ssim) == (4, 0, 2, 1, 0.875)
    assert a.latency is not None and (a.latency.median, a.latency.max) == (10.0, 10.0)
    assert b.latency is not None and (b.latency.median, b.latency.max) == (30.0, 30.0)
    assert metrics.total.latency is not None and metrics.total.latency.median == 20.0
    assert metrics.total.presents == metrics.frames.presented == 8
    assert metrics.times["latency_full"].median == 20.0


def test_what_was_not_measured_is_none(tmp_path: Path) -> None:
    ticks = [tick(0, **FULL), tick(1, **FULL, latency_ms=10.0), tick(2)]
    total = measure(recording(tmp_path, ticks, live=False), "Replay", []).total
    assert (total.ssim, total.latency) == (None, None)
    nothing = measure(recording(tmp_path, [tick(0)], measure=True), "Nothing", []).total
    assert (nothing.ssim, nothing.latency, nothing.psnr_y) == (None, None, None)


@pytest.mark.parametrize("live", [True, False])
def test_json_of_metrics(tmp_path: Path, live: bool) -> None:
    ticks = [tick(0, **FULL), tick(1, **FULL, latency_ms=10.0)]
    made = recording(tmp_path, ticks, live=live)
    data = json.loads(json.dumps(measure(made, "Two", [PhaseSpan("A", 0.0, 1.0)]).to_json()))
    assert data["format"] == FORMAT
    expected = {"median": 10.0, "p95": 10.0, "max": 10.0} if live else None
    assert data["total"]["latency"] == data["phases"][0]["measures"]["latency"] == expected
