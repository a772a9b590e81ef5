"""The doubles of NVIDIA's libraries (tests/doubles): where they are, and who may use them."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
from pathlib import Path

import pytest

from harness.native import library_dir

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "doubles"


@functools.cache
def folder() -> Path:
    """Where they lie; built again where their sources are newer (`make setup` built them)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist come at the same time
        if not (FOLDER / "build.ninja").is_file():
            source = str(ROOT / "tests" / "doubles")
            _run("cmake", "-S", source, "-B", str(FOLDER), "-G", "Ninja")
        _run("cmake", "--build", str(FOLDER))
    return FOLDER


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def environment(smallest: str = "") -> dict[str, str]:
    """The variables with which NVENC and CUDA are the doubles; `smallest` is the smallest
    picture, `16x16`, that NVENC codes (as on recent cards: 145x49). With $UISPLICE_TEST_CUDA
    set to the real `libcuda.so.1`, NVENC's double codes what that has on a GPU."""
    variables = {
        "UISPLICE_NVENC_LIBRARY": str(folder() / "libnvenc_double.so"),
        "UISPLICE_CUDA_LIBRARY": os.environ.get("UISPLICE_TEST_CUDA")
        or str(folder() / "libcuda_double.so"),
    }
    return variables | {"UISPLICE_DOUBLE_MIN": smallest} if smallest else variables


def use(monkeypatch: pytest.MonkeyPatch, fault: str = "", smallest: str = "") -> None:
    """For the rest of a test: NVENC is the double, with that fault."""
    for name, value in environment(smallest).items():
        monkeypatch.setenv(name, value)
    if fault:
        monkeypatch.setenv("UISPLICE_DOUBLE_FAULT", fault)


def drive(what: str) -> subprocess.CompletedProcess[str]:
    """Runs the program that drives the backend and the doubles themselves."""
    return subprocess.run(
        [str(folder() / "nvenc_driver"), what],
        env={
            # `make sanitize` preloads its runtimes: the decoder's library needs them.
            **{k: v for k, v in os.environ.items() if k in ("LD_PRELOAD", "ASAN_OPTIONS")},
            **environment(),
            "UISPLICE_LIB_DIR": str(library_dir()),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
