"""Runs a scenario from its tape: no browser, no display, as fast as the machine goes."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import __version__
from .encoder import ChosenEncoder
from .errors import TapeError
from .pipeline import Pipeline
from .recorder import RecorderSettings, Recording
from .scenario import Scenario
from .tape import Tape, recipe_of, tape_path

# What decided the frames, so that it is told of where they come from.
_OF_THE_TAPE = ("browser", "vulkan device", "vulkan driver", "wsi")


def require_tapes(folder: Path, scenarios: Iterable[Scenario]) -> None:
    """Raises TapeError where a scenario has no tape in `folder`."""
    for scenario in scenarios:
        path = tape_path(folder, scenario)
        if not path.is_file():
            raise TapeError(
                f"there is no tape {path}",
                f"record it: harness run {scenario.path} --tape-record {folder}",
            )


def open_tape(folder: Path, scenario: Scenario) -> Tape:
    """The scenario's tape in `folder`.

    Raises:
        TapeError: it is missing, damaged, or was made of something else than what the
            scenario now says.
    """
    path = tape_path(folder, scenario)
    again = f"harness run {scenario.path} --tape-record {folder}"
    require_tapes(folder, [scenario])
    tape = Tape.open(path)
    header = tape.header
    taped, wanted = (header.width, header.height), scenario.viewport
    if taped != (wanted.width, wanted.height):
        raise TapeError(
            f"the tape {path} has the viewport {header.width}x{header.height}, "
            f"the scenario {wanted}",
            f"set the scenario's viewport back, or record again: {again}",
        )
    if header.fps != scenario.fps:
        raise TapeError(
            f"the tape {path} has {header.fps} ticks a second, the scenario {scenario.fps}",
            f"set the scenario's fps back, or record again: {again}",
        )
    difference = _difference(header.recipe, recipe_of(scenario))
    if difference:
        raise TapeError(
            f"the tape {path} was made of another scenario ('{header.title}'): {difference}",
            f"record again: {again}",
        )
    return tape


def _difference(taped: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What decides the screen and is not the same; empty if all is."""
    for key in sorted((set(taped) | set(now)) - {"phases", "viewport", "fps"}):
        if taped.get(key) != now.get(key):
            default = "as by default"
            return f"`{key}` was {taped.get(key, default)}, it is {now.get(key, default)}"
    before, after = taped.get("phases", []), now["phases"]
    names = [[phase["name"] for phase in phases] for phases in (before, after)]
    if names[0] != names[1]:
        return f"its phases were {names[0]}, they are {names[1]}"
    for old, new in zip(before, after, strict=True):
        if old != new:
            return f"the steps or the duration of phase '{new['name']}' are not the same"
    return ""


class Counter:
    """How many ticks of a replay are done."""

    ticks = 0


def replay(
    tape: Tape, settings: RecorderSettings, stream: Path, counter: Counter | None = None
) -> Recording:
    """Feeds a tape to the native pipeline. `settings` may differ from the recording's in
    everything but viewport and fps.

    Raises:
        TapeError: the tape does not decode.
        RecorderError: the pipeline fails.
    """
    header = tape.header
    with Pipeline(settings, stream, tape.ticks[0].arrival.tick_ns) as pipeline:
        for tick, frame in tape:
            pipeline.tick(frame, tick.videos, tick.damage, tick.arrival)
            if counter is not None:
                counter.ticks = pipeline.ticks
        return pipeline.finish(header.unseen_drops)


def environment_of(tape: Tape, encoder: ChosenEncoder) -> dict[str, str]:
    """For reports: what was recorded where, and what replays it here."""
    settings = encoder.settings
    taped = tape.header.environment
    return {
        **{key: taped[key] for key in _OF_THE_TAPE if key in taped},
        "replayed from": str(tape.path),
        "recorded by": f"uisplice {taped.get('uisplice', '?')} on {taped.get('system', '?')}",
        "uisplice": __version__,
        **encoder.environment,
        "preset": settings.preset,
        "qp": str(settings.qp),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": str(os.cpu_count()),
    }
