"""Frames that stay on the GPU, and what happens where they cannot.

Where the device exports memory and timeline semaphores and CUDA is there, this is the real thing;
elsewhere (lavapipe) the fallback is what runs, and it has to say so.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.validation import LAYER, validation, validation_log

from harness.native import LAYER_NAME, layer_dir

ROOT = Path(__file__).parents[2]
FRAMES = 24
POOL = ["device_frame", "cuda", "log", "pacing"]


@pytest.fixture(scope="module")
def program(compile_program: Callable[..., Path]) -> Path:
    return compile_program("zero_copy_test")


def run(program: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(program), "640", "360", str(FRAMES), *arguments],
        env={
            **os.environ,
            "VK_ADD_LAYER_PATH": str(layer_dir()),
            "VK_INSTANCE_LAYERS": LAYER_NAME,
            "UIS_PACE_HZ": "0",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    return done


def presented(program: Path, *arguments: str, **variables: str) -> tuple[dict[str, Any], str]:
    done = run(program, *arguments, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    # Newer validation layers say something on stdout as well, in front.
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("variant", ["1.0", "1.1", "1.2", "timeline-off", "v12-off", "v12-behind"])
def test_every_frame_arrives(program: Path, variant: str):
    """However the app makes its device; its structures are in read-only memory."""
    result, log = presented(program, variant, UIS_CAPTURE="verify")
    assert (result["wanted"], result["presented"]) == ("verify", FRAMES)
    assert (result["published"], result["lost"]) == (FRAMES, 0)
    assert result["timed"] == FRAMES
    assert 0 < result["present_median_us"] <= result["present_p99_us"]
    if result["active"] == "verify":
        assert (result["equal"], result["different"]) == (FRAMES, 0)
        assert (result["copied"], result["fallback"]) == (FRAMES, "")
    else:
        assert result["active"] == "host"
        assert result["equal"] == result["different"] == result["copied"] == 0
        assert result["fallback"]
        said = [line for line in log.splitlines() if "no zero-copy" in line]
        assert len(said) == 1, log
        assert result["fallback"] in said[0]


def test_nothing_is_asked_for_by_default(program: Path):
    result, log = presented(program)
    assert (result["wanted"], result["active"], result["fallback"]) == ("host", "host", "")
    assert "zero-copy" not in log.replace("uisplice-zero-copy", "")


def test_the_gpu_alone_or_the_host_alone(program: Path):
    """`device`: frames are on the GPU, and the ring names them; as a fallback it has them."""
    result, _ = presented(program, UIS_CAPTURE="device")
    there = FRAMES if result["active"] == "device" else 0
    assert (result["published"], result["copied"]) == (FRAMES, there)
    assert result["without_pixels"] + result["superseded_in_ring"] >= there
    assert result["without_pixels"] <= there


def test_a_word_nobody_knows_is_the_default(program: Path):
    result, log = presented(program, UIS_CAPTURE="gpu")
    assert result["wanted"] == "host"
    assert "UIS_CAPTURE=gpu is not host, device or verify" in log


def test_a_cuda_library_that_is_not_there(program: Path):
    result, _ = presented(
        program, UIS_CAPTURE="device", UISPLICE_CUDA_LIBRARY="/nowhere/libcuda.so"
    )
    assert result["active"] == "host"
    if "the device lacks" not in result["fallback"]:  # what is asked first
        assert "/nowhere/libcuda.so: cannot open" in result["fallback"]


def test_passthrough_cannot(program: Path):
    """What the driver owns cannot be exported."""
    result, _ = presented(program, UIS_CAPTURE="device", UIS_WSI="passthrough")
    assert result["active"] == "host"
    assert "UIS_WSI=passthrough" in result["fallback"]


@pytest.mark.parametrize("fault", ["no-wait", "byte"])
def test_verify_finds_what_was_broken(program: Path, fault: str):
    # At a pace that the worker keeps up with, or it copies what was drawn long ago; drawn many
    # times, so that the GPU is still at it when CUDA copies without waiting.
    result, log = presented(
        program, "1.2", "30", UIS_CAPTURE="verify", UIS_CAPTURE_FAULT=fault, UIS_PACE_HZ="60"
    )
    if result["active"] != "verify":
        pytest.skip(f"no zero-copy here: {result['fallback']}")
    assert result["different"] > 0
    assert "differs on the GPU" in log


def test_validation(program: Path, tmp_path: Path):
    result, log = presented(
        program, UIS_CAPTURE="verify", **validation(tmp_path, LAYER_NAME, LAYER)
    )
    assert result["presented"] == FRAMES, log
    assert [line for line in validation_log(tmp_path) if "Error" in line] == []


def run_on_gpu(program: Path) -> None:
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pool_of_frames(compile_program: Callable[..., Path]):
    sources = [f"vulkan_layer/src/{name}.c" for name in POOL]
    run_on_gpu(compile_program("device_frame_test", *sources, libraries=()))


def test_the_gpus_pixels_are_the_cpus(compile_program: Callable[..., Path]):
    """Dirty map and colour conversion by the committed kernels, bit for bit."""
    sources = [
        f"native/src/{name}.c" for name in ("device_pixels", "pixels", "dirty_map", "row_pool")
    ]
    ptx = ROOT / "native/src/device_pixels.ptx"
    run_on_gpu(
        compile_program(
            "device_pixels_test",
            *sources,
            libraries=("yuv",),
            options=("-O2", f'-DUIS_DEVICE_PIXELS_PTX="{ptx}"'),
        )
    )


def test_the_kernels_were_compiled_from_their_source():
    """Only the names and parameters can be compared without CUDA's compiler."""
    source = (ROOT / "native/src/device_pixels.cu").read_text()
    compiled = (ROOT / "native/src/device_pixels.ptx").read_text()
    kernels = re.findall(r"__global__ void (\w+)\(([^)]*)\)", source)
    assert len(kernels) == 3
    for name, parameters in kernels:
        there = re.search(rf"\.entry {name}\(([^)]*)\)", compiled)
        assert there, name
        assert len(there[1].split(",")) == len(parameters.split(",")), name
    assert compiled.startswith(".version 6.3\n.target sm_75\n")
