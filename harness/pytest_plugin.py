"""The pytest plugin: scenarios as tests, and the `recording` fixture.

Collected as scenarios: every `*.yaml` and `*.yml` in a folder named `scenarios`,
every one named on the command line, and elsewhere those that look like one (a
line that starts with `open:`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import allure
import pytest

from . import baseline_plugin
from .errors import HarnessError, ScenarioError
from .metrics import PhaseSpan, measure
from .observer import Observer
from .recorder import RecorderSettings
from .report import MEASURES_HEAD, measures_row
from .scenario import Scenario, load_scenario
from .session import Result, RunOptions, Session, SessionSettings, conclude, run_scenario

_LOOKS_LIKE_A_SCENARIO = re.compile(r"^open:", re.M)
_FOLDER = pytest.StashKey[Path]()


class ScenarioFailure(AssertionError):
    """A scenario whose expectations or checks did not all pass.

    An AssertionError, because Allure reports anything else as broken, not failed.
    """


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("uisplice", "recording UI scenarios")
    group.addoption(
        "--browser-path",
        metavar="PATH",
        help="Chrome or chromium to use (default: $UISPLICE_BROWSER, or found on PATH)",
    )
    group.addoption(
        "--recordings",
        metavar="DIR",
        help="folder for streams, metrics and reports (default: reports/<date and time>)",
    )
    group.addoption(
        "--wsi",
        choices=("virtual", "passthrough"),
        help="override the scenarios' wsi (passthrough: watch the window)",
    )
    group.addoption(
        "--tape-record",
        metavar="DIR",
        type=Path,
        help="keep what the layer delivered, one tape a scenario",
    )
    group.addoption(
        "--tape-replay",
        metavar="DIR",
        type=Path,
        help="play the scenarios' tapes instead of a browser, as fast as the machine goes",
    )
    baseline_plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--tape-record") and config.getoption("--tape-replay"):
        raise pytest.UsageError("--tape-record and --tape-replay exclude each other")
    config.addinivalue_line("markers", "scenario: a YAML scenario, played in a real Chrome")
    chosen = config.getoption("--recordings")
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(str(chosen)) if chosen else config.rootpath / "reports" / stamp
    config.stash[_FOLDER] = folder
    baseline_plugin.configure(config)


def pytest_report_header(config: pytest.Config) -> str:
    return f"uisplice: recordings go to {config.stash[_FOLDER]}"


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
        (config.invocation_params.dir / str(argument).split("::")[0]).resolve() == path
        for argument in config.args
    )


def _looks_like_a_scenario(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _LOOKS_LIKE_A_SCENARIO.search(file.read(1 << 16)) is not None
    except OSError:
        return False


class ScenarioFile(pytest.File):
    """A YAML file; it holds one scenario."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            scenario = load_scenario(self.path)
        except ScenarioError as error:
            # Collecting fails with our message alone, not with a traceback of the loader.
            raise self.CollectError(str(error)) from None
        yield ScenarioItem.from_parent(self, name=self.path.stem, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario, recorded when the test runs."""

    def __init__(self, *, scenario: Scenario, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scenario = scenario
        self.result: Result | None = None
        self.add_marker(pytest.mark.scenario)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, f"scenario: {self.scenario.title}"

    def runtest(self) -> None:
        allure.dynamic.title(self.scenario.title)
        if self.scenario.description:
            allure.dynamic.description(self.scenario.description)
        allure.dynamic.feature("scenarios")
        folder = self.config.stash[_FOLDER] / self.path.stem
        self.result = run_scenario(self.scenario, folder, _options(self.config), _AllureSteps())
        _attach(self.result)
        self.add_report_section("call", "recording", _text_table(self.result))
        baseline_plugin.record(self.config, self, self.result)
        if self.result.failure is not None:
            raise self.result.failure
        if self.result.problems:
            raise ScenarioFailure("\n".join(self.result.problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, (HarnessError, ScenarioFailure, baseline_plugin.BaselineRegression)):
            lines = [f"{self.path.name}: {self.scenario.title}", "", str(error)]
            if self.result is not None:
                lines += ["", f"evidence: {self.result.folder}"]
            return "\n".join(lines)
        return super().repr_failure(excinfo, style)


class _AllureSteps(Observer):
    """Phases and steps become Allure's nested steps."""

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        with allure.step(name):
            yield

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        with allure.step(text):
            yield


def _options(config: pytest.Config) -> RunOptions:
    return RunOptions(
        browser=config.getoption("--browser-path"),
        wsi=cast('Literal["virtual", "passthrough"] | None', config.getoption("--wsi")),
        tape_record=config.getoption("--tape-record"),
        tape_replay=config.getoption("--tape-replay"),
    )


def _text_table(result: Result) -> str:
    if result.metrics is None:
        return "nothing was recorded"
    rows = [MEASURES_HEAD]
    rows += [measures_row(p.name, p.measures) for p in result.metrics.phases]
    rows.append(measures_row("whole recording", result.metrics.total))
    widths = [max(len(row[i]) for row in rows) for i in range(len(MEASURES_HEAD))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines += [f"{c.status.value}: {c.name}: {c.summary}" for c in result.checks]
    return "\n".join([*lines, f"files: {result.folder}"])


def _attach(result: Result) -> None:
    kinds = {
        "report.html": ("report", "text/html", "html"),
        "metrics.json": ("metrics", "application/json", "json"),
        "live_spliced.mp4": ("stream, remuxed for browsers", "video/mp4", "mp4"),
        "live_spliced.mkv": ("stream", "video/x-matroska", "mkv"),
        "chrome.log": ("Chrome and layer log", "text/plain", "log"),
    }
    for name, (title, mime, extension) in kinds.items():
        path = result.folder / name
        if path.is_file():
            allure.attach.file(str(path), name=title, attachment_type=mime, extension=extension)
    for path in result.screenshots:
        allure.attach.file(str(path), name=path.stem, attachment_type=allure.attachment_type.PNG)


class RecordedSession:
    """What the `recording` fixture gives inside its `with`: a page, and after it
    the result."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._result: Result | None = None
        self.spans: list[PhaseSpan] = []
        self.page = session.page

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
def recording(
    request: pytest.FixtureRequest,
) -> Callable[..., contextlib.AbstractContextManager[RecordedSession]]:
    """Records what a test does with a page.

    Call it with `open=` (a path on `site` or a URL) and, as wanted, `site`, `clips`,
    `fps`, `width`, `height` (device pixels), `scale` (device pixels a CSS pixel), `qp`,
    `preset`, `guard`, `ready`, `check` (True: a stream that fails a check fails the test
    when the `with` ends); other fields of RecorderSettings too. Skipped under
    --tape-replay: only scenarios have tapes.
    """
    config = request.config
    if config.getoption("--tape-replay"):
        pytest.skip("a test in Python drives the page itself: there is no tape of it")
    count = 0

    @contextlib.contextmanager
    def record(
        *,
        open: str,
        site: str | Path | None = None,
        clips: tuple[str, ...] = (),
        ready: str | None = None,
        scale: float = 1,
        check: bool = True,
        **encoder: Any,
    ) -> Iterator[RecordedSession]:
        nonlocal count
        count += 1
        name = re.sub(r"[^\w.-]+", "-", request.node.name) + (f"-{count}" if count > 1 else "")
        options = _options(config)
        settings = SessionSettings(
            folder=config.stash[_FOLDER] / name,
            open=open,
            recorder=RecorderSettings(**encoder),
            title=request.node.name,
            site=request.path.parent / site if site is not None else None,
            clips=clips,
            clip_folders=(request.path.parent,),
            wsi=options.wsi or "virtual",
            scale=scale,
            ready=ready,
            browser=options.browser,
            scenario_path=request.path,
        )
        with Session(settings) as session:
            session.open()
            recorded = RecordedSession(session)
            session.start()
            try:
                yield recorded
            finally:
                # Also when the test fails: its recording is the evidence.
                stopped = session.stop()
                environment = session.environment()
                spans = recorded.spans or [PhaseSpan("recording", 0.0, stopped.duration)]
                metrics = measure(stopped, settings.title, spans, session.marks, environment)
                recorded.result = conclude(session.evidence, metrics, (), None, Observer())
                _attach(recorded.result)
        if check and not recorded.result.passed:
            raise ScenarioFailure("\n".join(recorded.result.problems))

    return record


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    folder = config.stash[_FOLDER]
    if folder.is_dir() and any(folder.iterdir()):
        terminalreporter.write_line(f"recordings: {folder}")
        latest = folder.parent / "latest"
        # A convenience: never worth failing a run for.
        with contextlib.suppress(OSError):
            if latest.is_symlink() or not latest.exists():
                latest.unlink(missing_ok=True)
                latest.symlink_to(folder.name)
