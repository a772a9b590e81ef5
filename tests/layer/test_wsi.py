"""The layer under a Vulkan program of our own: no X server, no Chrome."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.native import LAYER_NAME, layer_dir

ROOT = Path(__file__).parents[2]
SETTINGS = """khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,info
khronos_validation.log_filename = {log}
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    assert compiler, "make setup installs a compiler"
    target = tmp_path_factory.mktemp("wsi") / "wsi_test"
    sources = [ROOT / "tests/layer/wsi_test.c", ROOT / "native/src/frame_ring.c"]
    subprocess.run(
        [
            compiler,
            "-std=c11",
            "-O1",
            "-I",
            str(ROOT / "native/include"),
            *map(str, sources),
            "-lvulkan",
            "-lpthread",
            "-o",
            str(target),
        ],
        check=True,
    )
    return target


# From 6 slots on the GPU writes straight into the ring; with 4 through a host buffer.
@pytest.mark.parametrize("slots", [12, 4])
@pytest.mark.parametrize("validated", [False, True], ids=["plain", "validated"])
def test_virtual_swapchain(program: Path, tmp_path: Path, slots: int, validated: bool):
    log = tmp_path / "validation.log"
    (tmp_path / "vk_layer_settings.txt").write_text(SETTINGS.format(log=log))
    layers = [LAYER_NAME, *(["VK_LAYER_KHRONOS_validation"] if validated else [])]
    done = subprocess.run(
        [str(program), str(slots)],
        env={
            **os.environ,
            "VK_ADD_LAYER_PATH": f"{layer_dir()}:/usr/share/vulkan/explicit_layer.d",
            "VK_INSTANCE_LAYERS": ":".join(layers),
            "VK_LAYER_SETTINGS_PATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("no Vulkan device to run on")
    assert done.returncode == 0, done.stdout + done.stderr
    if validated:
        said = log.read_text(errors="replace")
        assert "Khronos Validation Layer Active" in said, "or this test could not fail"
        assert [line for line in said.splitlines() if "Error" in line] == []
