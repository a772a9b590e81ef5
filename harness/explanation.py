"""Why a scenario failed, in the words of every report: a headline, a table, a cause, and how
each of its phases ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

from .causes import Blame, Cause, cause_line, causes_of
from .checks import Status
from .failure_table import failure_rows, finding
from .result import Result
from .scenario import Scenario

Outcome = Literal["passed", "failed", "skipped"]


class PhaseFacts(TypedDict):
    """How a phase ended, as plain data: what is wrong in `text`; `seconds` it lasted."""

    name: str
    line: int
    outcome: Outcome
    text: str
    seconds: float


@dataclass(frozen=True)
class Explanation:
    """Why a scenario failed, for the first screen of its test: `headline` is one line,
    `table` what did not pass, `trace` the little that is worth a second look."""

    headline: str
    table: str
    causes: tuple[Cause, ...]
    trace: str
    phases: tuple[PhaseFacts, ...] = field(default=())

    @property
    def message(self) -> str:
        """The text that Allure shows and sorts by."""
        return "\n\n".join(
            part for part in (self.headline, self.table, cause_line(self.causes)) if part
        )

    @property
    def status(self) -> Literal["failed", "broken"]:
        """Allure's own: a test is broken where the product was not what failed."""
        product = not self.causes or self.causes[0].blame is not Blame.ENVIRONMENT
        return "failed" if product else "broken"


def headline(file: str, result: Result | None, error: BaseException | None) -> str:
    """One line: the file, and what broke the scenario off, or else the first of what did not
    pass with what was measured."""
    wrong = failure_rows(result.verdicts, result.checks) if result else []
    if error is not None or not wrong:
        return f"{file}: {(str(error) or type(error).__name__).splitlines()[0]}"
    return f"{file}: {finding(wrong)}"


def explain(scenario: Scenario, result: Result | None, error: BaseException | None) -> Explanation:
    """Of a scenario that did not pass. `error` broke it off, or was raised in the end; None
    where only expectations or checks failed. `result` is None where it could not begin."""
    verdicts, checks = (result.verdicts, result.checks) if result else ((), ())
    # What is said behind the headline: what to do, or a baseline's table.
    details = ["\n".join(str(error).splitlines()[1:])] if error is not None else []
    if result is not None:
        details += [text for text in (result.failure_table, result.headroom) if text]
    return Explanation(
        headline=headline(scenario.path.name, result, error),
        table="\n\n".join(text for text in details if text),
        causes=tuple(causes_of(error, verdicts, checks)),
        trace=f"scenario: {scenario.path.name}"
        + (f"\nevidence: {result.folder}" if result else "\nnothing was recorded"),
        phases=tuple(phase_facts(scenario, result)),
    )


def unraised(scenario: Scenario, result: Result | None, said: str) -> Explanation:
    """Of a scenario that pytest failed although it passed; `said` is why: it was expected to
    fail."""
    return replace(
        explain(scenario, result, None),
        headline=f"{scenario.path.name}: {said}",
        causes=(Cause.EXPECTATION,),
    )


def phase_facts(scenario: Scenario, result: Result | None) -> list[PhaseFacts]:
    """How each phase ended; empty where the scenario was not played."""
    if result is None:
        return []
    measured = {}
    if result.metrics is not None:
        measured = {phase.name: phase for phase in result.metrics.phases}
    facts: list[PhaseFacts] = []
    for phase in scenario.phases:
        reached = measured.get(phase.name)
        outcome, text = _outcome_of(result, phase.name, reached is not None)
        facts.append(
            {
                "name": phase.name,
                "line": phase.line,
                "outcome": outcome,
                "text": text,
                "seconds": reached.end - reached.start if reached else 0.0,
            }
        )
    return facts


def _outcome_of(result: Result, phase: str, reached: bool) -> tuple[Outcome, str]:
    wrong = [
        f"{v.name} expected {v.limit}, measured {v.measured} ({v.status.value})"
        for v in result.verdicts
        if v.where == phase and v.status is not Status.PASSED
    ]
    failure, metrics = result.failure, result.metrics
    if failure is not None and metrics is not None and metrics.phases[-1].name == phase:
        wrong.insert(0, str(failure))
    if wrong:
        return "failed", "\n".join(wrong)
    return ("passed", "") if reached else ("skipped", "phase not reached")
