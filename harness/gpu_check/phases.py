"""The ten-phase scenario, recorded with libx264, and what asking for NVENC answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Literal

from ..recorder import Tick
from ..result import Result
from ..run import RunOptions, run_scenario
from ..scenario import load_scenarios
from .driver import nvenc_refusal, require_device, require_driver
from .model import CheckFailed, Context, NotRun, Seen

_TIMEOUT = 120.0  # seconds that a refusal may take
_ARGUMENT_ERROR, _MACHINE_LACKS = 2, 3  # exit codes of argparse and of EnvironmentProblem


def recorded(
    width: int,
    height: int,
    encode: Literal["recorder", "layer"] = "recorder",
    **variables: str,
) -> Callable[[Context], Seen]:
    """The check at one size: everything that the scenario expects and every stream check,
    encoded in the recorder's process or in Chrome's. `variables` are set besides `size`."""

    def look(context: Context) -> Seen:
        on_gpu = require_device(context)
        name = f"phases-{height}p" if encode == "recorder" else f"layer-side-{height}p"
        chosen = {"size": f"{width}x{height}", **variables}
        scenario = load_scenarios(context.scenario, chosen)[0]
        context.stage(f"recording {sum(p.duration or 0 for p in scenario.phases):g} s, then checks")
        options = RunOptions(browser=context.browser, encode=encode)
        result = run_scenario(scenario, context.output / name, options)
        figures: dict[str, str | int | float] = {
            "set": " ".join(f"{key}={value}" for key, value in chosen.items())
        }
        figures |= _figures(result)
        if result.recording is not None:
            context.recordings[name] = result.recording.stream
        device = result.metrics.environment["vulkan device"] if result.metrics else ""
        problems = result.problems
        if on_gpu and "nvidia" not in device.lower():
            problems = [f"Chrome presents on {device}, not on the NVIDIA device", *problems]
        if problems:
            raise CheckFailed(
                f"{len(problems)} problems; first: {' '.join(problems[0].split())}",
                figures,
                *(" ".join(problem.split()) for problem in problems),
            )
        held = len(result.verdicts)
        return Seen(
            f"{figures['frames']}; {held} expectations and {len(result.checks)} stream checks hold",
            figures,
            software=not on_gpu,
        )

    return look


def _figures(result: Result) -> dict[str, str | int | float]:
    if result.metrics is None or result.recording is None:
        return {}
    metrics, total, ticks = result.metrics, result.metrics.total, result.recording.ticks
    figures: dict[str, str | int | float] = {
        "frames": str(metrics.frames),
        "dropped": metrics.frames.dropped,
        "coalesced": metrics.frames.coalesced,
        "ticks": total.ticks,
        "ticks that took longer than a tick": sum(
            _work(tick) > 1000 / metrics.fps for tick in ticks
        ),
        "longest tick ms": round(max(map(_work, ticks), default=0.0), 1),
        "phases late by s": round(sum(phase.overran for phase in metrics.phases), 2),
        "shares": ", ".join(f"{name} {share:.1f} %" for name, share in total.shares.items()),
        "pictures": ", ".join(f"{n} {kind}" for kind, n in total.pictures.items()),
        "bitrate Mbit/s": round(total.bitrate / 1e6, 2),
        "PSNR-Y dB": total.psnr_y or "",
    }
    for name, spread in metrics.times.items():
        figures[f"{name} ms"] = f"median {spread.median}, p95 {spread.p95}, max {spread.max}"
    if result.headroom:
        figures["headroom"] = result.headroom
    figures |= {
        key: metrics.environment[key]
        for key in ("vulkan device", "wsi", "encode", "encoder", "preset", "qp", "cpus")
    }
    return figures


def _work(tick: Tick) -> float:
    """Milliseconds from the frame's arrival to its access unit."""
    return (
        tick.diff_ms
        + tick.convert_ms
        + tick.encode_ms
        + tick.read_ms
        + tick.check_ms
        + tick.splice_ms
        + tick.digest_ms
    )


def nvenc_request(context: Context) -> Seen:
    """Where there is no NVENC, asking for it must end at once with what to do."""
    require_driver()
    reason = nvenc_refusal()
    if reason is None:
        raise NotRun("this card has NVENC, so nothing refuses it")
    command = [sys.executable, "-m", "harness.cli", "run", str(context.scenario)]
    command += ["--encoder", "nvenc", "--output", str(context.output / "nvenc-request")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"asked for NVENC it did not end within {_TIMEOUT:g} s") from error
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode == _ARGUMENT_ERROR and "unrecognized arguments" in done.stderr:
        raise NotRun("this version has no --encoder nvenc")
    figures: dict[str, str | int | float] = {"exit code": done.returncode, "refused with": reason}
    problems = []
    if done.returncode != _MACHINE_LACKS:
        problems.append(f"exit code {done.returncode} instead of {_MACHINE_LACKS}")
    if not any("nvenc" in line.lower() for line in said):
        problems.append("the error does not name NVENC")
    if not any(line.startswith("what to do:") for line in said):
        problems.append("the error does not say what to do")
    if problems:
        raise CheckFailed("; ".join(problems), figures, *said[-10:])
    return Seen(said[0].removeprefix("harness: "), figures, tuple(said[:10]))
