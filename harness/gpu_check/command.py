"""The command `harness gpu-check`."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import __version__, options
from ..commands.command import command_parser, say
from .checks import CHECKS, examine, select
from .driver import driver_version
from .model import Context, Finding, Outcome
from .report import counts, exit_code, write_report

_STYLE = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.SOFTWARE: "cyan",
    Outcome.NOT_RUN: "yellow",
}
# What would put a double in the place of the driver: a check of the GPU takes none.
_DOUBLES = ("UISPLICE_CUDA_LIBRARY", "UISPLICE_NVENC_LIBRARY")


def add_command(commands: Any) -> None:
    """Adds `gpu-check` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "gpu-check",
        _gpu_check,
        "what of the project runs on this machine's NVIDIA GPU, as a report",
        "Looks at driver, Vulkan, CUDA, NVDEC and NVENC; runs Chrome with the layer "
        "on the GPU and\ncompares its pixels; decodes the sample streams on the card; records "
        "the ten phases.\nWrites gpu-check.md and gpu-check.json, anew after every check.",
        textwrap.fill(
            f"checks: {', '.join(check.name for check in CHECKS)}", 100, break_on_hyphens=False
        )
        + "\n\nexit codes: 0 every check passed, 1 something failed, 2 bad input, 4 nothing "
        "failed but not\neverything ran on a GPU, 5 nothing ran on a GPU, 130 interrupted\n\n"
        "examples:\n  harness gpu-check\n  harness gpu-check --only chrome,samples\n"
        "  harness gpu-check --allow-software --only chrome-1080p",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/gpu-check"),
        metavar="DIR",
        help="folder for the report and the recordings (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help="make these checks; `chrome` stands for chrome-1080p and chrome-2160p",
    )
    parser.add_argument(
        "--allow-software",
        action="store_true",
        help="without an NVIDIA GPU run Chrome on what Vulkan device there is; such checks are "
        "named 'software only' and never count as passed",
    )
    parser.add_argument(
        "--scenario",
        type=Path,
        default=Path("scenarios/netflix_ui.yaml"),
        metavar="FILE",
        help="of the phases (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=Path,
        default=Path("tests/streams"),
        metavar="DIR",
        help="folder of NAME.h264 and NAME.md5 (default: %(default)s)",
    )
    options.BROWSER.add(parser.add_argument)
    parser.add_argument("--revision", help="of the project, for the report (default: git's)")


def _gpu_check(arguments: argparse.Namespace, console: Console) -> int:
    chosen = select([name for names in arguments.only for name in names])
    ignored = [name for name in _DOUBLES if os.environ.pop(name, None) is not None]
    for name in ignored:
        say(console, f"${name} is ignored: no double here", "yellow")
    context = Context(
        output=arguments.output,
        scenario=arguments.scenario,
        samples=arguments.samples,
        browser=arguments.browser,
        allow_software=arguments.allow_software,
        stage=lambda text: say(console, f"    {text} …", "dim"),
    )
    environment = _environment(arguments.revision)
    findings: list[Finding] = []
    try:
        for finding in examine(context, chosen):
            findings.append(finding)
            _show(finding, console)
            environment["card"] = ", ".join(context.gpus or ()) or "none"
            # Anew each time, so that what was found is there whatever happens next.
            written = write_report(arguments.output, findings, environment)
    except KeyboardInterrupt:
        findings += [
            Finding(check.name, check.title, Outcome.NOT_RUN, "interrupted")
            for check in CHECKS[len(findings) :]
        ]
        write_report(arguments.output, findings, environment)
        raise
    say(console, counts(findings), "bold")
    for path in written:
        say(console, f"written: {path}")
    return exit_code(findings)


def _show(finding: Finding, console: Console) -> None:
    seconds = f"  ({finding.seconds:.1f} s)" if finding.seconds >= 1 else ""
    line = f"{finding.outcome.value:>13}  {finding.name}: {finding.summary}{seconds}"
    say(console, line, _STYLE[finding.outcome])
    for detail in finding.details if finding.outcome is Outcome.FAILED else ():
        say(console, f"    {detail}")


def _environment(revision: str | None) -> dict[str, str]:
    return {
        "card": "",
        "driver": driver_version() or "none",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "uisplice": f"{__version__}, {revision or _git_revision()}",
        "system": platform.platform(),
        "distribution": _distribution(),
        "processors": str(os.cpu_count()),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return "unknown"


def _git_revision() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown revision"
    return done.stdout.strip() or "unknown revision"
