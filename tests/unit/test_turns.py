"""Turns of recordings that share a machine's processors."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.turns import Turns, at_once


@pytest.mark.parametrize(("processors", "turns"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_one_for_every_two_processors(processors: int, turns: int) -> None:
    assert at_once(processors) == turns
    assert at_once() >= 1


def test_never_more_than_there_are(tmp_path: Path) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def record() -> None:
        nonlocal running, most
        turns = Turns(2, tmp_path / "turns")
        turns.take()
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.15)
        with lock:
            running -= 1
        turns.give_back()

    threads = [threading.Thread(target=record) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_taken_once_and_given_back(tmp_path: Path) -> None:
    mine, other = Turns(1, tmp_path / "turns"), Turns(1, tmp_path / "turns")
    mine.take()
    assert mine.take() == 0.0
    mine.give_back()
    mine.give_back()
    assert other.take() < 1
    other.give_back()


def test_a_killed_worker_gives_its_turn_back(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from harness.turns import Turns\n"
        "turns = Turns(1, Path(sys.argv[1])); turns.take()\n"
        "print('taken', flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "turns")], stdout=subprocess.PIPE, text=True
    )
    with worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "taken\n"
            waiting = Turns(1, tmp_path / "turns")
            taken = threading.Event()

            def wait() -> None:
                waiting.take()
                taken.set()

            threading.Thread(target=wait, daemon=True).start()
            assert not taken.wait(0.5)
        finally:
            worker.kill()
    assert taken.wait(10)
    waiting.give_back()
