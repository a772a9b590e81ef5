"""`harness doctor`: what it says of a machine that has everything, or lacks something."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness import doctor
from harness.cli import main
from harness.doctor import Broken, Check, Finding, Status, examine
from harness.errors import EnvironmentProblem
from harness.native import LAYER_LIBRARY, LAYER_MANIFEST, layer_dir
from harness.vulkan import Device, devices, driver_of


def found(name: str, browser: str | None = None) -> Finding:
    return {finding.name: finding for finding in examine(browser, quick=True)}[name]


def raising(error: Exception) -> Check:
    def look() -> str:
        raise error

    return Check("thing", look)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EnvironmentProblem("none", "apt install thing"), Status.MISSING),
        (Broken("it crashed", "apt install thing"), Status.BROKEN),
        (ZeroDivisionError("surprise"), Status.BROKEN),
    ],
)
def test_an_error_is_a_finding(error: Exception, status: Status):
    required = raising(error).run()
    assert (required.status, required.blocks) == (status, True)
    assert required.remedy
    optional = Check("thing", raising(error).look, required=False).run()
    assert (optional.status, optional.blocks) == (Status.OPTIONAL, False)


def test_frames_are_not_tried_where_something_is_missing():
    findings = list(examine(checks=[raising(EnvironmentProblem("none"))]))
    assert findings[-1] == Finding("capture", Status.NOT_RUN, "needs first: thing")


def test_this_machine_can_record(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok: encoder libx264: 0.") for line in lines)
    assert any(line.startswith("ok: decoder OpenH264: 2.") for line in lines)
    assert lines[-2] == "not run: capture: left out by --quick"


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--quick", "--json", "--browser", "/nonexistent/chrome"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert data["can_record"] is False
    browser = next(f for f in data["findings"] if f["name"] == "browser")
    assert browser["status"] == "missing"
    assert "/nonexistent/chrome" in browser["found"]
    assert "apt install chromium" in browser["what_to_do"]


def test_a_browser_that_does_not_start_is_broken(tmp_path: Path):
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\necho 'libfoo.so: not found' >&2; exit 127\n")
    program.chmod(0o755)
    finding = found("browser", str(program))
    assert finding.status is Status.BROKEN
    assert finding.found.endswith("ends with 127: libfoo.so: not found")


def test_a_snap_is_refused(tmp_path: Path):
    program = tmp_path / "chromium"
    program.write_text('#!/bin/sh\nexec /snap/bin/chromium "$@"\n')
    program.chmod(0o755)
    finding = found("browser", str(program))
    assert finding.status is Status.MISSING
    assert "is a snap" in finding.found


def test_no_vulkan_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "none.json"))
    assert found("Vulkan driver").status is Status.MISSING
    device = found("Vulkan device")
    assert device.status is Status.BROKEN
    assert "no driver was found" in device.found
    assert "mesa-vulkan-drivers" in device.remedy


def test_a_layer_may_talk_on_stdout(monkeypatch: pytest.MonkeyPatch):
    """Debian 13's validation layer does, before and after."""
    talk = 'Validation Layer Info - to a file\n[{"name": "a", "driver": "b 1"}]\nthe end\n'
    done = subprocess.CompletedProcess([], 0, stdout=talk, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert devices() == [Device("a", "b 1")]


def test_the_driver_of_a_device_has_a_name_and_a_version(monkeypatch: pytest.MonkeyPatch):
    device, *_ = devices()
    assert device.name in found("Vulkan device").found
    assert driver_of(device.name) == device.driver
    assert re.search(r"[A-Za-z].*\d+\.\d+", device.driver)
    assert driver_of("no such device") == ""
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent.json")
    assert driver_of(device.name) == ""


def test_a_driver_that_crashes_takes_only_itself_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    manifest = {"file_format_version": "1.0.0", "ICD": {"library_path": "/bin/true"}}
    manifest["ICD"]["api_version"] = "1.1.0"  # type: ignore[index]
    path = tmp_path / "icd.json"
    path.write_text(json.dumps(manifest))
    monkeypatch.setenv("VK_DRIVER_FILES", str(path))
    assert found("Vulkan driver").status is Status.OK  # a manifest is there
    assert found("Vulkan device").status is Status.BROKEN


def test_a_layer_that_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    manifest = (layer_dir() / LAYER_MANIFEST).read_text()
    (tmp_path / LAYER_MANIFEST).write_text(manifest)
    (tmp_path / LAYER_LIBRARY).write_bytes(b"not a library")
    monkeypatch.setattr(doctor, "layer_dir", lambda: tmp_path)
    finding = found("capture layer")
    assert finding.status is Status.BROKEN
    assert LAYER_LIBRARY in finding.found
    assert "make build" in finding.remedy


def test_no_xvfb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = found("Xvfb")
    assert (finding.status, finding.remedy) == (Status.MISSING, "apt install xvfb")
    assert found("node").status is Status.OPTIONAL


@pytest.mark.chrome
def test_frames_arrive():
    finding = list(examine())[-1]
    assert finding.status is Status.OK, finding
    assert " 0 dropped, on " in finding.found
