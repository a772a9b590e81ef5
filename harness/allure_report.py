"""What Allure is told: phases and steps as they happen, and a result's files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import allure

from .observer import Observer
from .result import Result

_FILES = {
    "report.html": ("report", "text/html", "html"),
    "metrics.json": ("metrics", "application/json", "json"),
    "live_spliced.mp4": ("stream, remuxed for browsers", "video/mp4", "mp4"),
    "live_spliced.mkv": ("stream", "video/x-matroska", "mkv"),
    "chrome.log": ("Chrome and layer log", "text/plain", "log"),
}


class AllureSteps(Observer):
    """Phases and steps become Allure's nested steps."""

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        with allure.step(name):
            yield

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        with allure.step(text):
            yield


def attach(result: Result) -> None:
    """Attaches what a result left in its folder to the running test."""
    for name, (title, mime, extension) in _FILES.items():
        path = result.folder / name
        if path.is_file():
            allure.attach.file(str(path), name=title, attachment_type=mime, extension=extension)
    for path in result.screenshots:
        allure.attach.file(str(path), name=path.stem, attachment_type=allure.attachment_type.PNG)
