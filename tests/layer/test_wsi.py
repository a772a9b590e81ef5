"""The layer under a Vulkan program of our own: no X server, no Chrome."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import doubles
from support.validation import LAYER, validation, validation_log

from harness.native import LAYER_NAME, LIBRARY, layer_dir


@pytest.fixture(scope="module")
def program(compile_program: Callable[..., Path]) -> Path:
    return compile_program("wsi_test")


# From 6 slots on the GPU writes straight into the ring; with 4 through a host buffer.
@pytest.mark.parametrize("slots", [12, 4])
@pytest.mark.parametrize("validated", [False, True], ids=["plain", "validated"])
def test_virtual_swapchain(program: Path, tmp_path: Path, slots: int, validated: bool):
    layers = (LAYER_NAME, LAYER) if validated else (LAYER_NAME,)
    done = subprocess.run(
        [str(program), str(slots)],
        env={**os.environ, **validation(tmp_path, *layers)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("no Vulkan device to run on")
    assert done.returncode == 0, done.stdout + done.stderr
    if validated:
        assert [line for line in validation_log(tmp_path) if "Error" in line] == []


@pytest.mark.parametrize("encoder", ["", "x264", "nvenc"])
def test_the_encoder_host_comes_and_goes_with_the_layer(
    program: Path, tmp_path: Path, encoder: str
):
    """Whether its encoders are open or not; those of NVENC load and close libraries (doubles)."""
    library = layer_dir() / LIBRARY
    variables = {**validation(tmp_path), "UISPLICE_LIBRARY": str(library)}
    if encoder == "nvenc":
        variables |= doubles.environment()
    done = subprocess.run(
        [str(program), "12", "encode", *([encoder] if encoder else [])],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("no Vulkan device to run on")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{library} is loaded, to encode here" in done.stderr
    assert [line for line in validation_log(tmp_path) if "Error" in line] == []


def test_which_beat_an_acquire_uses(compile_program: Callable[..., Path]):
    """Late ones as well, which test_virtual_swapchain cannot ask for."""
    program = compile_program("pacing_test", "vulkan_layer/src/pacing.c")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
