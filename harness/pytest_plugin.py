"""The pytest plugin: scenarios as tests, and fixtures for tests written in Python.

Collected as scenarios: every `*.yaml` and `*.yml` in a folder named `scenarios`,
every one named on the command line, and elsewhere those that look like one (a
line that starts with `open:`).

Read it top to bottom: options, collection, reports, fixtures, summary. The items are in
scenario_item.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import allure
import pytest
from playwright.sync_api import Page

from . import allure_plugin, baseline_plugin, options
from .allure_report import attach
from .errors import ScenarioError
from .headroom import complaints_in
from .metrics import PhaseSpan, measure
from .observer import Observer
from .recorder import RecorderSettings
from .recording_folders import FOLDERS, folder_names, folder_of
from .result import Result, conclude
from .run import RunOptions, run_scenario
from .scenario import load_scenario
from .scenario.loader import unknown_variable
from .scenario.nearest import unknown
from .scenario_item import (
    MISTAKE,
    PHASE,
    PHASES,
    RUN,
    PhaseReports,
    Run,
    ScenarioFailure,
    ScenarioFile,
    ScenarioItem,
)
from .session import Session, SessionSettings
from .turns import PROCESSORS_EACH, Turns, at_once

_LOOKS_LIKE_A_SCENARIO = re.compile(r"^open:", re.M)
_WORKER_FOLDER = "uisplice_recordings"  # what the controller of pytest-xdist tells its workers


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("uisplice", "recording UI scenarios")
    # pytest-playwright has a --browser of its own; --set would say too little here.
    options.BROWSER.add(group.addoption, "--browser-path")
    group.addoption(
        "--recordings",
        metavar="DIR",
        help="folder for streams, metrics and reports (default: reports/<date and time>)",
    )
    options.VARIABLE.add(group.addoption, "--scenario-set")
    group.addoption(
        "--at-once",
        type=int,
        metavar="N",
        help="recordings at the same time under pytest-xdist; the others wait for their turn "
        f"(default: one for every {PROCESSORS_EACH} processors, so {at_once()} here)",
    )
    options.WSI.add(group.addoption)
    options.ENCODE.add(group.addoption)
    options.ENCODER.add(group.addoption)
    options.TAPE_RECORD.add(group.addoption)
    options.TAPE_REPLAY.add(group.addoption)
    baseline_plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--tape-record") and config.getoption("--tape-replay"):
        raise pytest.UsageError("--tape-record and --tape-replay exclude each other")
    config.addinivalue_line("markers", "scenario: a YAML scenario, played in a real Chrome")
    turns = Turns(_at_once(config)) if _is_worker(config) else None
    config.stash[RUN] = Run(_recordings(config), _options(config), turns)
    baseline_plugin.configure(config)
    allure_plugin.configure(config, config.stash[RUN].folder)
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Workers(config), "uisplice-workers")
    if not _is_worker(config):
        config.pluginmanager.register(PhaseReports(config), "uisplice-phases")


def _at_once(config: pytest.Config) -> int:
    chosen = config.getoption("--at-once")
    if chosen is not None and chosen < 1:
        raise pytest.UsageError("--at-once: at least 1")
    return chosen or at_once()


def _recordings(config: pytest.Config) -> Path:
    """One folder for the whole run, also where several workers share it."""
    told = getattr(config, "workerinput", {}).get(_WORKER_FOLDER)
    chosen = told or config.getoption("--recordings")
    if chosen:
        return (config.invocation_params.dir / str(chosen)).absolute()
    return config.rootpath / "reports" / datetime.now().strftime("%Y%m%d-%H%M%S")


class _Workers:
    """Tells the workers of pytest-xdist what they share. Displays, ports, shared memory and
    profiles need no telling: each session finds its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder = config.stash[RUN].folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_WORKER_FOLDER] = str(self._folder)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _options(config: pytest.Config) -> RunOptions:
    return RunOptions(
        browser=config.getoption("--browser-path"),
        wsi=config.getoption("--wsi"),
        encode=config.getoption("--encode"),
        encoder=config.getoption("--encoder"),
        tape_record=config.getoption("--tape-record"),
        tape_replay=config.getoption("--tape-replay"),
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [f"uisplice: recordings go to {config.stash[RUN].folder}"]
    workers = getattr(config.option, "numprocesses", None)
    if workers and workers > _at_once(config):
        lines.append(
            f"uisplice: {_at_once(config)} of {workers} workers records at a time, for each needs "
            f"{PROCESSORS_EACH} processors (--at-once=N)"
        )
    return lines


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    if not (
        file_path.parent.name == "scenarios"
        or _named_on_command_line(file_path, parent.config)
        or _looks_like_a_scenario(file_path)
    ):
        return None
    return cast(pytest.Collector, ScenarioFile.from_parent(parent, path=file_path))


def _named_on_command_line(path: Path, config: pytest.Config) -> bool:
    return any(
        (config.invocation_params.dir / str(argument).split("::")[0]).resolve() == path.resolve()
        for argument in config.args
    )


def _looks_like_a_scenario(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _LOOKS_LIKE_A_SCENARIO.search(file.read(1 << 16)) is not None
    except OSError:
        return False


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tests of one name get folders of their own; a variable that no scenario has is a mistake
    of the command line."""
    session.config.stash[FOLDERS] = folder_names(session.items)
    given = [name for name, _ in session.config.getoption("--scenario-set")]
    if not given or session.testsfailed:
        return
    scenarios = [item.scenario for item in session.items if isinstance(item, ScenarioItem)]
    if scenarios and (wrong := unknown_variable(given, scenarios)):
        if _is_worker(session.config):  # pytest-xdist takes one that ends here for a crash
            session.config.stash[MISTAKE] = ScenarioError(f"--scenario-set: {wrong}")
            return
        raise pytest.UsageError(f"--scenario-set: {wrong}")


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """`--collect-only` names each scenario's marks, which pytest itself does not show."""
    if not config.option.collectonly:
        return []
    scenarios = [item for item in items if isinstance(item, ScenarioItem)]
    return [
        f"{item.nodeid}: {', '.join(dict.fromkeys(m.name for m in item.iter_markers()))}"
        for item in scenarios
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario's report carries how its phases ended."""
    report = yield
    if isinstance(item, ScenarioItem) and call.when == "call":
        setattr(report, PHASES, item.phase_facts())
    return report


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Phases are counted as phases: `1 passed, 10 phases passed`. They print no letter, or
    they would count as tests in the progress."""
    if not hasattr(report, PHASE):
        return None
    outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
    return _PHASE_COUNTS[outcome], "", ""


_PHASE_COUNTS = {
    "passed": "phases passed",
    "failed": "phases failed",
    "skipped": "phases not reached",
    "xfailed": "phases xfailed",
}


class RecordedSession:
    """What the `recording` fixture gives inside its `with`: a page, and after it
    the result."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._result: Result | None = None
        self.spans: list[PhaseSpan] = []

    @property
    def page(self) -> Page:
        """Playwright's page; another one once a crashed page was recovered."""
        return self._session.page

    def resize(self, width: int, height: int) -> None:
        """Gives the window another size in device pixels; the stream keeps its own."""
        self._session.resize(width, height)

    @property
    def result(self) -> Result:
        """Metrics and checks; only once the `with` has ended."""
        if self._result is None:
            raise RuntimeError("the recording still runs: use `result` behind the with block")
        return self._result

    @result.setter
    def result(self, result: Result) -> None:
        self._result = result

    def wait(self, seconds: float) -> None:
        """Lets time pass while the page is watched."""
        self._session.wait(seconds)

    def request_keyframe(self) -> None:
        """Makes the next tick's picture a keyframe, whether anything changed or not."""
        self._session.recorder.request_keyframe()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Names a part of the recording; it gets its own line in the metrics."""
        start = self._session.recorder.elapsed
        with allure.step(name):
            yield
        self.spans.append(PhaseSpan(name, start, self._session.recorder.elapsed))


@pytest.fixture
def recorder_settings() -> dict[str, Any]:
    """Override it to change what every `recording` of a module or folder is made with:
    fields of RecorderSettings, such as `{"width": 1920, "height": 1080, "qp": 26}`."""
    return {}


@pytest.fixture
def session_settings() -> dict[str, Any]:
    """Override it to change where every `recording` takes its page from: fields of
    SessionSettings, such as `{"clips": ("bikes",), "reduced_motion": True}`."""
    return {}


@pytest.fixture
def recording(
    request: pytest.FixtureRequest,
    recorder_settings: dict[str, Any],
    session_settings: dict[str, Any],
) -> Callable[..., contextlib.AbstractContextManager[RecordedSession]]:
    """Records what a test does with a page.

    Call it with `open=` (a path on `site`, which is relative to the test's file, or a URL)
    and, as wanted, with other fields of SessionSettings (`clips`, `ready`, `scale`, ...) and
    of RecorderSettings (`fps`, `width`, `height`, `qp`, `preset`, `guard`, ...). With `check`
    (the default) a stream that fails a check fails the test when the `with` ends. Skipped
    under --tape-replay: only scenarios have tapes.
    """
    config = request.config
    if config.getoption("--tape-replay"):
        pytest.skip("a test in Python drives the page itself: there is no tape of it")
    run = config.stash[RUN]
    of_session, of_recorder = (
        {field.name for field in dataclasses.fields(model)}
        for model in (SessionSettings, RecorderSettings)
    )
    count = 0

    @contextlib.contextmanager
    def record(*, open: str, check: bool = True, **given: Any) -> Iterator[RecordedSession]:
        nonlocal count
        count += 1
        name = folder_of(request.node) + (f"-{count}" if count > 1 else "")
        for key in given:
            if key not in of_session | of_recorder:
                raise TypeError(f"recording: {unknown('setting', key, of_session | of_recorder)}")
        recorder = {
            "encoder": run.options.encoder or "x264",
            **recorder_settings,
            **{k: v for k, v in given.items() if k in of_recorder},
        }
        session_given = {k: v for k, v in given.items() if k in of_session}
        fields = {
            "folder": run.folder / name,
            "title": request.node.name,
            "clip_folders": (request.path.parent,),
            "wsi": run.options.wsi or "virtual",
            "encode": run.options.encode or "recorder",
            "browser": run.options.browser,
            "scenario_path": request.path,
            **session_settings,
            **session_given,
        }
        if fields.get("site") is not None:
            fields["site"] = request.path.parent / fields["site"]
        settings = SessionSettings(open=open, recorder=RecorderSettings(**recorder), **fields)
        with Session(settings) as session:
            session.open()
            recorded = RecordedSession(session)
            session.start()
            try:
                yield recorded
            except Exception:
                session.stop()
                session.picture_of_failure()
                raise
            finally:
                # Also when the test fails: its recording is the evidence.
                stopped = session.stop()
                environment = session.environment()
                spans = recorded.spans or [PhaseSpan("recording", 0.0, stopped.duration)]
                metrics = measure(stopped, settings.title, spans, session.marks, environment)
                recorded.result = conclude(session.evidence, metrics, (), None, Observer())
                attach(recorded.result)
        if check and not recorded.result.passed:
            raise ScenarioFailure("\n".join(recorded.result.problems))

    return record


@pytest.fixture
def play(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Plays a scenario file from a test: `result = play("seek.yaml", profile="Kofi")`.

    The path is relative to the test's file; keywords set the scenario's variables. The
    result has the metrics, verdicts and files; nothing fails by itself: `assert
    result.passed, result.problems`. Raises ScenarioError for a file that cannot be used.
    """
    config = request.config
    run = config.stash[RUN]

    played: Counter[str] = Counter()

    def play_file(path: str | Path, **variables: object) -> Result:
        texts = {name: str(value) for name, value in variables.items()}
        scenario = load_scenario(request.path.parent / path, texts)
        if wrong := unknown_variable(texts, [scenario]):
            raise ScenarioError(f"{path}: {wrong}")
        name = scenario.folder_name
        played[name] += 1
        name += f"-{played[name]}" if played[name] > 1 else ""
        folder = run.folder / folder_of(request.node) / name
        result = run_scenario(scenario, folder, run.options, Observer())
        attach(result)
        return result

    return play_file


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    folder = config.stash[RUN].folder
    if _is_worker(config) or not folder.is_dir() or not any(folder.iterdir()):
        return
    terminalreporter.write_line(f"recordings: {folder}")
    if config.get_verbosity() > 0:
        terminalreporter.section("phases")
        for outcome, count in _PHASE_COUNTS.items():
            for report in terminalreporter.stats.get(count, ()):
                terminalreporter.write_line(f"{outcome:>8}  {report.nodeid}")
    for line in complaints_in(folder):
        terminalreporter.write_line(line, yellow=True)
    latest = folder.parent / "latest"
    # A convenience: never worth failing a run for.
    with contextlib.suppress(OSError):
        if latest.is_symlink() or not latest.exists():
            latest.unlink(missing_ok=True)
            latest.symlink_to(folder.name)
