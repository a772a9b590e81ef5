"""What is wrong in a file, gathered while it is read, and what cannot be known because of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .located import Mark, Problem


@dataclass
class Findings:
    """`refused` are variables that stand there with no value. `unread`: a file or a whole key
    was refused, and may have held any name. What hangs on either is left out without a word."""

    problems: list[Problem] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    unread: bool = False

    def report(self, mark: Mark, text: str) -> None:
        """One problem more."""
        self.problems.append(Problem(mark, text))
