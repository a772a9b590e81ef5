"""What Allure is told: phases and steps as they happen, what failed and why, a result's files.

Results are written where they are rendered from, `RUN/allure-results`: by allure-pytest
under pytest, by AllureRun for `harness run`. `make report` renders them.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import uuid4

import allure
import allure_commons
import av
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    Label,
    Parameter,
    Status,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from allure_commons.reporter import AllureReporter
from allure_commons.types import LabelType, Severity
from allure_commons.utils import now

from . import __version__
from .baseline import Commit
from .causes import categories
from .explanation import Explanation
from .markup import escape_markdown
from .observer import Counting, Observer
from .report import encoded, preview_of, read_picture
from .result import Result
from .scenario import Scenario

RESULTS_NAME = "allure-results"
"""The folder of Allure's results, in the folder of a run's recordings."""

_ALWAYS = {
    "report.html": ("report", "text/html", "html"),
    "metrics.json": ("metrics", "application/json", "json"),
}
_STREAM = "live_spliced.mp4"
WHOLE_LIMIT = 1_000_000
"""Bytes up to which the stream of a test that passed is attached whole. Of a larger one there
is a preview, so that a report of the whole suite stays below 40 MB."""

# The evidence of a failure; a passing run of many scenarios stays small without it. No
# browser plays Matroska: the stream is there to be saved.
_FAILED = {
    "viewer.html": ("stream, picture by picture", "text/html", "html"),
    "live_spliced.mkv": ("stream", "application/octet-stream", "mkv"),
    "chrome.log": ("Chrome and layer log", "text/plain", "log"),
    "ticks.csv": ("ticks", "text/csv", "csv"),
}
# A page that is attached has no neighbours: what it would load from beside it is attached too.
_PLAYER = re.compile(r"<video\b[^>]*\bsrc=[^>]*>\s*(</video>)?")
_PLAYER_NOTE = "<p>The stream is attached to the test, beside this page.</p>"

# environment.properties: metrics.json's keys that tell machines apart, under these names.
_ENVIRONMENT = {
    "browser": "browser",
    "vulkan device": "device",
    "vulkan driver": "driver",
    "encoder": "backend",
    "encoder warning": "backend warning",
    "wsi": "wsi",
    "encode": "encode",
    "system": "system",
    "python": "python",
    "replayed from": "replayed from",
}
_OUR_ERROR = re.compile(r"harness\.errors\.\w+: ")
_SEVERITIES = {severity.value for severity in Severity}


class AllureSteps(Observer):
    """Phases and steps become Allure's nested steps; `inner` is told everything, too."""

    def __init__(self, inner: Observer | None = None) -> None:
        self._inner = inner or Observer()

    def stage(self, text: str) -> None:
        self._inner.stage(text)

    def recording(self, recorder: Counting, expected_ticks: int | None) -> None:
        self._inner.recording(recorder, expected_ticks)

    def recorded(self) -> None:
        self._inner.recorded()

    @contextlib.contextmanager
    def progress(self, text: str, total: int) -> Iterator[Any]:
        with self._inner.progress(text, total) as told:
            yield told

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        with allure.step(name), self._inner.phase(name):
            yield

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        with allure.step(text), self._inner.step(text):
            yield


def describe(scenario: Scenario) -> None:
    """Title, feature, severity and parameters of the running test. A tag that is one of
    Allure's severities (`critical`) is taken as such."""
    allure.dynamic.title(scenario.full_title)
    if scenario.description:
        # Allure takes it as Markdown.
        lines = scenario.description.splitlines()
        allure.dynamic.description("\n".join(map(escape_markdown, lines)))
    allure.dynamic.feature(scenario.title)
    for severity in sorted(_SEVERITIES.intersection(scenario.tags)):
        allure.dynamic.severity(Severity(severity))
    for name, value in scenario.case:
        allure.dynamic.parameter(name, value)


def show_replayed(scenario: Scenario) -> None:
    """The phases of a tape as steps: nobody played them, so they took no time."""
    for phase in scenario.phases:
        with allure.step(phase.name):
            pass


def attach(result: Result) -> None:
    """Attaches what a result left in its folder to the running test."""
    wanted = _ALWAYS if result.passed else {**_ALWAYS, **_FAILED}
    for name, (title, mime, extension) in wanted.items():
        path = result.folder / name
        if not path.is_file():
            continue
        if extension == "html":
            page = _PLAYER.sub(_PLAYER_NOTE, path.read_text(encoding="utf-8"))
            allure.attach(page, name=title, attachment_type=mime, extension=extension)
        else:
            allure.attach.file(str(path), name=title, attachment_type=mime, extension=extension)
    _attach_stream(result)
    for path in result.screenshots:
        _attach_picture(path)


def _attach_stream(result: Result) -> None:
    stream = result.folder / _STREAM
    if not stream.is_file():
        return
    mp4 = {"attachment_type": "video/mp4", "extension": "mp4"}
    if result.passed and stream.stat().st_size > WHOLE_LIMIT:
        preview = result.folder / "preview.mp4"
        if preview_of(stream, preview):
            allure.attach(preview.read_bytes(), name="preview of the stream", **mp4)
            preview.unlink()
            return
    allure.attach.file(str(stream), name="stream, remuxed for browsers", **mp4)


def _attach_picture(path: Path) -> None:
    """As WebP, a tenth of the PNG, which stays in the recording's folder."""
    try:
        picture = encoded(read_picture(path), quality=80)
    except (OSError, av.error.FFmpegError):
        allure.attach.file(str(path), name=path.stem, attachment_type=allure.attachment_type.PNG)
        return
    allure.attach(picture, name=path.stem, attachment_type="image/webp", extension="webp")


class Explainer:
    """Gives each failed scenario's result its explanation just before it is written.

    Registered with allure_commons. allure-pytest itself would show the exception's text
    behind its class name, and phases as passed whose expectations are judged later.
    """

    def __init__(self) -> None:
        self.pending: Explanation | None = None

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        explanation, self.pending = self.pending, None
        if explanation is not None:
            apply(explanation, result)


def apply(explanation: Explanation, result: TestResult) -> None:
    """Puts the explanation into a result: message, trace, status, and each phase's own."""
    said = (result.statusDetails and result.statusDetails.message) or ""
    excused = said.split("\n", 1)[0] + "\n\n" if said.startswith("XFAIL") else ""
    result.statusDetails = StatusDetails(
        message=excused + explanation.message, trace=explanation.trace
    )
    if result.status != Status.SKIPPED:
        result.status = explanation.status
    for cause in explanation.causes:
        result.labels.append(Label(name="cause", value=cause.value))
    if explanation.causes:
        result.labels.append(Label(name="blame", value=explanation.causes[0].blame.value))
    _plain(result.steps)
    played = {step.name: step for step in result.steps}
    for facts in explanation.phases:
        step = played.get(facts["name"])
        if step is None:  # not reached
            step = TestStepResult(name=facts["name"])
            result.steps.append(step)
        if step.status in (None, Status.PASSED):
            step.status = facts["outcome"]
            if facts["text"]:
                step.statusDetails = StatusDetails(message=facts["text"])


def _plain(steps: Sequence[TestStepResult]) -> None:
    """An error that a user can mend needs neither its class nor a traceback of ours."""
    for step in steps:
        details = step.statusDetails
        if details is not None and _OUR_ERROR.match(details.message or ""):
            details.message = _OUR_ERROR.sub("", details.message).strip()
            details.trace = None
        _plain(step.steps)


def write_run_files(results: Path, recordings: Path, checkout: Path) -> None:
    """Beside a run's results: environment.properties of all that was recorded below
    `recordings`, and categories.json. Values that differ are listed. Nothing where there
    are no results."""
    if not results.is_dir():
        return
    found: dict[str, list[str]] = {name: [] for name in _ENVIRONMENT.values()}
    for path in sorted(recordings.glob("**/metrics.json")):
        try:
            environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
            for key, name in _ENVIRONMENT.items():
                value = str(environment.get(key, ""))
                if value and value not in found[name]:
                    found[name].append(value)
        except (OSError, ValueError, KeyError, AttributeError):
            continue  # another program's, or of a run that was killed
    commit = Commit.of(checkout)
    found["commit"] = [commit.id + (" and uncommitted changes" if commit.dirty else "")]
    found["uisplice"] = [__version__]
    lines = [
        f"{name.replace(' ', '_')} = {'; '.join(' '.join(value.split()) for value in values)}"
        for name, values in found.items()
        if values
    ]
    (results / "environment.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rules = json.dumps([category.to_json() for category in categories()], indent=1)
    (results / "categories.json").write_text(rules + "\n", encoding="utf-8")


class AllureRun:
    """Writes Allure's results of a run that pytest does not control, while the context
    lasts. What `folder` held of an earlier run is removed."""

    def __init__(self, recordings: Path, checkout: Path) -> None:
        self._recordings = recordings
        self._checkout = checkout
        self._results = recordings / RESULTS_NAME
        self._reporter = AllureReporter()
        self._plugins: list[object] = []

    def __enter__(self) -> AllureRun:
        shutil.rmtree(self._results, ignore_errors=True)
        self._plugins = [AllureFileLogger(str(self._results)), self]
        for plugin in self._plugins:
            allure_commons.plugin_manager.register(plugin)
        return self

    def __exit__(self, *_: object) -> None:
        for plugin in self._plugins:
            allure_commons.plugin_manager.unregister(plugin)
        write_run_files(self._results, self._recordings, self._checkout)

    @contextlib.contextmanager
    def test(self, scenario: Scenario) -> Iterator[TestResult]:
        """One scenario's result, written when the context ends; passed unless changed."""
        uuid = str(uuid4())
        name = f"{scenario.path.name}::{scenario.id}"
        # Not the file's place: its history goes on in another checkout.
        identity = md5(name.encode(), usedforsecurity=False).hexdigest()
        result = TestResult(
            uuid=uuid,
            name=scenario.full_title,
            fullName=name,
            testCaseId=identity,
            historyId=identity,
            titlePath=["scenarios", scenario.path.name],
            status=Status.PASSED,
            start=now(),
        )
        result.labels += [Label(LabelType.TAG, tag) for tag in ("scenario", *scenario.tags)]
        result.labels.append(Label(LabelType.SUITE, scenario.path.name))
        self._reporter.schedule_test(uuid, result)
        describe(scenario)
        try:
            yield result
        except BaseException as error:
            if result.statusDetails is None:
                result.status = Status.BROKEN
                result.statusDetails = StatusDetails(message=str(error) or type(error).__name__)
            raise
        finally:
            result.stop = now()
            self._reporter.close_test(uuid)

    # What `allure.step`, `allure.attach` and `allure.dynamic` call.

    @allure_commons.hookimpl
    def start_step(self, uuid: str, title: str, params: dict[str, str]) -> None:
        parameters = [Parameter(name=name, value=value) for name, value in params.items()]
        step = TestStepResult(name=title, start=now(), parameters=parameters)
        self._reporter.start_step(None, uuid, step)

    @allure_commons.hookimpl
    def stop_step(self, uuid: str, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:  # noqa: ARG002
        status = Status.PASSED if exc_type is None else Status.BROKEN
        details = StatusDetails(message=str(exc_val)) if exc_type else None
        self._reporter.stop_step(uuid, stop=now(), status=status, statusDetails=details)

    @allure_commons.hookimpl
    def attach_file(self, source: str, name: str, attachment_type: Any, extension: Any) -> None:
        self._reporter.attach_file(
            str(uuid4()), source, name=name, attachment_type=attachment_type, extension=extension
        )

    @allure_commons.hookimpl
    def attach_data(self, body: Any, name: str, attachment_type: Any, extension: Any) -> None:
        self._reporter.attach_data(
            str(uuid4()), body, name=name, attachment_type=attachment_type, extension=extension
        )

    @allure_commons.hookimpl
    def add_title(self, test_title: str) -> None:
        self._reporter.get_test(None).name = test_title

    @allure_commons.hookimpl
    def add_description(self, test_description: str) -> None:
        self._reporter.get_test(None).description = test_description

    @allure_commons.hookimpl
    def add_label(self, label_type: str, labels: Sequence[str]) -> None:
        self._reporter.get_test(None).labels += [Label(label_type, label) for label in labels]

    @allure_commons.hookimpl
    def add_parameter(self, name: str, value: Any, excluded: Any, mode: Any) -> None:
        self._reporter.get_test(None).parameters.append(
            Parameter(name=name, value=str(value), excluded=excluded, mode=mode)
        )
