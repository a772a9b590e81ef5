"""What is left of a recording: the evidence, and the result once it was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .captured import CapturedPicture
from .causes import causes_of
from .checks import CheckResult, Status, check_recording
from .errors import EnvironmentProblem, HarnessError, RecorderError
from .failure_table import failure_table
from .headroom import Usage, complaint
from .metrics import Metrics
from .observer import Observer
from .recorder import Recording
from .report import remux_to_mp4, write_metrics, write_report, write_ticks
from .verdict import Verdict, failures, standing_checks


@dataclass(frozen=True)
class Evidence:
    """What is left to judge when Chrome is gone, or when there was none."""

    title: str
    folder: Path
    recording: Recording
    screenshots: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    usage: Usage | None = None
    captured: tuple[CapturedPicture, ...] = ()  # frames that stood when something failed
    tape: Path | None = None  # that was made of the recording, or that it was replayed from


@dataclass(frozen=True)
class Result:
    """How a session ended. `failure` is what broke it off, if anything did."""

    title: str
    folder: Path
    recording: Recording | None
    metrics: Metrics | None
    checks: tuple[CheckResult, ...]
    verdicts: tuple[Verdict, ...]
    failure: HarnessError | None
    screenshots: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()  # paths of the site that were asked for and not found
    headroom: str | None = None  # what is to be said where the machine did not keep up

    @property
    def problems(self) -> list[str]:
        """One line for everything that did not pass; empty when all is well."""
        broken = [str(self.failure)] if self.failure else []
        return broken + failures(self.verdicts, self.checks)

    @property
    def failure_table(self) -> str:
        """What did not pass as one table of text, without what broke it off; empty when
        every expectation and check passed."""
        return failure_table(self.verdicts, self.checks)

    @property
    def passed(self) -> bool:
        return not self.problems


def check(recording: Recording, metrics: Metrics, observer: Observer) -> tuple[CheckResult, ...]:
    observer.stage("decoding and checking every picture")
    return (*standing_checks(metrics, recording), *check_recording(recording))


def conclude(
    evidence: Evidence,
    metrics: Metrics,
    verdicts: Sequence[Verdict],
    failure: BaseException | None,
    observer: Observer,
    *,
    quick: bool = False,
    checks: tuple[CheckResult, ...] | None = None,
) -> Result:
    """Runs the checks (not when `quick` or already given), writes every report, and gives
    the result. Raises EnvironmentProblem where the reports cannot be written."""
    recording = evidence.recording
    if quick:
        checks = (CheckResult("stream", Status.NOT_RUN, "interrupted before the checks"),)
    elif checks is None:
        checks = check(recording, metrics, observer)
    if recording.error and failure is None:
        failure = RecorderError(recording.error, "what was recorded until then is kept")
    if failure is not None and not isinstance(failure, (HarnessError, KeyboardInterrupt)):
        raise failure
    folder = evidence.folder
    result = Result(
        title=evidence.title,
        folder=folder,
        recording=recording,
        metrics=metrics,
        checks=checks,
        verdicts=tuple(verdicts),
        failure=failure if isinstance(failure, HarnessError) else None,
        screenshots=evidence.screenshots,
        missing=evidence.missing,
        headroom=complaint(
            metrics.frames.dropped,
            metrics.frames.presented,
            evidence.usage,
            live=recording.live,
        ),
    )
    observer.stage("writing the report")
    try:
        _write(evidence, result, failure, quick=quick)
    except OSError as error:
        if failure is not None and not isinstance(failure, Exception):
            raise failure from error  # Ctrl-C ends the run all the same
        reason = f"the report in {folder} cannot be written: {error.strerror or error}"
        if result.failure is not None:
            reason = f"{result.failure.message}; {reason}"
        raise EnvironmentProblem(reason, "check the folder's rights and free space") from error
    return result


def _write(
    evidence: Evidence, result: Result, failure: BaseException | None, *, quick: bool
) -> None:
    """Everything that a reader of the folder finds."""
    folder, recording, metrics = evidence.folder, evidence.recording, result.metrics
    checks, verdicts = result.checks, result.verdicts
    assert metrics is not None
    problems = ["interrupted"] if quick else result.problems
    write_ticks(folder / "ticks.csv", recording.ticks)
    mp4 = folder / "live_spliced.mp4"
    video = mp4 if remux_to_mp4(recording.stream, mp4) else None
    filed_under = [cause.category for cause in causes_of(failure, verdicts, checks)]
    outcome = {"passed": not problems, "problems": problems, "filed_under": filed_under}
    headroom = {"headroom": result.headroom, "usage": str(evidence.usage or "")}
    write_metrics(folder / "metrics.json", metrics, checks, verdicts, outcome | headroom)
    broken = "interrupted" if quick else str(result.failure or "")
    write_report(
        folder,
        recording,
        metrics,
        checks,
        verdicts,
        broken,
        video,
        pictures=not quick,
        captured=evidence.captured,
        tape=evidence.tape,
        filed_under=filed_under,
        headroom=result.headroom or "",
    )
    if not problems:
        recording.digests.path.unlink(missing_ok=True)  # evidence only where something failed
