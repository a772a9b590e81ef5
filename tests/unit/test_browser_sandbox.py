"""Chrome's sandbox: wanted, found, and what to do where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import browser_sandbox
from harness.browser_sandbox import describe, remedy, sandboxed, was_refused
from harness.errors import BrowserError, EnvironmentProblem

OFF = "UISPLICE_SANDBOX=off, if every page that is opened can be trusted"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A normal user's machine whose kernel gives no namespaces, with no browser yet."""
    monkeypatch.delenv("UISPLICE_SANDBOX", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(browser_sandbox, "_namespaces_can_be_made", lambda: False)
    return tmp_path


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_who_has_one(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandboxed({}) and sandboxed({"UISPLICE_SANDBOX": "on"})
    assert not sandboxed({"UISPLICE_SANDBOX": "off"})
    with pytest.raises(BrowserError, match="'no'") as caught:
        sandboxed({"UISPLICE_SANDBOX": "no"})
    assert "on or off" in caught.value.remedy
    monkeypatch.setenv("UISPLICE_SANDBOX", "off")
    assert describe(machine / "chrome") == "off: $UISPLICE_SANDBOX"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert not sandboxed({"UISPLICE_SANDBOX": "on"})
    assert describe(machine / "chrome") == "off: this is root"


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "/opt/google/chrome/chrome"),
    ],
)
def test_the_kernels_setting_is_named(machine: Path, setting: str, value: str, advice: str) -> None:
    chrome = put(machine, "opt/google/chrome/chrome")
    assert remedy(chrome, machine) == OFF
    put(machine, f"proc/sys/{setting}", f"{value}\n")
    first, *_, last = remedy(chrome, machine).split("; or ")
    assert advice in first
    assert last == OFF
    put(machine, f"proc/sys/{setting}", "77\n")
    assert remedy(chrome, machine) == OFF


def test_debians_helper(machine: Path) -> None:
    chromium = put(machine, "usr/bin/chromium")
    assert "sudo apt install chromium-sandbox" in remedy(chromium, machine)
    with pytest.raises(EnvironmentProblem) as caught:
        describe(chromium, machine)
    assert caught.value.remedy == remedy(chromium, machine)
    put(machine, "proc/self/status", "Name:\tx\nCapBnd:\t00000000a80425fb\n")  # Docker's own
    put(machine, ".dockerenv")
    assert "seccomp profile" in remedy(chromium, machine)
    assert "apt install" not in remedy(chromium, machine)
    put(machine, "proc/self/status", "Name:\tx\nCapBnd:\t000001ffffffffff\n")
    assert "sudo apt install chromium-sandbox" in remedy(chromium, machine)

    helper = put(machine, "usr/lib/chromium/chrome-sandbox")
    helper.chmod(0o4755)
    if helper.stat().st_uid == 0:  # only root can make one that counts
        assert describe(chromium, machine) == f"on, by {helper}"
        assert describe(put(machine, "usr/lib/chromium/chromium"), machine).endswith(str(helper))
        assert "apt install" not in remedy(chromium, machine)
        helper.chmod(0o755)
    with pytest.raises(EnvironmentProblem):
        describe(chromium, machine)


def test_apparmor_is_not_second_guessed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    assert "AppArmor" in describe(machine / "chrome", machine)
    monkeypatch.setattr(browser_sandbox, "_namespaces_can_be_made", lambda: True)
    assert describe(machine / "chrome", machine) == "on, by user namespaces"


def test_a_refusal_and_what_only_looks_like_one() -> None:
    assert was_refused("[1:1:ERROR:zygote_host_impl_linux.cc:130] No usable sandbox! If this")
    assert was_refused("FATAL: The SUID sandbox helper binary was found, but is not configured")
    assert was_refused("Failed to move to new namespace: PID namespaces supported")
    # A multi-threaded Vulkan driver, on any run.
    assert not was_refused(
        "WARNING:sandbox/policy/linux/sandbox_linux.cc:405] InitializeSandbox() called with "
        "multiple threads in process gpu-process."
    )
