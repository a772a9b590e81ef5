"""Allure in pytest: where the results go, and what stands beside them.

A run that has scenarios leaves Allure's results in its own folder, RECORDINGS/allure-results,
unless --alluredir names another. A run without scenarios leaves none unless it is told to.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import allure_commons
import pytest
from allure_commons.logger import AllureFileLogger
from allure_pytest.listener import AllureListener  # type: ignore[import-untyped]

from .allure_report import RESULTS_NAME, Explainer, write_run_files
from .errors import EnvironmentProblem
from .explanation import unraised
from .output_folder import make_output_folder
from .scenario_item import EXPLAINER, ScenarioItem


def configure(config: pytest.Config, recordings: Path) -> None:
    """Registers this part of the plugin; `recordings` is the run's folder."""
    explainer = config.stash[EXPLAINER] = Explainer()
    if not config.pluginmanager.hasplugin("allure_pytest"):  # -p no:allure_pytest
        return
    _register(config, explainer)
    config.pluginmanager.register(_Results(config, recordings), "uisplice-allure")


def _register(config: pytest.Config, plugin: object) -> None:
    """With Allure, for as long as the run lasts."""
    allure_commons.plugin_manager.register(plugin)
    config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(plugin))


class _Results:
    """Allure's results of one run, in each process that runs tests."""

    def __init__(self, config: pytest.Config, recordings: Path) -> None:
        self._config = config
        self._recordings = recordings
        chosen = config.getoption("--alluredir")
        self._chosen = bool(chosen)
        self._folder = Path(chosen).absolute() if chosen else recordings / RESULTS_NAME
        self._is_worker = hasattr(config, "workerinput")

    def pytest_sessionstart(self) -> None:
        # A folder of recordings that is used again: results are of the last run only. Never
        # one that was named, and not by a worker of pytest-xdist: others write already.
        if not (self._chosen or self._is_worker or self._config.getoption("--collect-only")):
            shutil.rmtree(self._folder, ignore_errors=True)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Starts allure-pytest, which --alluredir has not, now that it is known whether
        there is anything to report."""
        if self._chosen or self._config.getoption("--collect-only"):
            return
        if any(isinstance(item, ScenarioItem) for item in session.items):
            try:
                make_output_folder(self._folder, "--recordings")
            except EnvironmentProblem as problem:
                if self._is_worker:  # of pytest-xdist: it may not end by itself, its tests fail
                    return
                raise pytest.UsageError(str(problem)) from problem
            listener = AllureListener(self._config)
            self._config.pluginmanager.register(listener, "allure_listener")
            _register(self._config, listener)
            _register(self._config, AllureFileLogger(str(self._folder)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A strict xfail that passed: nothing was raised, so that nobody else would say why."""
        report = yield
        if isinstance(item, ScenarioItem) and report.failed and call.excinfo is None:
            self._config.stash[EXPLAINER].pending = unraised(
                item.scenario, item.result, report.longreprtext
            )
        return report

    def pytest_sessionfinish(self) -> None:
        if not self._is_worker:
            write_run_files(self._folder, self._recordings, self._config.rootpath)
