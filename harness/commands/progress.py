"""A run's progress on the terminal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..observer import Counting, Observer


class Progressing(Observer):
    """A progress bar over the ticks, and a line for each other stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._poll: threading.Thread | None = None

    def stage(self, text: str) -> None:
        self._console.print(f"  {text} …", style="dim")

    def recording(self, recorder: Counting, expected_ticks: int | None) -> None:
        progress = Progress(
            TextColumn("  {task.fields[phase]:<24.24}"),
            BarColumn(),
            TextColumn(
                "{task.completed}/{task.total} ticks"
                if expected_ticks
                else "{task.completed} ticks"
            ),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        task = progress.add_task("recording", total=expected_ticks, phase="recording")
        progress.start()
        self._progress, self._task = progress, task

        def poll() -> None:
            while not self._ended.wait(0.2):
                progress.update(task, completed=recorder.ticks)

        self._poll = threading.Thread(target=poll, name="progress", daemon=True)
        self._poll.start()

    def recorded(self) -> None:
        self._ended.set()
        if self._poll:
            self._poll.join()
        if self._progress:
            self._progress.stop()

    @contextlib.contextmanager
    def progress(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        with Progress(
            TextColumn(f"  {text:<24.24}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            task = progress.add_task(text, total=total)
            yield lambda done: progress.update(task, completed=done)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        if self._progress:
            self._progress.update(self._task, phase=name)
        yield
