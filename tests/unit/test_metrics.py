"""Metrics of recordings made of ticks alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support.ticks import recording, tick

from harness.metrics import FORMAT, PhaseSpan, measure, peak_bitrate
from harness.recorder import Picture, Rect, TickClass
from harness.tolerance import METRICS

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


def test_ticks_between_phases_are_of_none(tmp_path: Path) -> None:
    """A test in Python waits between two phases: what happens then is not the second one's."""
    ticks = [tick(i, **FULL, bytes=10 if i < 12 or i >= 36 else 1000) for i in range(60)]
    spans = [PhaseSpan("A", 0.02, 0.5), PhaseSpan("B", 1.5, 2.0), PhaseSpan("C", 2.03, 2.5)]
    metrics = measure(recording(tmp_path, ticks), "Gaps", spans)
    assert [(p.first_tick, p.end_tick) for p in metrics.phases] == [(0, 12), (36, 48), (48, 60)]
    assert [p.measures.bytes for p in metrics.phases] == [120, 120, 120]
    assert metrics.total.bytes == 360 + 24_000


@pytest.mark.parametrize("span", [(7.0, 8.0), (2.0, 1.0), (0.0, 0.0)])
def test_a_phase_without_a_tick(tmp_path: Path, span: tuple[float, float]) -> None:
    spans = [PhaseSpan("A", *span), PhaseSpan("B", span[1], 9.0)]
    metrics = measure(recording(tmp_path, [tick(0, **FULL), tick(1)]), "Two", spans)
    assert sum(p.measures.ticks for p in metrics.phases) <= 2
    assert all(0 <= p.first_tick <= p.end_tick <= 2 for p in metrics.phases)


def test_everything_that_baselines_compare_is_measured(tmp_path: Path) -> None:
    ticks = [tick(i, **FULL, bytes=100 + i, ssim=1.0) for i in range(48)]
    made = measure(recording(tmp_path, ticks, measure=True), "Two seconds", [])
    total = made.to_json()["total"]
    assert [m.name for m in METRICS if not m.timed and m.value(total) is None] == []
    assert total["peak_bitrate"] == 8 * sum(range(124, 148))
    short = measure(recording(tmp_path, ticks[:23]), "Under a second", []).total
    assert short.peak_bitrate is None


@pytest.mark.parametrize("live", [True, False])
def test_json_of_metrics(tmp_path: Path, live: bool) -> None:
    ticks = [tick(0, **FULL), tick(1, **FULL, latency_ms=10.0)]
    made = recording(tmp_path, ticks, live=live)
    data = json.loads(json.dumps(measure(made, "Two", [PhaseSpan("A", 0.0, 1.0)]).to_json()))
    assert data["format"] == FORMAT
    expected = {"median": 10.0, "p95": 10.0, "max": 10.0} if live else None
    assert data["total"]["latency"] == data["phases"][0]["measures"]["latency"] == expected
