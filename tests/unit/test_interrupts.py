"""Ctrl-C and SIGTERM: as exceptions, never lost, and as before afterwards."""

from __future__ import annotations

import signal
import sys
import threading
import time
import weakref

import pytest

from harness.interrupts import REDELIVERY, Terminated, heed_interrupts

LONG = 30.0  # seconds; what ends the wait is the signal


class Struck:
    """Its end is the moment at which the signal comes."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


class Target:
    pass


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
@pytest.mark.parametrize("where", ["finaliser", "callback"])
def test_one_that_is_dropped_comes_again(
    number: signal.Signals, kind: type[BaseException], where: str
) -> None:
    reached = []
    with heed_interrupts(), pytest.raises(KeyboardInterrupt) as caught:
        if where == "finaliser":
            struck = Struck(number)
            del struck
        else:
            target = Target()
            kept = weakref.ref(target, lambda _: signal.raise_signal(number))
            del target
            assert kept() is None
        reached.append("went on")  # Python dropped it
        time.sleep(LONG)
    assert caught.type is kind
    assert reached == ["went on"]


def test_other_errors_in_finalisers_are_reported_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: seen.append(dropped.exc_type))

    class Careless:
        def __del__(self) -> None:
            raise ValueError

    with heed_interrupts():
        careless = Careless()
        del careless
    assert seen == [ValueError]


def test_leaves_everything_as_it_was() -> None:
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with heed_interrupts(), heed_interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == before


def test_one_that_strikes_at_the_end_is_raised_there() -> None:
    done = []
    with pytest.raises(Terminated), heed_interrupts():
        struck = Struck(signal.SIGTERM)
        del struck
        done.append(True)
    assert done
    time.sleep(4 * REDELIVERY)  # a second one would end this


def test_other_threads_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with heed_interrupts():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
