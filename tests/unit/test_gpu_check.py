"""`harness gpu-check`: what it says of a machine without an NVIDIA GPU, how findings are
counted and written, and that its comparisons find what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.cli import main
from harness.errors import EnvironmentProblem, HarnessError
from harness.gpu_check import checks, driver, nvdec, zero_copy
from harness.gpu_check.checks import CHECKS, examine, select
from harness.gpu_check.model import Check, CheckFailed, Context, Finding, NotRun, Outcome, Seen
from harness.gpu_check.report import exit_code, to_markdown, write_report

STREAMS = Path(__file__).parents[1] / "streams"

without_driver = pytest.mark.skipif(
    driver.driver_version() is not None, reason="this machine has an NVIDIA driver"
)


def finding(outcome: Outcome, name: str = "driver", **more: object) -> Finding:
    return Finding(name, "NVIDIA driver", outcome, "what was seen", **more)  # type: ignore[arg-type]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, Path("scenarios/netflix_ui.yaml"), STREAMS)


@without_driver
def test_without_a_gpu_every_check_says_why_it_did_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["gpu-check", "--output", str(tmp_path)]) == 5
    data = json.loads((tmp_path / "gpu-check.json").read_text())
    assert [f["name"] for f in data["findings"]] == [check.name for check in CHECKS]
    assert {f["outcome"] for f in data["findings"]} == {"not run"}
    assert all(f["summary"] for f in data["findings"])
    assert data["counts"]["passed"] == 0
    assert data["environment"]["card"] == data["environment"]["driver"] == "none"
    text = (tmp_path / "gpu-check.md").read_text()
    assert f"0 passed, 0 failed, {len(CHECKS)} not run" in text
    assert "no NVIDIA kernel driver is loaded" in text
    assert "no NVIDIA GPU: Vulkan offers" in text
    assert f"0 passed, 0 failed, {len(CHECKS)} not run" in capsys.readouterr().out


def test_a_name_stands_for_the_checks_that_begin_with_it():
    assert [check.name for check in select(["samples", "chrome"])] == [
        "samples",
        "chrome-1080p",
        "chrome-2160p",
    ]
    assert [check.name for check in select(["nvenc"])] == ["nvenc", "nvenc-request"]
    assert select([]) == CHECKS
    with pytest.raises(HarnessError, match="no check 'chrom'"):
        select(["chrom"])


@without_driver
def test_what_was_not_chosen_is_not_run(context: Context):
    found = list(examine(context, select(["driver"])))
    assert len(found) == len(CHECKS)
    assert {f.summary for f in found[1:]} == {"not chosen (--only)"}
    assert {f.outcome for f in found} == {Outcome.NOT_RUN}


@pytest.mark.parametrize(
    ("ends", "outcome", "summary"),
    [
        (NotRun("no card"), Outcome.NOT_RUN, "no card"),
        (CheckFailed("wrong", {"n": 1}, "more"), Outcome.FAILED, "wrong"),
        (EnvironmentProblem("no Xvfb", "apt install xvfb"), Outcome.FAILED, "no Xvfb"),
        (ZeroDivisionError("surprise"), Outcome.FAILED, "ZeroDivisionError: surprise"),
        (Seen("fine"), Outcome.PASSED, "fine"),
        (Seen("fine", software=True), Outcome.SOFTWARE, "fine"),
    ],
)
def test_how_a_check_ends(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    ends: Exception | Seen,
    outcome: Outcome,
    summary: str,
):
    def look(_context: Context) -> Seen:
        if isinstance(ends, Exception):
            raise ends
        return ends

    monkeypatch.setattr(checks, "CHECKS", (Check("one", "One", "", look),))
    (found,) = examine(context, checks.CHECKS)
    assert (found.outcome, found.summary) == (outcome, summary)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.PASSED, Outcome.PASSED], 0),
        ([Outcome.PASSED, Outcome.NOT_RUN], 4),
        ([Outcome.PASSED, Outcome.SOFTWARE], 4),
        ([Outcome.SOFTWARE, Outcome.SOFTWARE], 5),
        ([Outcome.NOT_RUN], 5),
        ([Outcome.PASSED, Outcome.FAILED, Outcome.NOT_RUN], 1),
        ([Outcome.NOT_RUN, Outcome.FAILED], 1),
    ],
)
def test_only_what_passed_counts_as_passed(outcomes: list[Outcome], code: int):
    assert exit_code([finding(outcome) for outcome in outcomes]) == code


def test_the_report_has_every_finding_and_its_figures(tmp_path: Path):
    found = [
        finding(Outcome.FAILED, figures={"cards": 2}, details=("a | b", "two\nlines")),
        finding(Outcome.NOT_RUN, "vulkan"),
    ]
    text = to_markdown(found, {"card": "NVIDIA H200"})
    assert "**0 passed, 1 failed, 1 not run.**" in text
    assert "| card | NVIDIA H200 |" in text
    assert "| cards | 2 |" in text
    assert "- a \\| b" in text and "- two lines" in text
    assert "The kernel module is loaded" in text
    markdown, plain = write_report(tmp_path / "new", found, {"card": "NVIDIA H200"})
    assert markdown.read_text() == text
    data = json.loads(plain.read_text())
    assert data["exit_code"] == 1
    assert data["findings"][0]["figures"] == {"cards": 2}


def test_software_is_named_and_needs_to_be_allowed(context: Context):
    context.gpus, context.no_gpu = (), "Vulkan offers llvmpipe"
    with pytest.raises(NotRun, match="--allow-software"):
        driver.require_device(context)
    context.allow_software = True
    assert driver.require_device(context) is False
    with pytest.raises(NotRun, match="no NVIDIA GPU: Vulkan offers llvmpipe"):
        driver.require_gpu(context)


def test_the_drivers_version_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    version = tmp_path / "version"
    monkeypatch.setattr(driver, "VERSION_FILE", version)
    assert driver.driver_version() is None
    version.write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\n"
        "GCC version:  gcc version 12.2.0\n"
    )
    assert driver.driver_version() == "580.159.04"


@without_driver
def test_without_the_chip_nvenc_and_nvdec_give_reasons():
    assert driver.nvenc_refusal()
    errors: list[str] = []
    assert list(nvdec.nvdec_pictures(STREAMS / "syntax.h264", errors)) == []
    assert errors and errors[0]


def test_a_picture_that_differs_is_found(monkeypatch: pytest.MonkeyPatch):
    """FFmpeg's decoder in the place of NVDEC: equal, then one sample off, then one less."""
    path = STREAMS / "merged.h264"
    committed = path.with_suffix(".md5").read_text().split()
    pictures = list(nvdec.ffmpeg_pictures(path, []))
    monkeypatch.setattr(nvdec, "nvdec_pictures", lambda _path, _errors: iter(pictures))
    assert nvdec.compare(path, committed) == (len(committed), [])
    assert nvdec.compare(path, committed[:-1])[1] == [
        "FFmpeg's pictures are not those whose MD5s were committed"
    ]
    changed = np.array(pictures[5].v)
    changed[3, 3] ^= 1
    right = pictures[5]
    pictures[5] = nvdec.Planes(right.y, right.u, changed)
    assert nvdec.compare(path, committed)[1] == [f"1 of {len(committed)} pictures differ, first 5"]
    pictures[5:] = [right]
    assert any("NVDEC shows 6 pictures" in problem for problem in nvdec.compare(path)[1])


@pytest.mark.parametrize(
    ("equal", "different", "host", "both", "said"),
    [
        (1000, 0, 0.02, 0.21, []),
        (1000, 0, 0.02, 0.23, ["a present takes 0.210 ms longer, 0.2 are allowed"]),
        (999, 1, 0.02, 0.02, ["1 frames differ", "999 of 1000 frames were compared"]),
        (1000, 0, 0.0, 0.02, ["no present was timed"]),
    ],
)
def test_what_zero_copy_must_hold(
    equal: int, different: int, host: float, both: float, said: list[str]
):
    assert zero_copy._problems(equal, different, host, both) == said
