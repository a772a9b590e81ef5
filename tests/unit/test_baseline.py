"""Baselines: tolerances, what moved, storage, and `harness compare`."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.baseline import Commit, ScenarioMetrics, Storage, environment_id, open_run
from harness.cli import main
from harness.commands.compare import _show_movements
from harness.errors import BaselineError
from harness.movement import (
    HEAD,
    Comparison,
    Outcome,
    compare_runs,
    compare_scenario,
    match,
    text_table,
)
from harness.tolerance import METRICS, families, parse_option, parse_tolerance, tolerance_of

ENVIRONMENT = {
    "browser": "Chrome/156.0.8078.108",
    "vulkan device": "llvmpipe (LLVM 15.0.6, 256 bits)",
    "encoder": "libx264 0.164.3095 baee400",
    "wsi": "virtual",
}
HERE = "Chrome-156_llvmpipe-LLVM-15.0.6-256-bits_libx264-0.164"
MEASURES: dict[str, Any] = {
    "ticks": 240,
    "shares": {"unchanged": 20.0, "video_only": 55.0, "changed": 25.0},
    "bytes": 100_000,
    "bitrate": 80_000.0,
    "pictures": {"none": 48, "full": 60, "spliced": 132, "merged": 0},
    "keyframes": 1,
    "dropped": 0,
    "psnr_y": 42.0,
    "patched_mbs": 0,
    "fallbacks": 0,
}


def metrics(**changes: Any) -> dict[str, Any]:
    """metrics.json of a scenario with two phases; changes are of phase B and the whole."""
    phases = [{"name": name, "measures": copy.deepcopy(MEASURES)} for name in "AB"]
    phases[1]["measures"] |= changes
    return {
        "scenario": "Case",
        "width": 1280,
        "height": 720,
        "fps": 24,
        "environment": dict(ENVIRONMENT),
        "total": {**copy.deepcopy(MEASURES), **changes},
        "phases": phases,
        "times": {
            "encode_full": {"median": 8.0, "p95": 9.0, "max": 10.0},
            "latency_spliced": {"median": 40.0, "p95": 60.0, "max": 70.0},
            "latency_merged": {"median": 40.0, "p95": 60.0, "max": 70.0},
        },
    }


def scenario(name: str = "case", nodeid: str = "", **changes: Any) -> ScenarioMetrics:
    return ScenarioMetrics.of(name, metrics(**changes), nodeid)


def moved(comparison: Comparison, outcome: Outcome) -> set[tuple[str, str]]:
    return {(m.phase, m.metric.name) for m in comparison.movements if m.outcome is outcome}


# --- tolerances ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "before", "allowed"),
    [
        ("bytes", "10%", 2000, 200),
        ("bytes", "20 kB", 2000, 20_000),
        ("bytes", "5% or 2 kB", 1000, 2000),
        ("bytes", "5% or 2 kB", 100_000, 5000),
        ("bitrate", "0.2 Mbit/s", 1, 200_000),
        ("shares.changed", "5%", 50, 5),
        ("shares", "5 points", 50, 5),
        ("shares", "± 5", 50, 5),
        ("psnr_y", "0.5 dB", 40, 0.5),
        ("psnr_y", "0.5", 40, 0.5),
        ("ssim", "0.005", 0.99, 0.005),
        ("keyframes", "2", 1, 2),
        ("patched_mbs", "20%", 100, 20),
        ("encode_full", "3 ms", 10, 3),
        ("latency", "50%", 10, 5),
    ],
)
def test_tolerances(name: str, text: str, before: float, allowed: float):
    tolerance = parse_tolerance(name, text)
    assert tolerance.allowed(before) == pytest.approx(allowed)
    assert tolerance.fails
    assert str(tolerance) == text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bites", "5%", "unknown metric 'bites'; did you mean 'bytes'? compared are: ticks, sh"),
        ("zzz", "5%", "unknown metric 'zzz'; compared are: ticks"),
        ("bytes", "5", "'5' has no unit; bytes is in % or kB or B or MB, such as '5% or 2 kB'"),
        ("bytes", "5 dB", "'5 dB' has the unit 'dB'; bytes is in % or kB or B or MB"),
        ("shares", "5 dB", "'5 dB' has the unit 'dB'; shares is in % or points or ticks"),
        ("bytes", "5 ticks", "'5 ticks' has the unit 'ticks'; bytes is in % or kB"),
        ("psnr_y", "5%", "'5%' has the unit '%'; psnr_y is in dB, such as '0.5 dB'"),
        ("ssim", "1 dB", "'1 dB' has the unit 'dB'; ssim has none, such as '0.005'"),
        ("bytes", "-5%", "'-5%' is not a tolerance for bytes; write one such as '5% or 2 kB'"),
        ("bytes", "", "'' is not a tolerance for bytes"),
        ("bytes", "much", "'much' is not a tolerance for bytes"),
        ("keyframes", "1e3", "'1e3' has the unit 'e3'; keyframes is in %, such as '2 or 10%'"),
    ],
)
def test_a_tolerance_that_cannot_be_is_explained(name: str, text: str, message: str):
    with pytest.raises(ValueError) as raised:
        parse_tolerance(name, text)
    assert str(raised.value).startswith(message)


def test_options_of_the_command_line():
    assert parse_option("bytes:10%")[0] == "bytes"
    with pytest.raises(ValueError, match=r"'bytes' is not METRIC:AMOUNT"):
        parse_option("bytes")


def test_the_first_that_states_a_metric_wins_its_own_name_before_its_familys():
    changed = families()["shares.changed"][0]
    line, own = (
        {"shares": parse_tolerance("shares", "9")},
        {
            "shares.changed": parse_tolerance("shares.changed", "1"),
            "shares": parse_tolerance("shares", "2"),
        },
    )
    assert str(tolerance_of(changed, line, own)) == "9"
    assert str(tolerance_of(changed, {}, own)) == "1"
    assert str(tolerance_of(families()["shares.unchanged"][0], own)) == "2"
    assert tolerance_of(changed) is changed.default
    assert {m.name for m in families()["encode"]} == {
        "encode_full",
        "encode_spliced",
        "encode_merged",
    }


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_default_is_one_that_could_be_written(metric):
    amount = parse_tolerance(metric.name, metric.default.text)
    assert (amount.relative, amount.absolute, amount.ticks) == (
        metric.default.relative,
        metric.default.absolute,
        metric.default.ticks,
    )


# --- what moved ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "worse", "better"),
    [
        ({"bytes": 105_000}, set(), set()),  # exactly the tolerance
        ({"bytes": 105_001}, {"bytes"}, set()),
        ({"bytes": 94_000}, set(), {"bytes"}),
        ({"psnr_y": 41.7}, set(), set()),
        ({"psnr_y": 41.699}, {"psnr_y"}, set()),
        ({"psnr_y": 43.0}, set(), {"psnr_y"}),
        ({"dropped": 1}, {"dropped"}, set()),
        ({"keyframes": 0}, set(), {"keyframes"}),
        ({"ticks": 200}, {"ticks"}, set()),
        ({"ticks": 280}, {"ticks"}, set()),
        # A video that did not play: cheaper, and all the same a regression.
        (
            {"shares": {"unchanged": 75.0, "video_only": 0.0, "changed": 25.0}},
            {"shares.video_only"},
            {"shares.unchanged"},
        ),
        (
            {"shares": {"unchanged": 20.0, "video_only": 45.0, "changed": 35.0}},
            {"shares.video_only", "shares.changed"},
            set(),
        ),
    ],
)
def test_direction_and_tolerance(changes: dict[str, Any], worse: set[str], better: set[str]):
    comparison = compare_scenario(scenario(), scenario(**changes))
    for outcome, names in ((Outcome.REGRESSED, worse), (Outcome.IMPROVED, better)):
        places = {(place, name) for place in ("B", "whole recording") for name in names}
        assert moved(comparison, outcome) == places
    assert comparison.regressed == bool(worse)


def test_a_share_of_a_short_phase_may_move_by_ticks():
    def short(changed: float) -> ScenarioMetrics:
        shares = {"unchanged": 100 - changed, "video_only": 0.0, "changed": changed}
        return scenario(ticks=48, shares=shares)

    # Three of 48 ticks, rounded as metrics are; then four.
    assert not compare_scenario(short(6.25), short(12.5)).regressed
    worse = moved(compare_scenario(short(6.25), short(14.58)), Outcome.REGRESSED)
    assert ("B", "shares.changed") in worse
    stated = {"shares": parse_tolerance("shares", "5 points or 9 ticks")}
    assert not compare_scenario(short(6.25), short(14.58), stated).regressed


def test_quality_that_nobody_sees_is_not_judged_unless_asked_to():
    before, now = scenario(psnr_y=57.6), scenario(psnr_y=50.1)
    assert not compare_scenario(before, now).notable
    assert compare_scenario(before, scenario(psnr_y=49.6)).regressed
    assert compare_scenario(before, now, {"psnr_y": parse_tolerance("psnr_y", "0.3 dB")}).regressed


def test_processor_time_is_said_and_does_not_fail_unless_asked_to():
    slow = metrics()
    slow["times"]["encode_full"]["median"] = 16.0
    now = ScenarioMetrics.of("case", slow)
    comparison = compare_scenario(scenario(), now)
    assert moved(comparison, Outcome.MOVED) == {("whole recording", "encode_full")}
    assert not comparison.regressed
    asked = compare_scenario(scenario(), now, {"encode": parse_tolerance("encode", "25%")})
    assert moved(asked, Outcome.REGRESSED) == {("whole recording", "encode_full")}


def test_latency_fails_but_not_of_a_handful_of_pictures():
    slow = metrics()
    for kind in ("spliced", "merged"):  # there are 132 and none
        slow["times"][f"latency_{kind}"]["median"] = 80.0
    comparison = compare_scenario(scenario(), ScenarioMetrics.of("case", slow))
    assert moved(comparison, Outcome.REGRESSED) == {("whole recording", "latency_spliced")}


def test_off_is_not_compared():
    off = {"bytes": parse_tolerance("bytes", "off")}
    comparison = compare_scenario(scenario(), scenario(bytes=900_000), off)
    assert comparison.movements
    assert not [m for m in comparison.movements if m.metric.name == "bytes"]


def test_a_metric_that_is_gone_is_said_and_a_new_one_is_not():
    comparison = compare_scenario(scenario(), scenario(psnr_y=None))
    assert ("B", "psnr_y") in moved(comparison, Outcome.UNMEASURED)
    assert not comparison.regressed
    assert compare_scenario(scenario(psnr_y=None), scenario()).notable == []


def test_phases_that_only_one_has_are_said():
    renamed = metrics()
    renamed["phases"][1]["name"] = "C"
    comparison = compare_scenario(scenario(), ScenarioMetrics.of("case", renamed))
    assert comparison.notes == (
        "case: phase 'C' is not in the baseline",
        "case: phase 'B' of the baseline was not recorded now",
    )
    assert {m.phase for m in comparison.movements} == {"A", "whole recording"}


def test_the_table_names_regressions_first():
    comparison = compare_scenario(
        scenario(), scenario(bytes=50_000, keyframes=3, psnr_y=41.0, dropped=0)
    )
    lines = text_table(comparison).splitlines()
    assert lines[0].split() == list(HEAD)
    assert [line.split()[-1] for line in lines[1:-1]] == ["regressed"] * 4 + ["improved"] * 2
    assert " ".join(lines[1].split()) == "case B psnr_y 42 dB 41 dB -1 dB 0.3 dB regressed"
    assert lines[-1].startswith("1 scenario compared: 4 regressed, 2 improved, ")
    assert Comparison.from_json(json.loads(json.dumps(comparison.to_json()))).notable[0].row == (
        comparison.notable[0].row
    )


def test_scenarios_are_matched_by_node_id_then_by_name():
    one, two = scenario("case", "a.yaml::case"), scenario("case", "b.yaml::case")
    assert match([one, two], scenario("case", "b.yaml::case")) is two
    assert match([one, two], scenario("case")) is None  # which of them?
    assert match([one], scenario("case", "moved/a.yaml::case")) is one


def test_runs_note_what_only_one_of_them_has():
    comparison = compare_runs([scenario(), scenario("old")], [scenario(), scenario("new")])
    assert comparison.notes == ("new: not in the baseline", "old: in the baseline only")
    with pytest.raises(BaselineError, match="no scenario is in both: before old; now new"):
        compare_runs([scenario("old")], [scenario("new")])


def test_a_stream_that_fails_its_checks_now_is_worse_whatever_its_metrics_say():
    """Metrics are of what the encoders reconstructed: a broken splicer leaves them as they were."""
    data = metrics()
    data["checks"] = [
        {"name": "no frame dropped", "status": "passed"},
        {"name": "stream structure", "status": "failed"},
        {"name": "exact in FFmpeg", "status": "failed"},
        {"name": "exact in OpenH264", "status": "not run"},
    ]
    broken = ScenarioMetrics.of("case", data)
    comparison = compare_runs([scenario()], [broken])
    assert comparison.regressed
    assert not comparison.notable
    line = "case: fails now, and passed before: stream structure, exact in FFmpeg"
    assert line in text_table(comparison).splitlines()
    assert Comparison.from_json(json.loads(json.dumps(comparison.to_json()))).broken == (line,)
    assert not compare_runs([broken], [broken]).regressed
    assert not compare_runs([broken], [scenario()]).regressed


def test_a_narrow_terminal_cuts_nothing_off():
    comparison = compare_scenario(scenario(), scenario(bytes=50_000, psnr_y=41.0))
    console = Console(width=60, file=io.StringIO(), record=True)
    _show_movements(comparison, console, everything=True)
    assert "…" not in console.export_text()


def test_another_environment_or_view_is_refused():
    other = metrics()
    other["environment"]["browser"] = "Chrome/157.1"
    with pytest.raises(BaselineError, match=r"the environment was Chrome-156_.* it is Chrome-157_"):
        compare_runs([scenario()], [ScenarioMetrics.of("case", other)])
    larger = metrics()
    larger["height"] = 1080
    with pytest.raises(BaselineError, match=r"the view was 1280x720@24, it is 1280x1080@24"):
        compare_runs([scenario()], [ScenarioMetrics.of("case", larger)])
    assert compare_runs([scenario()], [ScenarioMetrics.of("case", larger)], any_environment=True)


# --- storage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, HERE),
        ({"browser": "Chrome/156.9"}, HERE),
        ({"preset": "fast", "qp": "30", "cpus": "8"}, HERE),
        ({"wsi": "passthrough"}, HERE + "_passthrough"),
        ({"encode": "layer"}, HERE + "_layer"),
        ({"encode": "recorder"}, HERE),
        ({"replayed from": "/x.tape.mkv"}, HERE + "_tape"),
        ({"vulkan device": "NVIDIA H100 80GB HBM3", "encoder": "nvenc 12.1"},
         "Chrome-156_NVIDIA-H100-80GB-HBM3_nvenc-12.1"),
        ({"browser": "../..", "vulkan device": "a/b"}, "unknown_a-b_libx264-0.164"),
    ],
)  # fmt: skip
def test_environments(changes: dict[str, str], expected: str):
    found = environment_id({**ENVIRONMENT, **changes})
    if "browser" in changes and changes["browser"].startswith(".."):
        assert "/" not in found and ".." not in found
    else:
        assert found == expected


def test_runs_are_numbered_by_environment_and_found_again(tmp_path: Path):
    storage = Storage(tmp_path / "b")
    assert storage.runs() == []
    commit = Commit("0123abcd", True)
    [first] = storage.save([scenario()], commit)
    [second] = storage.save([scenario(bytes=7)], Commit("89ab", False), "release")
    other = dataclasses.replace(scenario(), environment_id="other")
    paths = storage.save([scenario(), other], commit)
    assert first.name.startswith("0001_0123abcd_20")
    assert first.name.endswith("_uncommitted-changes.json")
    assert second == tmp_path / "b" / HERE / "0002_release.json"
    assert [path.parent.name for path in paths] == [HERE, "other"]
    assert [path.name[:5] for path in paths] == ["0003_", "0001_"]
    assert storage.environments() == [HERE, "other"]

    def found(wanted: str, environment: str = HERE) -> Path:
        return storage.find(wanted, environment).path

    assert found("") == paths[0]
    assert found("1") == found("0001") == found(f"{HERE}/1", "anything") == first
    assert found("release") == found("_release") == found("rel") == second
    assert found("0123") == paths[0]  # the latest of that commit
    assert found(str(second), "anything") == second
    assert found("1", "other") == paths[1]
    assert storage.find("2", HERE).scenarios() == [scenario(bytes=7)]


def test_a_baseline_that_is_not_there_names_those_that_are(tmp_path: Path):
    storage = Storage(tmp_path)
    with pytest.raises(BaselineError, match="nothing was saved yet"):
        storage.find("", HERE)
    storage.save([scenario()], Commit("c", False))
    with pytest.raises(BaselineError, match=f"there are some for {HERE}") as raised:
        storage.find("", "elsewhere")
    assert f"--baseline-compare={HERE}/0001" in raised.value.remedy
    with pytest.raises(BaselineError, match="no baseline '9' in"):
        storage.find("9", HERE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "has the format None"),
        ('{"format": 99}', "has the format 99, this version reads 1"),
        ('{"format": 1, "scenarios": [{"name": "x"}]}', "is damaged: KeyError"),
        ('{"format": 1, "scenarios": 5}', "is damaged: TypeError"),
        ('{"format": 1, "scenarios": [NaN]}', "is no JSON: NaN is no number"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, message: str):
    storage = Storage(tmp_path)
    [path] = storage.save([scenario()], Commit("c", False))
    path.write_text(text)
    with pytest.raises(BaselineError, match=message):
        storage.find("", HERE).scenarios()


def test_the_commit_is_gits(tmp_path: Path):
    assert Commit.of(tmp_path) == Commit("unversioned", False)

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD")
    assert Commit.of(tmp_path) == Commit(head, False)
    (tmp_path / "a").write_text("2")
    assert Commit.of(tmp_path) == Commit(head, True)


# --- harness compare ----------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, **changes: Any) -> Path:
        folder = tmp_path / name / "case"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics(**changes)))
        return tmp_path / name

    return make


def test_the_command_takes_runs_recordings_and_files(
    runs: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    before, now = runs("before"), runs("now", bytes=200_000)
    assert main(["compare", str(before), str(before / "case")]) == 0
    assert main(["compare", str(before), str(now / "case" / "metrics.json")]) == 1
    text = capsys.readouterr().out
    assert "+100 kB (+100.0%)" in text
    assert "1 scenario compared: 2 regressed" in text
    assert main(["compare", str(now), str(before)]) == 0  # better
    assert main(["compare", str(before), str(now), "--tolerance", "bytes:150 kB"]) == 0
    capsys.readouterr()
    assert main(["compare", str(before), str(now), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    worse = [m for m in data["movements"] if m["verdict"] == "regressed"]
    assert [(m["phase"], m["metric"], m["before"], m["now"]) for m in worse] == [
        ("B", "bytes", 100_000, 200_000),
        ("whole recording", "bytes", 100_000, 200_000),
    ]


def test_the_command_takes_stored_baselines(
    tmp_path: Path, runs: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    storage = Storage(tmp_path / "stored")
    own = {"bytes": parse_tolerance("bytes", "off")}
    storage.save([dataclasses.replace(scenario(), tolerances=own)], Commit("c", False))
    storage.save([scenario(bytes=900_000)], Commit("c", False), "large")
    place = ["--storage", str(storage.root)]
    assert main(["compare", "1", "large", *place]) == 0  # the scenario's own tolerance
    assert main(["compare", "1", "large", *place, "--tolerance", "bytes:1%"]) == 1
    assert main(["compare", "2", str(runs("now")), *place]) == 0
    assert main(["compare", "7", "1", *place]) == 2
    error = capsys.readouterr().err
    assert "'7' is no metrics.json, no folder and no stored baseline" in error
    assert f"{HERE}/0001, {HERE}/0002" in error
    other = dataclasses.replace(scenario(), environment_id="other")
    storage.save([other], Commit("c", False))
    with pytest.raises(BaselineError, match=f"several environments: {HERE}/0001, other/0001"):
        open_run("1", storage)
    assert main(["compare", "other/1", f"{HERE}/1", *place]) == 2
    assert main(["compare", "other/1", f"{HERE}/1", *place, "--any-environment"]) == 0


def test_what_is_no_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "metrics.json").write_text('{"total": {}}')
    assert main(["compare", str(tmp_path / "metrics.json"), "x"]) == 2
    assert "these are no metrics of a recording: KeyError" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(tmp_path / "empty"), "x"]) == 2
    assert "holds no metrics.json" in capsys.readouterr().err
