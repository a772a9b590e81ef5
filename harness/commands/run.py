"""The command `harness run`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import options
from ..allure_report import AllureRun, AllureSteps, apply, attach, show_replayed
from ..errors import HarnessError, ScenarioError, StepError
from ..explanation import explain
from ..output_folder import make_output_folder
from ..replay import require_tapes
from ..result import Result
from ..run import RunOptions, run_scenario
from ..scenario import Scenario, load_scenarios
from ..scenario.loader import require_own_folders, unknown_variable
from .command import command_parser, say
from .progress import Progressing
from .result_tables import show


def add_command(commands: Any) -> None:
    """Adds `run` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "run",
        _run,
        "play scenarios, record, check, report",
        "Plays scenarios in a real Chrome and records them; checks each stream, and judges what\n"
        "the scenario expects. Stream, metrics and report of each are in a folder below --output.",
        "examples:\n  harness run scenarios/idle.yaml\n"
        "  harness run scenarios/*.yaml --output reports/all --tape-record tapes\n"
        "  harness run scenarios/full_hd.yaml --encode layer",
    )
    parser.add_argument("scenario", nargs="+", type=Path, help="scenario files (YAML)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/run"),
        metavar="DIR",
        help="folder for the results, one subfolder a scenario (default: %(default)s)",
    )
    options.VARIABLE.add(parser.add_argument)
    options.BROWSER.add(parser.add_argument)
    options.WSI.add(parser.add_argument)
    options.ENCODE.add(parser.add_argument)
    options.ENCODER.add(parser.add_argument)
    parser.add_argument("--display", help="X display for Xvfb, such as :7 (default: a free one)")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port of the site's server on 127.0.0.1 (default: a free one)",
    )
    tapes = parser.add_mutually_exclusive_group()
    options.TAPE_RECORD.add(tapes.add_argument)
    options.TAPE_REPLAY.add(tapes.add_argument)


def _run(arguments: argparse.Namespace, console: Console) -> int:
    variables = dict(arguments.set)
    scenarios = [
        scenario for path in arguments.scenario for scenario in load_scenarios(path, variables)
    ]
    if wrong := unknown_variable(variables, scenarios):
        remedy = "a scenario's variables stand under 'variables' and 'matrix'"
        raise ScenarioError(f"--set: {wrong}", remedy)
    require_own_folders(scenarios)
    if arguments.tape_replay is not None:
        require_tapes(arguments.tape_replay, scenarios)
    make_output_folder(arguments.output, "--output")
    with AllureRun(arguments.output, Path()) as results:
        return _play_all(scenarios, arguments, console, results)


def _play_all(
    scenarios: Sequence[Scenario],
    arguments: argparse.Namespace,
    console: Console,
    results: AllureRun,
) -> int:
    # Each of its fields is an option of that name.
    said = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(RunOptions)}
    run_options = RunOptions(**said)
    worst = 0
    for scenario in scenarios:
        console.print(scenario.full_title, style="bold", markup=False, highlight=False, end="  ")
        say(console, scenario.path)
        if scenario.skip:
            say(console, f"skipped: {scenario.skip}", "yellow")
            continue
        folder = arguments.output / scenario.folder_name
        try:
            result = _play(scenario, folder, run_options, console, results)
        except StepError as error:  # the page is not ready; the next scenario's may be
            print(f"harness: {error}", file=sys.stderr)
            worst = max(worst, error.exit_code)
            continue
        show(result, console)
        if result.failure is not None:
            worst = max(worst, result.failure.exit_code)
        elif not result.passed:
            worst = max(worst, 1)
    return worst


def _play(
    scenario: Scenario, folder: Path, options: RunOptions, console: Console, results: AllureRun
) -> Result:
    with results.test(scenario) as test:
        try:
            result = run_scenario(scenario, folder, options, AllureSteps(Progressing(console)))
        except HarnessError as error:
            apply(explain(scenario, None, error), test)
            raise
        if options.tape_replay is not None:
            show_replayed(scenario)
        attach(result)
        if not result.passed:
            apply(explain(scenario, result, result.failure), test)
    return result
