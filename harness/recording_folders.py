"""Where a test's recordings lie: in a folder of its own, also where tests have one name."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from .scenario import Scenario

FOLDERS = pytest.StashKey[Mapping[str, str]]()
"""The folders' names by node id."""


def folder_names(items: Sequence[pytest.Item]) -> dict[str, str]:
    """By node id: the test's own name, or its whole node id where others have that name. Every
    worker of pytest-xdist comes to the same."""
    count = Counter(_own_name(item) for item in items)
    taken = {name for name, tests in count.items() if tests == 1}
    folders = {}
    for item in items:
        name = _own_name(item)
        if count[name] > 1:
            whole = name = _fit(item.nodeid)
            numbers = itertools.count(2)
            while name in taken:  # node ids that differ in no letter
                name = f"{whole}-{next(numbers)}"
            taken.add(name)
        folders[item.nodeid] = name
    return folders


def folder_of(item: pytest.Item) -> str:
    """The name of the folder for what this test records."""
    return item.config.stash.get(FOLDERS, {}).get(item.nodeid) or _own_name(item)


def has_own_name(item: pytest.Item) -> bool:
    """False where another test of the run has this one's name."""
    return folder_of(item) == _own_name(item)


def _own_name(item: pytest.Item) -> str:
    scenario = getattr(item, "scenario", None)
    return scenario.folder_name if isinstance(scenario, Scenario) else _fit(item.name)


def _fit(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text)
