"""scripts/gpu-check.sh: what it says before anything is unpacked."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu-check.sh"


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    lines = []
    for number in range(3):
        name = f"gpu-bundle.tar.xz.{number:02d}"
        data = bytes([number]) * 1000
        (folder / name).write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    (folder / "MANIFEST").write_text("".join(lines))
    return folder


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=30
    )
    return done.returncode, done.stdout + done.stderr


def test_whole_parts_are_whole(parts: Path):
    assert run("--parts", str(parts), "--verify") == (0, "gpu-check: 3 parts are whole\n")


def test_damaged_and_missing_parts_are_named(parts: Path):
    damaged = parts / "gpu-bundle.tar.xz.01"
    data = bytearray(damaged.read_bytes())
    data[500] ^= 1
    damaged.write_bytes(data)
    (parts / "gpu-bundle.tar.xz.02").unlink()
    code, said = run("--parts", str(parts), "--verify")
    assert code == 2
    assert "gpu-bundle.tar.xz.01: FAILED" in said
    assert "gpu-bundle.tar.xz.02: FAILED" in said
    assert "xz.00" not in said
    assert "what to do: copy these again" in said


def test_a_folder_without_parts(tmp_path: Path):
    code, said = run("--parts", str(tmp_path), "--verify")
    assert code == 2 and "has no MANIFEST" in said


@pytest.mark.parametrize("option", ["--nonsense", "--parts"])
def test_a_wrong_option(option: str):
    code, said = run(option)
    assert code == 2 and option in said


def test_a_folder_that_holds_something_else_is_left_alone(parts: Path, tmp_path: Path):
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine").write_text("keep")
    code, said = run("--parts", str(parts), "--to", str(target), "--report", str(tmp_path / "r"))
    # Without the right to mount it does not come so far.
    assert code in (2, 3)
    assert "holds something else" in said or "needs root" in said or "no mounts" in said
    assert [path.name for path in target.iterdir()] == ["mine"]


def test_help_is_the_scripts_head():
    code, said = run("--help")
    assert code == 0
    assert said.startswith("Unpacks the parts")
    assert "--report DIR" in said and "set -eu" not in said
