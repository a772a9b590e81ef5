"""The table of phases, as the report, Allure and the command line show it."""

from __future__ import annotations

from ..metrics import Measures

MEASURES_HEAD = [
    "phase",
    "s",
    "ticks",
    "unchanged %",
    "video only %",
    "changed %",
    "kB",
    "Mbit/s",
    "PSNR-Y dB",
]


def measures_row(name: str, m: Measures) -> list[str]:
    """A line under MEASURES_HEAD, as text."""
    return [
        name,
        f"{m.duration:.1f}",
        str(m.ticks),
        f"{m.shares['unchanged']:.1f}",
        f"{m.shares['video_only']:.1f}",
        f"{m.shares['changed']:.1f}",
        f"{m.bytes / 1000:.0f}",
        f"{m.bitrate / 1e6:.2f}",
        f"{m.psnr_y:.1f}" if m.psnr_y is not None else "–",  # noqa: RUF001
    ]
