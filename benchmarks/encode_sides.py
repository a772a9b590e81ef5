"""What it costs to encode in Chrome's GPU process instead of the recorder's.

Plays one scenario with `encode: recorder` and `encode: layer` in turn, so that what else
the machine does hits both alike, and prints medians and their ratio: presents a second,
processor time of everything that takes part (Chrome, the display, the recorder's process),
of the two processes that may encode, and of the encoders' own thread.

    python benchmarks/encode_sides.py scenarios/netflix_ui.yaml --rounds 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness.metrics import measure
from harness.observer import Counting, Observer
from harness.run import RunOptions, run_scenario
from harness.scenario import Scenario, load_scenario

Side = Literal["recorder", "layer"]
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """Seconds of processor time so far, of a process and the children it has waited for."""

    parent: int
    seconds: float
    gpu: bool


def _processes() -> Iterator[tuple[int, Process]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        spent = sum(int(field) for field in stat[11:15]) / _TICK
        yield int(entry.name), Process(int(stat[1]), spent, b"--type=gpu-process" in command)


def spent() -> dict[str, float]:
    """Processor time of this process and all below it."""
    table = dict(_processes())
    family = {os.getpid()}
    while new := {pid for pid, one in table.items() if one.parent in family} - family:
        family |= new
    return {
        "all": sum(table[pid].seconds for pid in family),
        "recorder's process": sum(os.times()[:2]),
        "GPU process": sum(table[pid].seconds for pid in family if table[pid].gpu),
    }


class Meter(Observer):
    """Processor time from the recording's first tick to its last."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self.used: dict[str, float] = {}

    def recording(self, recorder: Counting, expected_ticks: int | None) -> None:  # noqa: ARG002
        self._before = spent()

    def recorded(self) -> None:
        if not self.used:
            self.used = {name: after - self._before[name] for name, after in spent().items()}


def run(scenario: Scenario, side: Side, folder: Path) -> dict[str, float]:
    """One recording; raises RuntimeError where it broke off or lost a frame."""
    meter = Meter()
    result = run_scenario(scenario, folder, RunOptions(encode=side), meter)
    recording = result.recording
    if recording is None or recording.error or result.failure is not None:
        raise RuntimeError(f"{side}: {recording.error if recording else result.failure}")
    metrics = measure(recording, scenario.full_title, (), (), {})
    failed = [check.name for check in result.checks if not check.passed]
    if failed:
        raise RuntimeError(f"{side}: {', '.join(failed)} failed; see {folder}")
    values = {"presents a second": metrics.frames.presented / recording.duration}
    for name, seconds in meter.used.items():
        values[f"CPU of {name}, s a second"] = seconds / recording.duration
    coded = [tick for tick in recording.ticks if tick.bytes]
    values["encoders, splicer, ms a picture"] = sum(t.cpu_ms for t in coded) / len(coded)
    values["CPU of all, ms a present"] = 1000 * meter.used["all"] / metrics.frames.presented
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    scenario = load_scenario(arguments.scenario)
    found: dict[Side, list[dict[str, float]]] = {side: [] for side in get_args(Side)}
    with tempfile.TemporaryDirectory(prefix="uisplice-bench-") as folder:
        for number in range(arguments.rounds):
            for side, values in found.items():
                values.append(run(scenario, side, Path(folder) / f"{side}-{number}"))
    print(f"{scenario.full_title}, medians of {arguments.rounds} rounds, alternated")
    print(f"{'':36}{'recorder':>10}{'layer':>10}{'ratio':>8}")
    for name in found["recorder"][0]:
        here, there = (
            statistics.median(values[name] for values in found[side]) for side in get_args(Side)
        )
        print(f"{name:36}{here:10.2f}{there:10.2f}{there / here:8.2f}")


if __name__ == "__main__":
    main()
