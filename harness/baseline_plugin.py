"""Baselines in pytest: the options, and what happens to each scenario's result.

A scenario is compared where it ran (under pytest-xdist in its worker), so that its own
test fails; the controller writes the one file of a run and the summary.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from . import options
from .baseline import Commit, ScenarioMetrics, Storage, check_save_name
from .errors import BaselineError, BaselineRegression
from .movement import (
    Comparison,
    Outcome,
    compare_scenario,
    match,
    require_same_environment,
    text_table,
)
from .result import Result
from .tolerance import Tolerance, parse_option, parse_tolerance

_NAME = "uisplice-baselines"
_LATEST = ""
_OUTPUT = "uisplice_baselines"  # the key in a worker's output


def add_options(parser: pytest.Parser) -> None:
    """The group "uisplice baselines"."""
    group = parser.getgroup("uisplice baselines", "uisplice baselines")
    group.addoption(
        "--baseline-save",
        metavar="NAME",
        help="keep this run's metrics as DIR/ENVIRONMENT/NNNN_NAME.json",
    )
    group.addoption(
        "--baseline-autosave",
        action="store_true",
        help="keep this run's metrics, named after commit and time",
    )
    group.addoption(
        "--baseline-compare",
        metavar="NUM|ID",
        nargs="?",
        const=_LATEST,
        help="compare with the run saved last in this environment, or with the one of that "
        "number, commit or name (ENVIRONMENT/NUM: with another environment); a scenario fails "
        "when its numbers are worse than its tolerances allow",
    )
    options.STORAGE.add(
        group.addoption,
        "--baseline-storage",
        help="folder of baselines (default: $UISPLICE_BASELINES, or .baselines beside "
        "pytest's configuration)",
    )
    options.TOLERANCE.add(
        group.addoption,
        "--baseline-tolerance",
        help=f"{options.TOLERANCE.help}; goes before the scenario's own",
    )


def configure(config: pytest.Config) -> None:
    """Starts what the options ask for. Raises pytest.UsageError for what cannot be."""
    name, auto = config.getoption("--baseline-save"), config.getoption("--baseline-autosave")
    compare = config.getoption("--baseline-compare")
    try:
        tolerances = dict(parse_option(t) for t in config.getoption("--baseline-tolerance"))
        if name is not None:
            check_save_name(name)
    except ValueError as error:
        raise pytest.UsageError(f"baselines: {error}") from None
    if not (name or auto) and compare is None:
        return
    if name and auto:
        raise pytest.UsageError("--baseline-save and --baseline-autosave exclude each other")
    chosen = config.getoption("--baseline-storage")
    storage = Storage.at(config.invocation_params.dir / chosen if chosen else None, config.rootpath)
    if compare is not None:
        _require_something(storage, compare)
    plugin = Baselines(config, storage, compare, name, bool(name or auto), tolerances)
    config.pluginmanager.register(plugin, _NAME)


def record(
    config: pytest.Config, item: pytest.Item, result: Result, stated: Iterable[tuple[str, str]]
) -> None:
    """Takes a scenario's result: kept for the baseline, compared with one. `stated` are
    the scenario's own tolerances, by metric, as written.

    Raises:
        BaselineRegression: it moved for the worse. Not where the result fails by itself:
            then the table is with the test's report and in the summary.
        BaselineError: there is no baseline for this environment, or it cannot be read.
    """
    plugin = config.pluginmanager.get_plugin(_NAME)
    if isinstance(plugin, Baselines):
        plugin.record(item, result, stated)


def _require_something(storage: Storage, wanted: str) -> None:
    """Said before minutes of recording rather than after them."""
    if storage.select(wanted) or (wanted.endswith(".json") and Path(wanted).is_file()):
        return
    stored = ", ".join(run.label for run in storage.runs()) or "nothing"
    hint = "save a baseline first: pytest --baseline-autosave"
    if wanted and Path(wanted).exists():
        hint = (
            f"put --baseline-compare behind the paths, or write it --baseline-compare=NUM {wanted}"
        )
    which = f"'{wanted}'" if wanted else "to compare with"
    raise pytest.UsageError(
        f"baselines: there is no baseline {which} in {storage.root} (stored: {stored})\n"
        f"  what to do: {hint}"
    )


class Baselines:
    """What the options ask for, over one run; registered as a plugin of its own."""

    def __init__(
        self,
        config: pytest.Config,
        storage: Storage,
        wanted: str | None,
        name: str | None,
        saving: bool,
        tolerances: dict[str, Tolerance],
    ) -> None:
        self._config = config
        self._storage = storage
        self._wanted = wanted
        self._name = name
        self._saving = saving
        self._tolerances = tolerances
        self._recorded: list[ScenarioMetrics] = []
        self._lines: list[str] = []
        self._comparison = Comparison()
        self._compared_with: list[str] = []

    def record(self, item: pytest.Item, result: Result, stated: Iterable[tuple[str, str]]) -> None:
        """See the function of the same name."""
        if result.metrics is None or result.failure is not None:
            self._say(f"{item.nodeid}: broke off, neither kept nor compared")
            return
        own = {name: parse_tolerance(name, amount) for name, amount in stated}
        now = ScenarioMetrics.of(result.folder.name, result.metrics.to_json(), item.nodeid, own)
        if result.passed:
            self._recorded.append(now)
        else:
            self._say(f"{item.nodeid}: did not pass, so it is not kept as a baseline", self._saving)
        comparison = None
        try:
            if self._wanted is not None:
                comparison = self._compare(item, now)
        finally:
            self._share()
        if comparison is None:
            return
        table = f"compared with {self._compared_with[-1]}\n{text_table(comparison)}"
        if comparison.regressed and result.passed:
            raise BaselineRegression(f"worse than its baseline\n{table}")
        item.add_report_section("call", "baseline", table)

    def compare(self, now: ScenarioMetrics) -> Comparison:
        """What moved since the baseline that the options name.

        Raises:
            BaselineError: none for this environment, or of another view.
        """
        assert self._wanted is not None
        run = self._storage.find(self._wanted, now.environment_id)
        self._compared_with.append(str(run.path))
        before = match(run.scenarios(), now)
        if before is None:
            return Comparison(notes=(f"{now.name}: not in the baseline {run.path}",))
        named = "/" in self._wanted or self._wanted.endswith(".json")
        if not named:
            require_same_environment(before, now)
        return compare_scenario(before, now, self._tolerances, now.tolerances)

    def _compare(self, item: pytest.Item, now: ScenarioMetrics) -> Comparison:
        try:
            comparison = self.compare(now)
        except BaselineError as error:
            self._say(f"{item.nodeid}: not compared: {error.message}")
            raise
        self._comparison += comparison
        return comparison

    def _say(self, line: str, relevant: bool = True) -> None:
        if relevant:
            self._lines.append(line)
        self._share()

    def _share(self) -> None:
        """In a worker of pytest-xdist: hands everything to the controller at its end."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = {
                "recorded": [scenario.to_json() for scenario in self._recorded],
                "lines": list(self._lines),
                "comparison": self._comparison.to_json(),
                "compared_with": list(self._compared_with),
            }

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """pytest-xdist's: takes what a worker measured."""
        output = getattr(node, "workeroutput", None)
        shared = output.get(_OUTPUT) if isinstance(output, dict) else None
        if shared is not None:
            self._recorded += [ScenarioMetrics.from_json(entry) for entry in shared["recorded"]]
            self._lines += shared["lines"]
            self._comparison += Comparison.from_json(shared["comparison"])
            self._compared_with += shared["compared_with"]
        elif error is not None:
            self._lines.append("a worker crashed: what it measured is not kept")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the run's file, once, where the run is controlled from."""
        if not self._saving or hasattr(self._config, "workerinput"):
            return
        if session.exitstatus == pytest.ExitCode.INTERRUPTED:
            self._lines.append("nothing was saved: the run was interrupted")
            return
        if not self._recorded:
            self._lines.append("nothing was saved: no scenario was recorded and passed")
            return
        # Workers end in any order; a stored run does not depend on it.
        entries = sorted(self._recorded, key=lambda entry: entry.nodeid)
        try:
            commit = Commit.of(self._config.rootpath)
            for path in self._storage.save(entries, commit, self._name):
                self._lines.append(f"saved: {path}")
        except BaselineError as error:
            self._lines.append(f"nothing was saved: {error}")
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What moved, and what was saved."""
        terminalreporter.section("baselines")
        for path in dict.fromkeys(self._compared_with):
            terminalreporter.write_line(f"compared with {path}")
        if self._wanted is not None:
            regressed = self._comparison.regressed
            for line in text_table(self._comparison).splitlines():
                bad = regressed and line.endswith(Outcome.REGRESSED.value)
                terminalreporter.write_line(line, red=bad)
        for line in self._lines:
            terminalreporter.write_line(line)
