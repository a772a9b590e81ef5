"""The `harness` command."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.status import Status as Spinner
from rich.table import Table

from . import __version__, compare, doctor
from .allure_report import AllureRun, AllureSteps, apply, attach, show_replayed
from .baseline import Storage, open_run
from .checks import Status
from .errors import EnvironmentProblem, HarnessError, ScenarioError
from .explanation import explain
from .gpu_check.command import add_command as add_gpu_check
from .movement import HEAD, Comparison, Outcome, compare_runs
from .observer import Counting, Observer
from .output_folder import make_output_folder
from .recorder import RecorderSettings
from .replay import require_tapes
from .report import MEASURES_HEAD, measures_row
from .result import Result
from .run import RunOptions, run_scenario
from .scenario import Scenario, load_scenarios
from .scenario.loader import assignment, unknown_variable
from .scenario.schema import to_json_schema
from .starter import write_starter
from .summary import write_summary
from .tape import SUFFIX, Tape
from .tolerance import Tolerance, families, parse_option
from .trends import write_trends

_STYLE = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_RUN: "yellow"}
_MOVED_STYLE = {Outcome.REGRESSED: "bold red", Outcome.IMPROVED: "green"}
_DOCTOR_STYLE = {
    doctor.Status.OK: "green",
    doctor.Status.MISSING: "bold red",
    doctor.Status.BROKEN: "bold red",
    doctor.Status.OPTIONAL: "yellow",
    doctor.Status.NOT_RUN: "yellow",
}


class Progressing(Observer):
    """A progress bar over the ticks, and a line for each other stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._poll: threading.Thread | None = None

    def stage(self, text: str) -> None:
        self._console.print(f"  {text} …", style="dim")

    def recording(self, recorder: Counting, expected_ticks: int | None) -> None:
        progress = Progress(
            TextColumn("  {task.fields[phase]:<24.24}"),
            BarColumn(),
            TextColumn(
                "{task.completed}/{task.total} ticks"
                if expected_ticks
                else "{task.completed} ticks"
            ),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        task = progress.add_task("recording", total=expected_ticks, phase="recording")
        progress.start()
        self._progress, self._task = progress, task

        def poll() -> None:
            while not self._ended.wait(0.2):
                progress.update(task, completed=recorder.ticks)

        self._poll = threading.Thread(target=poll, name="progress", daemon=True)
        self._poll.start()

    def recorded(self) -> None:
        self._ended.set()
        if self._poll:
            self._poll.join()
        if self._progress:
            self._progress.stop()

    @contextlib.contextmanager
    def progress(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        with Progress(
            TextColumn(f"  {text:<24.24}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            task = progress.add_task(text, total=total)
            yield lambda done: progress.update(task, completed=done)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        if self._progress:
            self._progress.update(self._task, phase=name)
        yield


def show(result: Result, console: Console) -> None:
    """Prints a result as tables, and where its files are."""
    if result.metrics is not None:
        metrics = result.metrics
        table = Table(title=result.title, title_justify="left")
        for number, head in enumerate(MEASURES_HEAD):
            table.add_column(head, justify="left" if number == 0 else "right")
        for phase in metrics.phases:
            table.add_row(*measures_row(phase.name, phase.measures))
        table.add_section()
        table.add_row(*measures_row("whole recording", metrics.total), style="bold")
        console.print(table)
        console.print(f"frames: {metrics.frames}")
        console.print(
            f"pictures: {metrics.total.pictures['full']} full, "
            f"{metrics.total.pictures['spliced']} spliced, "
            f"{metrics.total.pictures['merged']} merged, {metrics.total.keyframes} keyframe, "
            f"{metrics.total.region_idrs} region restarts "
            f"({metrics.total.region_leaks} leaks found by the vector check), "
            f"{metrics.total.patched_mbs} macroblocks patched, "
            f"{metrics.total.fallbacks} fallbacks"
        )
        times = Table(title="times, ms", title_justify="left")
        for head in ("", "median", "p95", "max"):
            times.add_column(head, justify="left" if not head else "right")
        for name, s in metrics.times.items():
            times.add_row(
                name.replace("_", ", "), f"{s.median:.2f}", f"{s.p95:.2f}", f"{s.max:.2f}"
            )
        console.print(times)
    if result.verdicts:
        table = Table(title="expectations", title_justify="left")
        for head in ("", "where", "what", "limit", "measured", "margin"):
            table.add_column(head)
        for v in result.verdicts:
            table.add_row(
                v.status.value,
                v.where,
                v.name,
                v.limit,
                v.measured,
                v.margin,
                style=_STYLE[v.status],
            )
        console.print(table)
    for check in result.checks:
        console.print(
            f"{check.status.value:>8}  {check.name}: {check.summary}",
            style=_STYLE[check.status],
            highlight=False,
            markup=False,
            soft_wrap=True,  # one line in a log stays one line
        )
    if result.headroom:
        console.print(result.headroom, style="yellow", markup=False, soft_wrap=True)
    if result.missing:
        console.print(f"the site has no {', '.join(result.missing)}", style="yellow", markup=False)
    console.print()
    for label, name in (
        ("stream", "live_spliced.mkv"),
        ("metrics", "metrics.json"),
        ("report", "report.html"),
    ):
        console.print(
            f"{label:>8}  {result.folder / name}", highlight=False, markup=False, soft_wrap=True
        )
    for text in (str(result.failure) if result.failure else "", result.failure_table):
        if text:
            console.print()
            console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


def _run(arguments: argparse.Namespace, console: Console) -> int:
    scenarios = [
        scenario
        for path in arguments.scenario
        for scenario in load_scenarios(path, dict(arguments.set))
    ]
    if wrong := unknown_variable(dict(arguments.set), scenarios):
        remedy = "a scenario's variables stand under 'variables' and 'matrix'"
        raise ScenarioError(f"--set: {wrong}", remedy)
    if arguments.tape_replay is not None:
        require_tapes(arguments.tape_replay, scenarios)
    make_output_folder(arguments.output, "--output")
    with AllureRun(arguments.output, Path()) as results:
        return _play_all(scenarios, arguments, console, results)


def _play_all(
    scenarios: Sequence[Scenario],
    arguments: argparse.Namespace,
    console: Console,
    results: AllureRun,
) -> int:
    worst = 0
    for scenario in scenarios:
        console.print(scenario.full_title, style="bold", markup=False, highlight=False, end="  ")
        console.print(scenario.path, markup=False, highlight=False, soft_wrap=True)
        if scenario.skip:
            console.print(f"skipped: {scenario.skip}", style="yellow", markup=False)
            continue
        folder = arguments.output / scenario.folder_name
        options = RunOptions(
            browser=arguments.browser,
            wsi=arguments.wsi,
            encode=arguments.encode,
            encoder=arguments.encoder,
            display=arguments.display,
            port=arguments.port,
            tape_record=arguments.tape_record,
            tape_replay=arguments.tape_replay,
        )
        result = _play(scenario, folder, options, console, results)
        show(result, console)
        if result.failure is not None:
            worst = max(worst, result.failure.exit_code)
        elif not result.passed:
            worst = max(worst, 1)
    return worst


def _play(
    scenario: Scenario, folder: Path, options: RunOptions, console: Console, results: AllureRun
) -> Result:
    with results.test(scenario) as test:
        try:
            result = run_scenario(scenario, folder, options, AllureSteps(Progressing(console)))
        except HarnessError as error:
            apply(explain(scenario, None, error), test)
            raise
        if options.tape_replay is not None:
            show_replayed(scenario)
        attach(result)
        if not result.passed:
            apply(explain(scenario, result, result.failure), test)
    return result


def _validate(arguments: argparse.Namespace, console: Console) -> int:
    code = 0
    for path in arguments.scenario:
        try:
            scenarios = load_scenarios(path)
        except HarnessError as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            code = error.exit_code
        else:
            phases = len(scenarios[0].phases)
            cases = f", {len(scenarios)} cases" if len(scenarios) > 1 else ""
            console.print(
                f"{path}: ok, {phases} phase{'s' if phases != 1 else ''}{cases}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    return code


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
        console.print(f"written: {written}", highlight=False, soft_wrap=True)
    return 0 if all(m.exact for c in comparisons for m in c.measured) else 1


def _compare(arguments: argparse.Namespace, console: Console) -> int:
    storage = Storage.at(arguments.storage, Path())
    comparison = compare_runs(
        open_run(arguments.before, storage),
        open_run(arguments.now, storage),
        dict(arguments.tolerance),
        any_environment=arguments.any_environment,
    )
    if arguments.json:
        print(json.dumps(comparison.to_json(), indent=1, ensure_ascii=False))
    else:
        _show_movements(comparison, console, everything=arguments.all)
    return 1 if comparison.regressed else 0


def _show_movements(comparison: Comparison, console: Console, *, everything: bool) -> None:
    shown = comparison.notable
    if everything:
        shown += [m for m in comparison.movements if m.outcome is Outcome.WITHIN]
    if shown:
        table = Table()
        for head in HEAD:
            table.add_column(
                head, justify="right" if head in ("before", "now", "change") else "left"
            )
        for movement in shown:
            table.add_row(*movement.row, style=_MOVED_STYLE.get(movement.outcome))
        console.print(table)
    for note in comparison.notes:
        console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(comparison.summary, markup=False, highlight=False, soft_wrap=True)


def _summary(arguments: argparse.Namespace, console: Console) -> int:
    output = arguments.output or arguments.folder
    for path in write_summary(arguments.folder, output, arguments.link):
        console.print(f"written: {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _trends(arguments: argparse.Namespace, console: Console) -> int:
    storage = Storage.at(arguments.storage, Path())
    curves = write_trends(storage, arguments.benchmarks, arguments.output)
    console.print(
        f"written: {arguments.output}, {curves} curves",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _schema(arguments: argparse.Namespace, console: Console) -> int:
    text = json.dumps(to_json_schema(), indent=2, ensure_ascii=False) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"cannot write {arguments.output}: {error.strerror}",
            "name a file in a folder that exists",
        ) from error
    console.print(f"written: {arguments.output}", highlight=False, soft_wrap=True)
    return 0


def _doctor(arguments: argparse.Namespace, console: Console) -> int:
    findings = []
    table = Table("", "what")
    for head in ("found", "what to do"):
        table.add_column(head, overflow="fold")  # a path that is cut helps nobody
    as_table = console.is_terminal and not arguments.json
    with console.status("looking …") if as_table else contextlib.nullcontext():
        for finding in doctor.examine(arguments.browser, quick=arguments.quick):
            findings.append(finding)
            status = finding.status.value
            if as_table:
                texts = map(escape, (finding.name, finding.found, finding.remedy))
                table.add_row(f"[{_DOCTOR_STYLE[finding.status]}]{status}[/]", *texts)
            elif not arguments.json:
                remedy = f"; what to do: {finding.remedy}" if finding.remedy else ""
                print(f"{status}: {finding.name}: {finding.found}{remedy}", flush=True)
    blocking = [finding.name for finding in findings if finding.blocks]
    if arguments.json:
        data = {"can_record": not blocking, "findings": [f.to_json() for f in findings]}
        print(json.dumps(data, indent=1, ensure_ascii=False))
        return EnvironmentProblem.exit_code if blocking else 0
    if as_table:
        console.print(table)
    if blocking:
        verdict = f"no recording can be made: {', '.join(blocking)}"
    elif findings[-1].status is doctor.Status.OK:
        verdict = "recordings can be made"
    else:
        verdict = "nothing is missing; whether frames arrive was not tried"
    console.print(verdict, highlight=False, markup=False, soft_wrap=True)
    return EnvironmentProblem.exit_code if blocking else 0


def _new(arguments: argparse.Namespace, console: Console) -> int:
    written = write_starter(arguments.name, arguments.dir, arguments.url)
    for path in written:
        console.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"run it: harness run {written[-1]}", highlight=False, markup=False)
    return 0


def _tolerance(text: str) -> tuple[str, Tolerance]:
    try:
        return parse_option(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Records a cloud-rendered UI as one spliced H.264 stream, and proves it.",
    )
    parser.add_argument("--version", action="version", version=f"uisplice {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="play scenarios, record, check, report")
    run.add_argument("scenario", nargs="+", type=Path, help="scenario files (YAML)")
    run.add_argument(
        "--output",
        type=Path,
        default=Path("reports/run"),
        help="folder for the results, one subfolder a scenario (default: %(default)s)",
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="set a variable of the scenarios, or choose one value of a matrix (repeatable)",
    )
    run.add_argument(
        "--browser", help="Chrome or chromium to use (default: found on PATH, or $UISPLICE_BROWSER)"
    )
    run.add_argument(
        "--wsi", choices=("virtual", "passthrough"), help="override the scenarios' wsi"
    )
    run.add_argument(
        "--encode",
        choices=("recorder", "layer"),
        help="override the scenarios' encode: whose process encodes",
    )
    run.add_argument(
        "--encoder",
        choices=("x264", "nvenc", "auto"),
        help="override the scenarios' encoder (auto: NVENC where there is one)",
    )
    run.add_argument("--display", help="X display for Xvfb, such as :7 (default: a free one)")
    run.add_argument(
        "--port",
        type=int,
        default=0,
        help="port of the site's server on 127.0.0.1 (default: a free one)",
    )
    tapes = run.add_mutually_exclusive_group()
    tapes.add_argument(
        "--tape-record",
        type=Path,
        metavar="DIR",
        help="keep what the layer delivered, one tape a scenario",
    )
    tapes.add_argument(
        "--tape-replay",
        type=Path,
        metavar="DIR",
        help="play the scenarios' tapes instead of a browser, as fast as the machine goes",
    )
    run.set_defaults(act=_run)

    pipelines = commands.add_parser(
        "pipelines",
        help="run tapes through several ways of coding, side by side",
        description="Codes each tape with two encoders and the splicer, with their older forms, "
        "and with one plain encoder, at the same preset and QP; prints bytes, processor time, "
        "PSNR and SSIM with ratios, and writes comparison.json, .svg and .txt. "
        "VMAF is not measured where FFmpeg has no libvmaf.",
    )
    pipelines.add_argument("tape", nargs="+", type=Path, help="tapes (*.tape.mkv)")
    pipelines.add_argument(
        "--pipelines",
        type=lambda text: text.split(","),
        default=list(compare.PIPELINES),
        metavar="NAME,...",
        help=f"which ones (default: all of {', '.join(compare.PIPELINES)})",
    )
    pipelines.add_argument(
        "--reference",
        default=compare.REFERENCE,
        choices=tuple(compare.PIPELINES),
        help="what the ratios are to (default: %(default)s)",
    )
    pipelines.add_argument(
        "--runs", type=int, default=1, help="runs of each; times are medians (default: %(default)s)"
    )
    pipelines.add_argument("--qp", type=int, default=23, help="default: %(default)s")
    pipelines.add_argument("--preset", default="superfast", help="default: %(default)s")
    pipelines.add_argument(
        "--output",
        type=Path,
        default=Path("reports/pipelines"),
        help="folder for the results (default: %(default)s)",
    )
    pipelines.set_defaults(act=_pipelines)

    validate = commands.add_parser("validate", help="check scenario files without running them")
    validate.add_argument("scenario", nargs="+", type=Path)
    validate.set_defaults(act=_validate)

    compared = commands.add_parser(
        "compare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="compare two runs or baselines: what moved, in which phase",
        description="Compares the metrics of two runs, phase by phase. Exit code 1 when something "
        "is worse\nthan its tolerance allows.",
        epilog="""examples:
  harness compare reports/run1 reports/run2
  harness compare reports/run1/idle/metrics.json reports/run2/idle/metrics.json
  harness compare 0001 0002                          stored baselines, by number
  harness compare 0001 reports/latest --tolerance bytes:10% --tolerance psnr_y:0.5dB

metrics: """
        + textwrap.fill(", ".join(families()), 90, subsequent_indent="  ")
        + "\ndocs/baselines.md says what each tolerates, and why.",
    )
    for name, what in (("before", "what to compare with"), ("now", "what is compared")):
        compared.add_argument(
            name,
            help=f"{what}: a metrics.json, a folder of recordings, or a stored baseline's path, "
            "number or ID",
        )
    compared.add_argument(
        "--tolerance",
        type=_tolerance,
        action="append",
        default=[],
        metavar="METRIC:AMOUNT",
        help="such as bytes:10%%, shares:5%%, encode:off; may be given more than once",
    )
    compared.add_argument(
        "--storage",
        metavar="DIR",
        help="folder of baselines (default: $UISPLICE_BASELINES, or .baselines)",
    )
    compared.add_argument(
        "--any-environment",
        action="store_true",
        help="compare also what other browsers, devices, encoders or views recorded",
    )
    compared.add_argument("--all", action="store_true", help="also what stayed within")
    compared.add_argument("--json", action="store_true", help="everything, for programs")
    compared.set_defaults(act=_compare)

    summary = commands.add_parser(
        "summary",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="one page about a run, for a chat message, a job's summary or an issue",
        description="Writes summary.md and summary.html: outcome, shares, bitrate and drops of "
        "each scenario,\nwhat failed and where, and whether the machine kept up.",
        epilog="examples:\n  harness summary reports/latest\n"
        "  harness summary reports/demo --output reports --link https://ci.example/report",
    )
    summary.add_argument("folder", type=Path, help="folder of a run's recordings")
    summary.add_argument(
        "--output", type=Path, metavar="DIR", help="where to (default: the run's folder)"
    )
    summary.add_argument("--link", default="", metavar="URL", help="address of the full report")
    summary.set_defaults(act=_summary)

    trends = commands.add_parser(
        "trends",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="baselines and benchmarks as curves over the runs that were kept",
        description="Writes one page of HTML with a curve for each scenario and metric, and each "
        "benchmark.",
        epilog="example:\n  harness trends --output reports/trends.html",
    )
    trends.add_argument(
        "--storage",
        metavar="DIR",
        help="folder of baselines (default: $UISPLICE_BASELINES, or .baselines)",
    )
    trends.add_argument(
        "--benchmarks",
        type=Path,
        default=Path(".benchmarks"),
        metavar="DIR",
        help="folder of pytest-benchmark (default: %(default)s)",
    )
    trends.add_argument(
        "--output",
        type=Path,
        default=Path("reports/trends.html"),
        metavar="FILE",
        help="default: %(default)s",
    )
    trends.set_defaults(act=_trends)

    schema = commands.add_parser(
        "schema",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="print the JSON Schema of scenarios, for editors",
        description="Prints the JSON Schema of scenario files.",
        epilog="""example:
  harness schema --output scenarios/scenario.schema.json
  and as the first line of a scenario, for editors with the YAML language server:
  # yaml-language-server: $schema=./scenario.schema.json""",
    )
    schema.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")
    schema.set_defaults(act=_schema)

    doctored = commands.add_parser(
        "doctor",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="what a recording needs: what is there, what is missing, what to install",
        description="Looks at browser, Vulkan, layer, encoders, decoders and the rest, and records "
        "a page for\nthree seconds. Exit code 0 when recordings can be made, else 3.",
        epilog="examples:\n  harness doctor\n  harness doctor --quick --json\n"
        "  harness doctor --browser /opt/google/chrome/chrome",
    )
    doctored.add_argument("--browser", help="as of `harness run`")
    doctored.add_argument("--quick", action="store_true", help="do not try to record")
    doctored.add_argument("--json", action="store_true", help="for programs")
    doctored.set_defaults(act=_doctor)

    add_gpu_check(commands)

    new = commands.add_parser(
        "new",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="write a commented scenario to begin with",
        description="Writes DIR/NAME.yaml, a scenario that passes as it is. Without --url it opens "
        "the site in\nDIR/site, or a small page that is written beside it. Never overwrites.",
        epilog="examples:\n  harness new checkout\n"
        "  harness new checkout --url https://localhost:8443/checkout",
    )
    new.add_argument("name", metavar="NAME", help="of the scenario's file, without .yaml")
    new.add_argument(
        "--dir", type=Path, default=Path("scenarios"), help="folder (default: %(default)s)"
    )
    new.add_argument("--url", help="http(s):// or file:// address to open")
    new.set_defaults(act=_new)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Exit codes: 0 passed, 1 failed, 2 bad input, 3 the machine
    lacks something, 130 interrupted."""
    parsed = _parser().parse_args(arguments)
    # Piped into a file or a CI log there is no width to fit: let the tables breathe.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        return int(parsed.act(parsed, console))
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("harness: interrupted; what was recorded until then is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
