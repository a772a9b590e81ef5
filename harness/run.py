"""Runs a scenario: plays it or its tape, records, judges, reports."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

from .checks import Status
from .encoder import choose_encoder
from .errors import HarnessError, StepError, TapeError
from .interrupts import heed_interrupts
from .metrics import Mark, PhaseSpan, measure
from .observer import Observer
from .output_folder import forget_results, make_output_folder
from .recorder import EncoderName, RecorderSettings
from .replay import Counter, environment_of, open_tape, replay
from .result import Evidence, Result, check, conclude
from .scenario import Phase, Scenario
from .session import STREAM_NAME, Session, SessionSettings
from .tape import TapedOutcome, TapedSpan, TapeHeader, recipe_of, tape_path
from .tape_writer import open_spool, require_folder, write_tape
from .verdict import PageOutcome, judge

_SHORTEST_LOOK = 0.25  # seconds that an expectation of the page has when its phase is over


def settings_of(scenario: Scenario, folder: Path, options: RunOptions) -> SessionSettings:
    """A scenario's settings, with what the command line overrides."""
    return SessionSettings(
        folder=folder,
        open=scenario.open,
        recorder=RecorderSettings(
            width=scenario.viewport.width,
            height=scenario.viewport.height,
            fps=scenario.fps,
            qp=scenario.encoder.qp,
            encoder=options.encoder or scenario.encoder.backend,
            preset=scenario.encoder.preset,
            guard=scenario.encoder.guard,
            threads=scenario.encoder.threads,
            splice=scenario.encoder.splice,
            keyframe_interval=_ticks_between(scenario.encoder.keyframe_every, scenario.fps),
            measure=any(
                expect.ssim is not None
                for expect in (scenario.expect, *(phase.expect for phase in scenario.phases))
            ),
        ),
        title=scenario.full_title,
        site=scenario.site_folder,
        clips=scenario.clips,
        clip_folders=(scenario.path.parent,),
        wsi=options.wsi or scenario.wsi,
        encode=options.encode or scenario.encode,
        scale=scenario.device_pixel_ratio,
        ready=scenario.ready,
        timeout=scenario.timeout,
        browser=options.browser,
        display=options.display,
        port=options.port,
        scenario_path=scenario.path,
        storage_state=(
            scenario.path.parent / scenario.storage_state if scenario.storage_state else None
        ),
        network=scenario.network,
        reduced_motion=scenario.reduced_motion,
        variables=scenario.variables,
    )


def _ticks_between(seconds: float | None, fps: int) -> int:
    """0 for None: never. However short a time is, it is a tick at least."""
    return 0 if seconds is None else max(1, round(seconds * fps))


@dataclass(frozen=True)
class RunOptions:
    """What the command line or pytest's options say for every scenario. At most one of
    tape_record and tape_replay is given: a folder of tapes."""

    browser: str | None = None
    wsi: Literal["virtual", "passthrough"] | None = None
    encode: Literal["recorder", "layer"] | None = None
    encoder: EncoderName | None = None
    display: str | None = None
    port: int = 0
    tape_record: Path | None = None
    tape_replay: Path | None = None


@dataclass
class _Schedule:
    """Phases lie on the recording's clock: one that is late eats the next one's
    slack instead of moving everything behind it."""

    planned: float = 0.0
    spans: list[PhaseSpan] = field(default_factory=list)
    outcomes: list[PageOutcome] = field(default_factory=list)


def _play(session: Session, scenario: Scenario, schedule: _Schedule) -> None:
    start = 0.0
    for number, phase in enumerate(scenario.phases, 1):
        where = f"phase '{phase.name}' ({number} of {len(scenario.phases)})"
        try:
            with session.observer.phase(phase.name):
                session.runner.phase_began = _began(session, schedule)
                for step in phase.steps:
                    session.runner.run(step, where)
                _ask_page(session, scenario, schedule, phase)
                if phase.duration is None:
                    schedule.planned = session.recorder.elapsed
                else:
                    schedule.planned += phase.duration
                    if phase is scenario.phases[-1]:
                        session.recorder.end_at(schedule.planned)
                    session.wait(schedule.planned - session.recorder.elapsed)
        finally:
            end = session.recorder.elapsed
            # Waking up a little late is not an overrun: the phase ends on the clock.
            if 0 <= end - schedule.planned < 1 / scenario.fps:
                end = schedule.planned
            schedule.spans.append(PhaseSpan(phase.name, start, end, phase.duration, phase.line))
            start = end


def _began(session: Session, schedule: _Schedule) -> float:
    """When the phase that plays next should begin, time.monotonic()."""
    return time.monotonic() + schedule.planned - session.recorder.elapsed


def _ask_page(session: Session, scenario: Scenario, schedule: _Schedule, phase: Phase) -> None:
    """What the page must show once a phase's steps are done; after the last phase's also
    what it must show at the end. It may come true until the phase ends."""
    asked = [(phase.name, one) for one in phase.expect.page]
    if phase is scenario.phases[-1]:
        asked += [("", one) for one in scenario.expect.page]
    until = session.recorder.elapsed + scenario.timeout
    if phase.duration is not None:
        until = min(until, schedule.planned + phase.duration)
    before = len(schedule.outcomes)
    for name, expectation in asked:
        left = max(_SHORTEST_LOOK, until - session.recorder.elapsed)
        answer = session.runner.ask(expectation, left)
        schedule.outcomes.append(
            PageOutcome(
                phase=name,
                text=expectation.subject,
                status=Status.PASSED if answer.holds else Status.FAILED,
                measured=answer.measured,
                tick=session.recorder.ticks,
            )
        )
    if any(outcome.status is not Status.PASSED for outcome in schedule.outcomes[before:]):
        session.picture_of_failure(f"{phase.name} expectation")


def expected_ticks(scenario: Scenario) -> int | None:
    """Ticks of the whole scenario, where every phase has a duration."""
    seconds = 0.0
    for phase in scenario.phases:
        if phase.duration is None:
            return None
        seconds += phase.duration
    return round(seconds * scenario.fps)


def run_scenario(
    scenario: Scenario,
    folder: Path,
    options: RunOptions | None = None,
    observer: Observer | None = None,
) -> Result:
    """Plays, records, checks and judges a scenario; leaves everything in `folder`. With
    `tape_replay` its tape is played instead of a browser; with `tape_record` a tape is
    made of a scenario that was played to its end.

    What goes wrong while it plays is in the result, together with what was
    recorded until then. Ctrl-C leaves the same files and goes on as
    KeyboardInterrupt.

    Raises:
        HarnessError: it could not begin (no browser, no driver, no tape, ...).
    """
    observer = observer or Observer()
    options = options or RunOptions()
    if options.tape_replay is not None:
        return _replay_scenario(scenario, folder, options, observer)
    with contextlib.ExitStack() as stack:
        spool = None
        if options.tape_record is not None:
            require_folder(options.tape_record)
            layer_side = (options.encode or scenario.encode) == "layer"
            spool = stack.enter_context(open_spool(folder, named=layer_side))
            if layer_side:  # a session that does not begin leaves the name
                stack.callback(Path(spool.name).unlink, missing_ok=True)
        return _play_scenario(scenario, folder, options, observer, spool)


def _play_scenario(
    scenario: Scenario,
    folder: Path,
    options: RunOptions,
    observer: Observer,
    spool: BinaryIO | None,
) -> Result:
    schedule = _Schedule()
    failure: BaseException | None = None
    session = Session(settings_of(scenario, folder, options), observer, spool)
    with session:
        session.open()
        session.start()
        observer.recording(session.recorder, expected_ticks(scenario))
        try:
            _play(session, scenario, schedule)
            session.stop(schedule.planned)
            if session.evidence.recording.error:
                session.picture_of_failure()
        except HarnessError as error:
            failure = error
            session.stop()
            session.picture_of_failure()
        except BaseException as error:
            # No question to Chrome any more; but the file is finished.
            session.stop()
            failure = error
        finally:
            observer.recorded()
        environment = session.environment()
        if failure is not None and not isinstance(failure, Exception):
            _conclude(
                session.evidence, scenario, schedule, session.marks, environment, failure, observer
            )
            raise failure
    evidence = session.evidence
    if spool is not None and options.tape_record is not None:
        path = tape_path(options.tape_record, scenario)
        if failure is not None or evidence.recording.error:
            observer.stage(f"the scenario broke off: no tape {path} is made")
        else:
            header = _tape_header(scenario, evidence, schedule, session.marks, environment)
            try:
                _make_tape(path, header, spool, observer)
                evidence = replace(evidence, tape=path)
            except TapeError as error:
                failure = error  # the recording itself is whole, and is judged all the same
            except KeyboardInterrupt as error:
                _conclude(evidence, scenario, schedule, session.marks, environment, error, observer)
                raise
    return _conclude(evidence, scenario, schedule, session.marks, environment, failure, observer)


def _tape_header(
    scenario: Scenario,
    evidence: Evidence,
    schedule: _Schedule,
    marks: Sequence[Mark],
    environment: dict[str, str],
) -> TapeHeader:
    return TapeHeader(
        title=scenario.full_title,
        width=scenario.viewport.width,
        height=scenario.viewport.height,
        fps=scenario.fps,
        ticks=len(evidence.recording.ticks),
        environment=environment,
        recipe=recipe_of(scenario),
        spans=tuple(TapedSpan(span.name, span.start, span.end) for span in schedule.spans),
        marks=tuple(marks),
        missing=evidence.missing,
        unseen_drops=evidence.recording.unseen_drops,
        outcomes=tuple(
            TapedOutcome(o.phase, o.text, o.status.value, o.measured, o.tick)
            for o in schedule.outcomes
        ),
    )


def _make_tape(path: Path, header: TapeHeader, spool: BinaryIO, observer: Observer) -> None:
    with (
        heed_interrupts(),
        observer.progress("making the tape", 2 * header.ticks) as progress,
    ):
        write_tape(path, header, spool, progress)
    observer.stage(f"tape {path}, {path.stat().st_size / 1e6:.1f} MB")


def _replay_scenario(
    scenario: Scenario, folder: Path, options: RunOptions, observer: Observer
) -> Result:
    assert options.tape_replay is not None
    forget_results(folder)
    observer.stage("opening the tape")
    tape = open_tape(options.tape_replay, scenario)
    encoder = choose_encoder(settings_of(scenario, folder, options).recorder)
    if encoder.warning:
        observer.stage(encoder.warning)
    make_output_folder(folder)
    counter = Counter()
    with heed_interrupts():
        observer.recording(counter, tape.header.ticks)
        try:
            recording = replay(tape, encoder.settings, folder / STREAM_NAME, counter)
        finally:
            observer.recorded()
    phases = {phase.name: phase for phase in scenario.phases}
    spans = [
        PhaseSpan(
            span.name, span.start, span.end, phases[span.name].duration, phases[span.name].line
        )
        for span in tape.header.spans
    ]
    # What the scenario has ceased to expect of the page since the tape was made is not judged.
    asked = {(phase.name, one.subject) for phase in scenario.phases for one in phase.expect.page}
    asked |= {("", one.subject) for one in scenario.expect.page}
    evidence = Evidence(
        scenario.full_title, folder, recording, missing=tape.header.missing, tape=tape.path
    )
    environment = environment_of(tape, encoder)
    return _conclude(
        evidence,
        scenario,
        _Schedule(
            spans=spans,
            outcomes=[
                PageOutcome(o.phase, o.text, Status(o.status), o.measured, o.tick)
                for o in tape.header.outcomes
                if (o.phase, o.text) in asked
            ],
        ),
        tape.header.marks,
        environment,
        None,
        observer,
    )


def _conclude(
    evidence: Evidence,
    scenario: Scenario,
    schedule: _Schedule,
    marks: Sequence[Mark],
    environment: dict[str, str],
    failure: BaseException | None,
    observer: Observer,
) -> Result:
    """Checks and reports what was recorded; Chrome may be gone already."""
    metrics = measure(evidence.recording, scenario.full_title, schedule.spans, marks, environment)
    interrupted = failure is not None and not isinstance(failure, Exception)
    if interrupted:
        return conclude(evidence, metrics, (), failure, observer, quick=True)
    checks = check(evidence.recording, metrics, observer)
    broke_off = evidence.recording.error
    # A tape that cannot be written leaves the recording whole.
    if failure is not None and not isinstance(failure, TapeError):
        broke_off = failure.message if isinstance(failure, HarnessError) else str(failure)
        if isinstance(failure, StepError) and failure.place:
            broke_off = failure.place  # the message itself stands above the table
    verdicts = judge(
        scenario,
        metrics,
        evidence.recording,
        checks,
        schedule.outcomes,
        broke_off=" ".join(broke_off.split()),
    )
    return conclude(evidence, metrics, verdicts, failure, observer, checks=checks)
