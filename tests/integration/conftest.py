"""What several modules of tests look at: one run of scenarios that fail in every way."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.seeds import run_pytest, write_seeds


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
