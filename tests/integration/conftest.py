"""What several modules of tests use: a headless browser, and one run of scenarios that fail in
every way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.seeds import run_pytest, write_seeds

from harness.browser_program import find_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Without a display or the layer, for pages that are looked at."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All seeds and their tapes."""
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder)
    return folder


@pytest.fixture(scope="session")
def seeded_run(seeded_folder: Path) -> Path:
    """The folder of a run of all seeds."""
    output = run_pytest(seeded_folder, "--recordings", "out", "--tape-replay", "tapes")
    assert "5 failed, 1 passed" in output, output
    return seeded_folder / "out"
