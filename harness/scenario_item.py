"""Scenarios as pytest sees them: a file, one item a scenario, one report a phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import baseline_plugin
from .allure_report import AllureSteps, Explainer, attach, describe, show_replayed
from .errors import BaselineRegression, HarnessError, ScenarioError, TapeError
from .explanation import PhaseFacts, explain, phase_facts
from .recording_folders import folder_of, has_own_name
from .report import MEASURES_HEAD, measures_row
from .result import Result
from .run import RunOptions, run_scenario
from .scenario import Scenario, load_scenarios
from .text_table import aligned
from .turns import Turns


@dataclass(frozen=True)
class Run:
    """What all scenarios of a pytest run have in common: where their recordings go, and the
    options."""

    folder: Path
    options: RunOptions
    turns: Turns | None = None  # shared with other workers, where there are any


RUN = pytest.StashKey[Run]()
MISTAKE = pytest.StashKey[ScenarioError]()
"""Of the command line, where each scenario has to say it."""
EXPLAINER = pytest.StashKey[Explainer]()


PHASES = "uisplice_phases"
"""The attribute of a scenario's report that holds its PhaseFacts."""
PHASE = "uisplice_phase"
"""The attribute of a phase's report that holds its name."""
_COUNT_TESTS = ("session", "lfplugin", "stepwiseplugin")  # pytest's own plugins


class ScenarioFailure(AssertionError):
    """A scenario whose expectations or checks did not all pass.

    An AssertionError, because Allure reports anything else as broken, not failed.
    """


class ScenarioFile(pytest.File):
    """A YAML file: one scenario, or one for each case of its matrix."""

    def collect(self) -> Iterator[pytest.Item]:
        variables = dict(self.config.getoption("--scenario-set"))
        try:
            scenarios = load_scenarios(self.path, variables)
        except ScenarioError as error:
            # Collecting fails with our message alone, not with a traceback of the loader.
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.id, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario, recorded when the test runs."""

    def __init__(self, *, scenario: Scenario, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scenario = scenario
        self.result: Result | None = None
        self.add_marker(pytest.mark.scenario)
        for tag in scenario.tags:
            # Known from here on, also under --strict-markers: the file declares it.
            self.config.addinivalue_line("markers", f"{tag}: a scenario's tag")
            self.add_marker(tag)
        if scenario.skip:
            self.add_marker(pytest.mark.skip(reason=scenario.skip))
        if scenario.xfail:
            xfail = scenario.xfail
            self.add_marker(pytest.mark.xfail(reason=xfail.reason, strict=xfail.strict))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, f"scenario: {self.scenario.full_title}"

    def setup(self) -> None:
        if mistake := self.config.stash.get(MISTAKE, None):
            raise mistake
        if turns := self.config.stash[RUN].turns:
            waited = turns.take()
            if waited > 1:
                self.add_report_section(
                    "setup", "turns", f"waited {waited:.0f} s for processors of its own"
                )

    def teardown(self) -> None:
        if turns := self.config.stash[RUN].turns:
            turns.give_back()

    def runtest(self) -> None:
        settings = self.config.stash[RUN]
        self.result = None  # of an attempt before this one, where tests are run again
        describe(self.scenario)
        if settings.options.tape_record is not None and not has_own_name(self):
            raise TapeError(
                f"another scenario of this run is named '{self.name}' as well: both would have "
                "one tape",
                "run them apart, each with a folder of its own for --tape-record",
            )
        folder = settings.folder / folder_of(self)
        self.result = run_scenario(self.scenario, folder, settings.options, AllureSteps())
        if settings.options.tape_replay is not None:
            show_replayed(self.scenario)
        attach(self.result)
        self._describe(self.result)
        baseline_plugin.record(self.config, self, self.result, self.scenario.baseline)
        if self.result.failure is not None:
            raise self.result.failure
        if self.result.problems:
            raise ScenarioFailure(self.result.failure_table)

    def _describe(self, result: Result) -> None:
        """The numbers that a JUnit file or another report wants beside the outcome."""
        self.add_report_section("call", "recording", text_table(result))
        self.user_properties.append(("recording", str(result.folder)))
        if result.metrics is None:
            return
        total = result.metrics.total
        self.user_properties += [
            *((f"share {name} %", f"{share:g}") for name, share in total.shares.items()),
            ("bytes", str(total.bytes)),
            ("bitrate", f"{total.bitrate:g}"),
            ("psnr_y", f"{total.psnr_y:g}" if total.psnr_y is not None else ""),
            ("dropped", str(total.dropped)),
        ]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, (HarnessError, ScenarioFailure, BaselineRegression)):
            raised = None if isinstance(error, ScenarioFailure) else error
            explanation = explain(self.scenario, self.result, raised)
            self.config.stash[EXPLAINER].pending = explanation
            # pytest's short summary shows the first line alone.
            lines = [explanation.headline, "", str(error)]
            if self.result is not None:
                if isinstance(error, HarnessError) and self.result.failure_table:
                    lines += ["", self.result.failure_table]
                if self.result.headroom:
                    lines += ["", self.result.headroom]
                lines += ["", f"evidence: {self.result.folder}"]
            return "\n".join(lines)
        return super().repr_failure(excinfo, style)

    def phase_facts(self) -> list[PhaseFacts]:
        """How each phase ended, once the scenario has been played."""
        return phase_facts(self.scenario, self.result)


class PhaseReports:
    """Reports each phase before the scenario that it belongs to.

    The item's own report carries the facts, so that they also come from the workers of
    pytest-xdist, which let no report through but an item's own.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if outcome == "rerun":  # pytest-rerunfailures': only the last attempt counts
            return
        # A phase is no test: whatever counts failures (--maxfail), or runs tests again by their
        # names (--lf, --sw), goes by the scenario's own report.
        plugins = self._config.pluginmanager
        counting = [plugins.get_plugin(name) for name in _COUNT_TESTS]
        hook = plugins.subset_hook_caller("pytest_runtest_logreport", counting)
        for facts in getattr(report, PHASES, ()):
            hook(report=_phase_report(facts, report))


def _phase_report(facts: PhaseFacts, whole: pytest.TestReport) -> pytest.TestReport:
    file, _, item = whole.location
    outcome, text = facts["outcome"], facts["text"]
    excused = outcome == "failed" and hasattr(whole, "wasxfail")
    report = pytest.TestReport(
        # As a parameter: a JUnit file then has it as a test of its own beside the scenario.
        nodeid=f"{whole.nodeid}[{facts['name']}]",
        location=(file, facts["line"] - 1, f"{item}: {facts['name']}"),
        keywords={},
        outcome="skipped" if excused else outcome,
        longrepr=(file, facts["line"], text) if outcome == "skipped" else text or None,
        when="call",
        duration=facts["seconds"],
    )
    setattr(report, PHASE, facts["name"])
    if excused:
        report.wasxfail = whole.wasxfail
    for name in ("node", "worker_id"):  # what pytest-xdist gives a report
        if hasattr(whole, name):
            setattr(report, name, getattr(whole, name))
    return report


def text_table(result: Result) -> str:
    """A result's phases, checks and files as lines of text."""
    if result.metrics is None:
        return "nothing was recorded"
    rows = [MEASURES_HEAD]
    rows += [measures_row(p.name, p.measures) for p in result.metrics.phases]
    rows.append(measures_row("whole recording", result.metrics.total))
    lines = [aligned(rows, right=range(1, len(MEASURES_HEAD)))]
    lines += [f"{c.status.value}: {c.name}: {c.summary}" for c in result.checks]
    return "\n".join([*lines, f"files: {result.folder}"])
