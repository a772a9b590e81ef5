"""The command `harness pipelines`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status as Spinner

from .. import compare
from ..recorder import RecorderSettings
from ..tape import SUFFIX, Tape
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `pipelines` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "pipelines",
        _pipelines,
        "run tapes through several ways of coding, side by side",
        "Codes each tape with two encoders and the splicer, with their older forms, and with one\n"
        "plain encoder, at the same preset and QP; prints bytes, processor time, PSNR and SSIM\n"
        "with ratios, and writes comparison.json, .svg and .txt. VMAF is not measured where\n"
        "FFmpeg has no libvmaf.",
    )
    parser.add_argument("tape", nargs="+", type=Path, help="tapes (*.tape.mkv)")
    parser.add_argument(
        "--pipelines",
        type=lambda text: text.split(","),
        default=list(compare.PIPELINES),
        metavar="NAME,...",
        help=f"which ones (default: all of {', '.join(compare.PIPELINES)})",
    )
    parser.add_argument(
        "--reference",
        default=compare.REFERENCE,
        choices=tuple(compare.PIPELINES),
        help="what the ratios are to (default: %(default)s)",
    )
    parser.add_argument(
        "--runs", type=int, default=1, help="runs of each; times are medians (default: %(default)s)"
    )
    parser.add_argument("--qp", type=int, default=23, help="default: %(default)s")
    parser.add_argument("--preset", default="superfast", help="default: %(default)s")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/pipelines"),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )


def _pipelines(arguments: argparse.Namespace, console: Console) -> int:
    tapes = [Tape.open(path) for path in arguments.tape]
    comparisons = []
    for tape in tapes:
        name, header = tape.path.name.removesuffix(SUFFIX), tape.header
        settings = RecorderSettings(
            header.width,
            header.height,
            fps=header.fps,
            qp=arguments.qp,
            preset=arguments.preset,
        )
        with console.status(name) as status:

            def progress(
                pipeline: str, run: int, name: str = name, status: Spinner = status
            ) -> None:
                status.update(f"{name}: {pipeline}, run {run + 1} of {arguments.runs} …")

            comparison = compare.compare(
                name,
                tape.__iter__,
                settings,
                arguments.pipelines,
                arguments.runs,
                arguments.reference,
                progress,
            )
        comparisons.append(comparison)
        console.print(compare.table(comparison))
    for written in compare.write(comparisons, arguments.output):
        say(console, f"written: {written}")
    return 0 if all(m.exact for c in comparisons for m in c.measured) else 1
