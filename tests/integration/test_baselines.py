"""Baselines in pytest: an inner one replays tapes, saves, compares and fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.taping import header, make_tape

from harness.baseline import Commit, ScenarioMetrics, Storage
from harness.cli import main
from harness.scenario import load_scenario
from harness.tape import TapedSpan, recipe_of, tape_path

pytest_plugins = ["pytester"]

ENVIRONMENT = {
    "browser": "Chrome/156.0.8078.108",
    "vulkan device": "llvmpipe (LLVM 15.0.6, 256 bits)",
    "encoder": "libx264 0.164.3095 baee400",
}
HERE = "Chrome-156_llvmpipe-LLVM-15.0.6-256-bits_libx264-0.164"

YAML = """open: page.html
viewport: 96x64
encoder: {qp: 23}
phases:
  - phase: Still
    duration: 1s
  - phase: Moving
    duration: 1s
"""


@pytest.fixture
def taped(pytester: pytest.Pytester) -> Callable[[str], Path]:
    """Makes a scenario and its tape: a second of nothing, a second of a picture that moves."""
    (pytester.path / "page.html").write_text("<p>page")

    def make(name: str) -> Path:
        path = pytester.path / f"{name}.yaml"
        path.write_text(YAML)
        scenario = load_scenario(path)
        x, y = np.meshgrid(np.arange(200), np.arange(64))
        wave = 128 + 60 * np.sin(x / 5) + 60 * np.cos(y / 7 + x / 11)
        wide = np.repeat(np.clip(wave, 0, 255).astype(np.uint8)[:, :, None], 4, axis=2)
        wide[:, :, 3] = 255
        still = np.ascontiguousarray(wide[:, :96])
        moving = [np.ascontiguousarray(wide[:, 3 * n : 3 * n + 96]) for n in range(1, 25)]
        frames = [(still, [])] + [(None, [])] * 23 + [(frame, []) for frame in moving]
        head = header(
            96,
            64,
            title=scenario.title,
            recipe=recipe_of(scenario),
            spans=(TapedSpan("Still", 0.0, 1.0), TapedSpan("Moving", 1.0, 2.0)),
            marks=(),
            environment=dict(ENVIRONMENT),
        )
        (pytester.path / "tapes").mkdir(exist_ok=True)
        make_tape(tape_path(pytester.path / "tapes", scenario), frames, head)
        return path

    return make


def replay(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # A process of its own, as people run it.
    return pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--tape-replay", "tapes", "--recordings", "out", *arguments
    )


def test_save_then_compare_then_a_regression(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    path = taped("case")
    result = replay(pytester, "--baseline-autosave")
    result.assert_outcomes(passed=1)
    [stored] = (pytester.path / ".baselines").glob("*/*.json")
    assert stored.parent.name == HERE + "_tape"
    assert stored.name.startswith("0001_unversioned_")
    result.stdout.fnmatch_lines(["*= baselines =*", f"saved: {stored}"])

    result = replay(pytester, "--baseline-compare")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"compared with {stored}", "1 scenario compared: * within"])

    path.write_text(YAML.replace("qp: 23", "qp: 40"))
    result = replay(
        pytester, "--baseline-compare", "--baseline-tolerance=bitrate:5%", "--junitxml=report.xml"
    )
    result.assert_outcomes(failed=1)
    table = [
        "*scenario  phase * metric * before * now * change *tolerance *verdict",
        "case * Still * psnr_y * dB * dB * -* dB  0.3 dB * regressed",
        "case * Moving * psnr_y * dB * dB * -* dB  0.3 dB * regressed",
        "case * Moving * bitrate *(-*%)  5% * improved",
    ]
    result.stdout.fnmatch_lines(["worse than its baseline", f"compared with {stored}", *table])
    result.stdout.fnmatch_lines(["*= baselines =*", f"compared with {stored}", *table])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*baseline_plugin.py*")
    assert "worse than its baseline" in (pytester.path / "report.xml").read_text()

    # The same, allowed; and the stored run beside what was recorded, without pytest.
    allowed = replay(pytester, "--baseline-compare=1", "--baseline-tolerance=psnr_y:40dB")
    allowed.assert_outcomes(passed=1)
    assert main(["compare", str(stored), str(pytester.path / "out")]) == 1


def test_what_fails_by_itself_is_compared_and_not_kept(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    path = taped("case")
    replay(pytester, "--baseline-save=first").assert_outcomes(passed=1)
    path.write_text(YAML.replace("qp: 23", "qp: 40") + "expect: {keyframes: 7}\n")
    result = replay(pytester, "--baseline-compare", "--baseline-autosave")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "case.yaml: whole recording: keyframes 7: measured 1*",
            "* Still * psnr_y * regressed",
            "case.yaml::case: did not pass, so it is not kept as a baseline",
            "nothing was saved: no scenario was recorded and passed",
        ]
    )
    assert [p.name for p in pytester.path.glob(".baselines/*/*")] == ["0001_first.json"]


def test_workers_side_by_side_make_one_file_and_compare_with_it(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    pytest.importorskip("xdist")
    paths = [taped(name) for name in ("one", "two", "three")]
    result = replay(pytester, "-n2", "--baseline-save=both", "--baseline-storage=kept")
    result.assert_outcomes(passed=3)
    [stored] = (pytester.path / "kept").glob("*/*.json")
    names = [entry["nodeid"] for entry in json.loads(stored.read_text())["scenarios"]]
    assert names == ["one.yaml::one", "three.yaml::three", "two.yaml::two"]

    paths[1].write_text(YAML.replace("qp: 23", "qp: 40"))
    result = replay(pytester, "-n2", "--baseline-compare", "--baseline-storage=kept")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*= baselines =*",
            f"compared with {stored}",
            "two * Still * psnr_y * regressed",
            "3 scenarios compared: * regressed, * within",
        ]
    )


def test_what_is_not_in_the_baseline_is_said(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    taped("old")
    replay(pytester, "--baseline-autosave").assert_outcomes(passed=1)
    taped("new")
    result = replay(pytester, "--baseline-compare")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["new: not in the baseline *.json", "1 scenario compared: *"])


def test_no_baseline_is_an_error_that_says_what_to_do(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    taped("case")
    result = replay(pytester, "--baseline-compare")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*there is no baseline to compare with in *.baselines (stored: nothing)",
            "*what to do: save a baseline first: pytest --baseline-autosave",
        ]
    )
    result = replay(pytester, "--baseline-compare", "case.yaml")  # the path is not its value
    result.stderr.fnmatch_lines(["*put --baseline-compare behind the paths*"])

    # One of another environment is no baseline for this one, unless it is named.
    replay(pytester, "--baseline-save=first").assert_outcomes(passed=1)
    [stored] = (pytester.path / ".baselines").glob("*/*.json")
    [other] = json.loads(stored.read_text())["scenarios"]
    stored.unlink()
    live = ScenarioMetrics.from_json({**other, "environment_id": HERE})
    Storage(pytester.path / ".baselines").save([live], Commit("c", False))
    result = replay(pytester, "--baseline-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"no baseline in *.baselines for this environment, {HERE}_tape; there are * {HERE}",
            f"*what to do: *--baseline-compare={HERE}/0001",
        ]
    )
    result = replay(pytester, f"--baseline-compare={HERE}/0001")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline-tolerance=bites:5%"], "*unknown metric 'bites'; did you mean 'bytes'?*"),
        (["--baseline-save=a/b"], "*'a/b' cannot name a baseline*"),
        (["--baseline-save=a", "--baseline-autosave"], "*exclude each other*"),
    ],
)
def test_wrong_options(pytester: pytest.Pytester, arguments: list[str], message: str):
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_the_options_have_a_group_of_their_own(pytester: pytest.Pytester):
    result = pytester.runpytest_subprocess("--help")
    result.stdout.fnmatch_lines(["uisplice baselines:", "*--baseline-save=NAME*"])


def test_every_recording_of_one_name_has_its_own_folder(
    pytester: pytest.Pytester, taped: Callable[[str], Path]
):
    path = taped("case")
    other = pytester.path / "other"
    other.mkdir()
    (other / path.name).write_text(path.read_text())
    (other / "page.html").write_text("<p>page")
    pytester.makepyfile(
        test_twice="""
        def test_twice(play):
            results = [play("case.yaml"), play("case.yaml")]
            assert results[0].folder != results[1].folder
        """
    )
    result = replay(pytester, "case.yaml", "other/case.yaml", "test_twice.py")
    result.assert_outcomes(passed=3)
    recorded = {
        p.parent.relative_to(pytester.path / "out") for p in pytester.path.glob("out/**/*.mkv")
    }
    assert {str(folder) for folder in recorded} == {
        "case.yaml-case",
        "other-case.yaml-case",
        "test_twice/case",
        "test_twice/case-2",
    }
