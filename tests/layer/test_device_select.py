"""UIS_DEVICE: one GPU of several. The second one here is the same driver under another name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.native import LAYER_NAME, layer_dir

MANIFESTS = Path("/usr/share/vulkan/icd.d")


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """lavapipe twice, as two drivers of one device each."""
    manifest = next(iter(MANIFESTS.glob("lvp_icd*.json")), None)
    if manifest is None:
        pytest.skip("no lavapipe here")
    described = json.loads(manifest.read_text())
    library = Path(described["ICD"]["library_path"])
    if not library.is_absolute():
        found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True)
        library = Path(re.findall(rf"{library.name}.*=> (\S+)", found.stdout)[0])
    folder = tmp_path_factory.mktemp("driver")
    # The loader takes one file only once, however many manifests name it.
    copy = shutil.copy(library, folder / "second.so")
    described["ICD"]["library_path"] = str(copy)
    (folder / "second.json").write_text(json.dumps(described))
    return f"{manifest}:{folder / 'second.json'}"


@pytest.fixture(scope="module")
def enumerate_with(
    compile_program: Callable[..., Path], drivers: str
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    program = compile_program("zero_copy_test")

    def start(device: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), "64", "64", "2"],
            env={
                **os.environ,
                "VK_DRIVER_FILES": drivers,
                "VK_ICD_FILENAMES": drivers,
                "VK_ADD_LAYER_PATH": str(layer_dir()),
                "VK_INSTANCE_LAYERS": LAYER_NAME,
                "UIS_DEVICE": device,
                "UIS_LOG_LEVEL": "debug",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.mark.parametrize(("device", "number"), [("0", 0), ("1", 1), ("LLVMpipe", 0)])
def test_one_device_is_seen(
    enumerate_with: Callable[[str], subprocess.CompletedProcess[str]], device: str, number: int
):
    done = enumerate_with(device)
    assert done.returncode == 0, done.stderr
    assert f"UIS_DEVICE={device}: device {number}, llvmpipe" in done.stderr
    assert json.loads(done.stdout)["presented"] == 2


def test_by_uuid(enumerate_with: Callable[[str], subprocess.CompletedProcess[str]]):
    listed = enumerate_with("none of them").stderr
    uuid = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", listed)[0]
    for form in (uuid, f"GPU-{uuid}", uuid.replace("-", "").upper()):
        assert f"UIS_DEVICE={form}: device 0" in enumerate_with(form).stderr
    other = ("0" if uuid[0] != "0" else "1") + uuid[1:]
    assert "is none of the 2 Vulkan devices" in enumerate_with(other).stderr


@pytest.mark.parametrize("device", ["2", "GeForce"])
def test_no_match_lists_what_there_is(
    enumerate_with: Callable[[str], subprocess.CompletedProcess[str]], device: str
):
    done = enumerate_with(device)
    assert done.returncode == 1
    # The program prints what the ring's header says: the recorder's process sees it as well.
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"UIS_DEVICE={device} is none of the 2 Vulkan devices: 0: llvmpipe")
    assert "; 1: llvmpipe" in said
