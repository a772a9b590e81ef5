"""Phases in pytest's reports: told, and never counted as tests."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

# Every test of this inner pytest says that it has two phases, as a scenario does.
CONFTEST = """
import pytest
from harness.scenario_item import PHASES

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        fact = {"line": 1, "outcome": report.outcome, "text": "worse", "seconds": 0.1}
        setattr(report, PHASES, [{"name": name, **fact} for name in "AB"])
    return report
"""
# What pytest-rerunfailures does: a failed attempt is reported as "rerun", and then the next one.
RERUN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for last in (False, True):
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.when == "call" and not last:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
    return True

def pytest_report_teststatus(report):
    if report.outcome == "rerun":
        return "rerun", "R", "RERUN"
"""


@pytest.fixture
def three(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        test_three="def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): pass\n"
    )
    return pytester


def test_failed_phases_do_not_count_for_maxfail(three: pytest.Pytester) -> None:
    result = three.runpytest("--maxfail=2", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*stopping after 2 failures*", "*2 failed*4 phases failed*"])


def test_stepwise_skips_a_test_and_not_a_phase(three: pytest.Pytester) -> None:
    result = three.runpytest("--sw-skip")
    result.assert_outcomes(failed=2)  # the second one ends the run


def test_phases_of_an_attempt_that_is_repeated_fail_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST + RERUN)
    pytester.makepyfile(
        "tries = []\ndef test_a():\n    tries.append(1)\n    assert len(tries) > 1\n"
    )
    result = pytester.runpytest("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*1 passed*1 rerun*2 phases passed*"])
