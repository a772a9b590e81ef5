"""Steps written in Python: functions that packages register for the step `call`.

A package declares them as entry points of the group `uisplice.steps`:

    [project.entry-points."uisplice.steps"]
    log_in = "my_package.steps:log_in"

and a scenario calls them: `call: {name: log_in, with: {user: ada}}`. The function gets a
StepContext and what stands under `with`, as texts by keyword.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

GROUP = "uisplice.steps"


@dataclass(frozen=True)
class StepContext:
    """What a step in Python works with.

    page is Playwright's; base_url the site's address; variables the scenario's; timeout is
    in seconds. `sleep` lets seconds pass while the page is watched: use it instead of
    time.sleep. `mark` names this moment in the metrics.
    """

    page: Page
    base_url: str
    timeout: float
    sleep: Callable[[float], None]
    mark: Callable[[str], None]
    variables: dict[str, str] = field(default_factory=dict)


def names() -> list[str]:
    """The registered functions' names, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})


def function(name: str) -> Callable[..., object]:
    """The function that is registered under `name`.

    Raises KeyError where there is none, ImportError or AttributeError where its package is
    broken.
    """
    found = list(importlib.metadata.entry_points(group=GROUP, name=name))
    if not found:
        raise KeyError(name)
    loaded: Callable[..., object] = found[0].load()
    return loaded
