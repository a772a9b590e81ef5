"""Ctrl-C and a polite kill: each ends the work, is heard wherever it strikes, and cleans up."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

REDELIVERY = 0.05  # seconds, in which a finaliser returns


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C: clean up, keep what was recorded."""


@contextlib.contextmanager
def heed_interrupts() -> Iterator[None]:
    """A polite kill (a CI runner's time limit) cleans up like Ctrl-C does, and neither is lost.

    Python drops an exception that is raised in a finaliser or in a weak reference's callback,
    also the one of Ctrl-C: the work would go on as if nobody had asked. Such a signal is
    sent again until it strikes code that it can end.

    Does nothing in other threads than the main one, where no signal is handled. SIGTERM keeps a
    handler that the program has already, such as that of another of its kind around this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _terminate_as_interrupt(), _deliver_again():
        yield


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Again(threading.Timer):
    """Sends a signal to a thread once more, a moment later.

    From a thread of its own: where the signal was dropped, it would be dropped again. To the thread
    that it was for, because only that one's waiting calls are to be cut short.
    """

    def __init__(self, thread: int, kind: type[BaseException]) -> None:
        super().__init__(REDELIVERY, self._deliver, (thread,))
        self.daemon = True
        self.kind = kind
        self.sent = False

    def _deliver(self, thread: int) -> None:
        self.sent = True
        number = signal.SIGTERM if issubclass(self.kind, Terminated) else signal.SIGINT
        signal.pthread_kill(thread, number)

    def end(self) -> None:
        """Until now or never: `sent` is final afterwards."""
        self.cancel()
        self.join()


@contextlib.contextmanager
def _deliver_again() -> Iterator[None]:
    before: Callable[[UnraisableHookArgs], object] = sys.unraisablehook
    main = threading.get_ident()
    dropped: list[_Again] = []

    def hook(unraisable: UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        again = _Again(main, unraisable.exc_type)
        dropped.append(again)
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        if sys.unraisablehook is hook:
            sys.unraisablehook = before
        for again in dropped:
            again.end()
    for again in dropped:
        if not again.sent:  # the work was done before it came
            raise again.kind
