"""Scenarios made to fail in one way each, and their tapes: pytest plays them without Chrome."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.causes import Cause
from harness.ring import VideoRegion
from harness.scenario import load_scenarios
from harness.tape import TapedSpan, recipe_of, tape_path

from . import content
from .taping import FIRST_TICK_NS, header, make_tape

REST, FILM = 12, 24  # ticks
SCENARIO = """\
scenario: A <b>bold</b> film
description: |
  <img src=x onerror=alert(1)> and ![one](https://evil.example/x.png)

  # no head
open: http://127.0.0.1/
viewport: 352x256
tags: [critical, smoke]
matrix: {take: [one]}
phases:
  - phase: Still
    duration: 500ms
    expect: {%s}
  - phase: Film ${take}
    duration: 1s
    expect: {shares: {unchanged: "<= 10%%"}}
"""
FINE = 'shares: {unchanged: ">= 50%"}'


@dataclass(frozen=True)
class Seed:
    """A scenario made to fail in one way: what it expects, the recorder's fault, the drops."""

    cause: Cause | None
    says: str  # in the headline
    expect: str = FINE
    fault: str = "NONE"
    drops: int = 0


SEEDS = {
    "fine": Seed(None, ""),
    "share": Seed(
        Cause.SHARES, "Still: shares.changed >= 90%: measured 8.3", 'shares: {changed: ">= 90%"}'
    ),
    "drops": Seed(Cause.DROPPED, "no frame dropped failed: 3 dropped", drops=3),
    "inexact": Seed(Cause.EXACTNESS, "exact in FFmpeg failed: ", fault="WRONG_MVD"),
    "broken": Seed(Cause.DECODE, "stream structure failed: ", fault="NO_MMCO4"),
    "unrun": Seed(
        Cause.NOT_RUN,
        "not run: the tape was made without it",
        f"{FINE}, page: [{{text: Hello}}]",
    ),
}
CONFTEST = """
import dataclasses
import harness.run as run
from harness.recorder import Fault

FAULTS = {faults}
real = run.settings_of

def faulty(scenario, *arguments):
    made = real(scenario, *arguments)
    fault = Fault[FAULTS[scenario.path.stem]]
    return dataclasses.replace(made, recorder=dataclasses.replace(made.recorder, faults=fault))

run.settings_of = faulty
"""


@functools.cache
def frames() -> list[Any]:
    """A page at rest, then a film in it."""
    ui = content.ui(352, 256)
    film = content.natural(128, 96, FILM)
    video = VideoRegion(7, 112, 80, 128, 96, True, FIRST_TICK_NS - 5)
    made: list[Any] = [(ui, ())] + [(None, ())] * (REST - 1)
    return made + [(content.paste(ui, picture, 112, 80), (video,)) for picture in film]


def seed(folder: Path, name: str) -> None:
    path = folder / f"{name}.yaml"
    path.write_text(SCENARIO % SEEDS[name].expect, encoding="utf-8")
    (scenario,) = load_scenarios(path)
    head = header(352, 256, spans=(TapedSpan("Still", 0.0, 0.5), TapedSpan("Film one", 0.5, 1.5)))
    head = replace(
        head,
        recipe=recipe_of(scenario),
        ticks=REST + FILM,
        title=scenario.full_title,
        unseen_drops=SEEDS[name].drops,
    )
    make_tape(tape_path(folder / "tapes", scenario), frames(), head)


def results_of(folder: Path) -> dict[str, Any]:
    """Allure's results by the name of the scenario's file."""
    found = {}
    for path in folder.glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["fullName"].split("#")[0]] = result
    return found


def write_seeds(folder: Path) -> None:
    """All seeds and their tapes, and what breaks the recorder for some of them."""
    (folder / "tapes").mkdir()
    for name in SEEDS:
        seed(folder, name)
    faults = {name: seed.fault for name, seed in SEEDS.items()}
    (folder / "conftest.py").write_text(CONFTEST.format(faults=faults))


def run_pytest(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout
