"""The workflows: linted, and nothing in them that this project's tests do not run, too."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import cli

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
LINTER = REPOSITORY / "reports" / "lint-workflows.mjs"

Collect = Callable[[str], str]
_EXPRESSION = re.compile(r"\$\{\{ *matrix\.(\w+) *\}\}")


def cells(strategy: dict[str, Any]) -> list[dict[str, str]]:
    """A matrix as GitHub expands it; an expression in it has the values that docs/ci.md names."""
    matrix = dict(strategy.get("matrix", {}))
    include = matrix.pop("include", [])
    matrix = {k: v if isinstance(v, list) else ["x264", "nvenc"] for k, v in matrix.items()}
    made = [
        dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())
    ]
    found = [dict(cell) for cell in made]
    for extra in include:
        fitting = [
            cell
            for cell, original in zip(found, made, strict=False)
            if all(original.get(key, value) == value for key, value in extra.items())
            and original.keys() & extra.keys()
        ]
        for cell in fitting:
            cell.update(extra)
        if not fitting:
            found.append(dict(extra))
    return found or [{}]


def commands_of(path: Path) -> set[str]:
    """Every line that a workflow runs, in every cell of its matrix."""
    found = set()
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        for cell in cells(job.get("strategy", {})):
            for step in job["steps"]:
                for line in step.get("run", "").splitlines():
                    found.add(
                        _EXPRESSION.sub(lambda match, cell=cell: cell.get(match[1], ""), line)
                    )
    return found


COMMANDS = sorted(set().union(*map(commands_of, WORKFLOWS)))


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    return subprocess.run(
        ["node", LINTER, *paths], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_linter_finds_nothing() -> None:
    assert [path.name for path in WORKFLOWS] == ["nightly.yml", "push.yml"]
    done = lint(*WORKFLOWS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("runs-on: [self", "runs-onn: [self", '"runs-on" section is missing'),
        ("${{ matrix.size }}", "${{ matrix.sizes }}", "sizes"),
        ("linux, gpu]", "linux, gpus]", 'label "gpus" is unknown'),
        ('cron: "17 2 * * *"', 'cron: "17 2 * *"', "CRON"),
    ],
)
def test_the_linter_finds_mistakes(tmp_path: Path, good: str, bad: str, said: str) -> None:
    text = (REPOSITORY / ".github/workflows/nightly.yml").read_text(encoding="utf-8")
    assert good in text
    path = tmp_path / "wrong.yml"
    path.write_text(text.replace(good, bad), encoding="utf-8")
    done = lint(path)
    assert done.returncode == 1
    assert said in done.stderr and f"{path}:" in done.stderr


# How a command is tried here: for what needs a browser for minutes in a dry form, else for
# real. Each is called with the command, raises AssertionError where it would not work, and is
# for the commands that begin with its name.


def dry_run(command: str) -> list[str]:
    """What make would run, line by line."""
    done = subprocess.run(
        ["make", "--dry-run", *shlex.split(command)[1:]],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "UISPLICE_BASELINES": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ").strip().splitlines()


def calls(test: str, called: str, *words: str) -> bool:
    """Whether a test or fixture (`file.py::name`) calls `called` with these words first, as
    arguments or in a list."""
    name, _, function = test.partition("::")
    tree = ast.parse((REPOSITORY / "tests" / name).read_text(encoding="utf-8"))
    bodies = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    for call in (node for body in bodies for node in ast.walk(body)):
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != called:
            continue
        given = [a for arg in call.args for a in (arg.elts if isinstance(arg, ast.List) else [arg])]
        told = [a.value for a in given if isinstance(a, ast.Constant)]
        if tuple(told[: len(words)]) == words:
            return True
    return False


def _options(command: str) -> list[str]:
    """Of pytest, in the last line that a make target runs; nothing is kept or compared."""
    options = shlex.split(dry_run(command)[-1].split("-m pytest", 1)[1])
    left_out = ("--baseline-compare", "--baseline-autosave", "--benchmark-autosave")
    return [option for option in options if option not in left_out]


def _representative(command: str) -> str:
    """Of the cells that choose the same scenarios the one that is collected: the last encoder
    and place of encoding. All values of both are in some of these."""
    chosen = re.sub(r"--encode[r]? \S+", "", command)
    alike = [c for c in COMMANDS if re.sub(r"--encode[r]? \S+", "", c) == chosen]
    return min(alike, key=lambda c: ("nvenc" not in c, "layer" not in c), default=command)


_COLLECT = """
import contextlib, io, json, sys
import pytest
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*json.loads(line), "--collect-only", "-q", "-p", "no:cacheprovider"])
    print(json.dumps([int(code), said.getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def collect() -> Iterator[Collect]:
    """Says what pytest collects for the last command of a make target. One process collects
    for all of them, since starting it takes longest."""
    process = subprocess.Popen(
        [sys.executable, "-c", _COLLECT],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    known: dict[str, tuple[int, str]] = {}

    def collected(command: str) -> str:
        command = _representative(command)
        if command not in known:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(_options(command)) + "\n")
            process.stdin.flush()
            known[command] = tuple(json.loads(process.stdout.readline()))
        code, said = known[command]
        assert code == 0, said
        return said

    yield collected
    process.stdin.close()
    try:
        process.wait(20)
    finally:
        process.kill()


def try_setup(command: str) -> None:
    # Every `make test` begins with it.
    lines = dry_run(command)
    assert any("setup-system.sh test" in line for line in lines)
    assert lines == dry_run("make test")[: len(lines)]


def try_lint(command: str) -> None:
    programs = [line.split()[0] for line in dry_run(command) if "setup-system" not in line]
    assert [Path(name).name for name in programs][-5:] == [
        "ruff",
        "ruff",
        "mypy",
        "clang-format",
        "node",
    ]
    assert all(
        shutil.which(program, path=f"{REPOSITORY}:{os.environ['PATH']}")
        or (REPOSITORY / program).is_file()
        for program in programs[-5:]
    )


def try_test(command: str) -> None:
    """The script runs every folder of tests, with the arguments that it gets."""
    script, python, *arguments = shlex.split(dry_run(command)[-1])
    assert (REPOSITORY / python).is_file() and arguments
    done = subprocess.run(
        [REPOSITORY / script, "echo", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    steps = done.stdout.splitlines()
    assert steps and all(step.endswith(" ".join(arguments)) for step in steps)
    wanted = [*REPOSITORY.glob("tests/*/test_*.py"), REPOSITORY / "scenarios"]
    for path in wanted:
        name, folder = (str(p.relative_to(REPOSITORY)) for p in (path, path.parent))
        times = sum(
            bool({name, folder} & set(step.split())) and f"--ignore={name}" not in step.split()
            for step in steps
        )
        assert times == 1, f"make test runs {name} {times} times"


def try_report(command: str) -> None:
    assert any("reports/render.mjs" in line for line in dry_run(command))
    assert calls("integration/test_rendered_report.py::reports", "make", "report")


def try_gate(command: str) -> None:
    assert "quality-gate" in dry_run(command)[-1]
    test = "integration/test_rendered_report.py::test_the_gate_holds_product_and_environment_apart"
    assert calls(test, "make", "gate")


def try_nightly(command: str, collect: Collect) -> None:
    found = collect(command)
    chosen = re.search(r'SELECT="([^"]*)"', command)
    assert chosen is not None
    names = ("scenarios/netflix_ui.yaml::netflix_ui", "scenarios/full_hd.yaml::full_hd")
    wanted = {
        "not full_hd": (True, False),
        "full_hd or netflix_ui": (True, True),
        "full_hd": (False, True),
        "netflix_ui": (True, False),
    }[chosen[1]]
    assert tuple(name in found for name in names) == wanted, found


def try_bench(command: str, collect: Collect) -> None:
    assert "benchmarks/" in collect(command)


def try_doctor(command: str) -> None:
    arguments = cli.parser().parse_args(command.split()[1:])
    assert arguments.command == "doctor"
    if arguments.quick:
        assert calls(
            "unit/test_doctor.py::test_this_machine_can_record", "main", "doctor", "--quick"
        )
    else:  # all that it looks at; the command's own part is the same
        assert calls("unit/test_doctor.py::test_frames_arrive", "examine")


def try_gpu_check(command: str) -> None:
    # What it does where there is no GPU: tests/unit/test_gpu_check.py.
    harness, _, exit_code = command.partition(" || ")
    arguments = cli.parser().parse_args(harness.split()[1:])
    assert arguments.command == "gpu-check" and str(arguments.output) == "reports/gpu-check"
    assert exit_code == "test $? -eq 4"


def try_cat(command: str) -> None:
    """The file is one that an earlier command of the same workflow writes."""
    path = Path(command.split()[1])
    writers = {
        "reports/summary.md": ("harness summary", dry_run("make report RUN=reports/x")),
        "reports/gpu-check/gpu-check.md": ("--output reports/gpu-check", COMMANDS),
    }
    writer, lines = writers[str(path)]
    assert any(writer in line for line in lines)


def try_apt_get(command: str) -> None:
    packages = command.split("--no-install-recommends", 1)[1].split()
    assert {"git", "make", "python3", "python3-venv"} <= set(packages)


def try_git_config(command: str) -> None:
    """In a container the checkout belongs to another user, and git says nothing of it."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "GITHUB_WORKSPACE": f"{folder}/checkout",
            "GIT_CONFIG_NOSYSTEM": "1",
        }

        def run(line: str, **more: str) -> int:
            done = subprocess.run(
                ["sh", "-c", line], cwd=folder, env={**env, **more}, capture_output=True, timeout=60
            )
            return done.returncode

        listed, strange = "git -C checkout ls-files", {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
        assert run("git init -q checkout") == 0
        assert run(listed) == 0 and run(listed, **strange) != 0
        assert run(command) == 0
        assert run(listed, **strange) == 0


TRIED = {
    "make setup": try_setup,
    "make lint": try_lint,
    "make test": try_test,
    "make report": try_report,
    "make gate": try_gate,
    ".venv/bin/harness doctor": try_doctor,
    ".venv/bin/harness gpu-check": try_gpu_check,
    "cat": try_cat,
    "apt-get": try_apt_get,
    "git config": try_git_config,
}


COLLECTED = {"make nightly": try_nightly, "make bench-save": try_bench}


def name_of(command: str) -> str:
    found = [name for name in (*TRIED, *COLLECTED) if f"{command} ".startswith(f"{name} ")]
    assert found, f"'{command}' is tried by no test: write one, and name it in TRIED"
    return found[0]


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(tuple(COLLECTED))])
def test_every_command_works(command: str) -> None:
    TRIED[name_of(command)](command)


def test_what_pytest_gets_is_collected(collect: Collect) -> None:
    chosen = [command for command in COMMANDS if command.startswith(tuple(COLLECTED))]
    for command in chosen:
        COLLECTED[name_of(command)](command, collect)
    for value in ("recorder", "layer", "x264", "nvenc"):
        assert any(f" {value}" in _representative(command) for command in chosen)
    nothing = 'make nightly SELECT="nothing_of_that_name"'
    with pytest.raises(AssertionError, match="deselected"):
        try_nightly(nothing, collect)


def test_every_trial_is_of_a_command() -> None:
    assert {name_of(command) for command in COMMANDS} == {*TRIED, *COLLECTED}


@pytest.mark.parametrize(
    "command",
    [
        "make nonsense",
        "make reports",
        "make report RUN=reports/x NO=1; make nonsense",
        ".venv/bin/harness docter",
        "cat reports/other.md",
        "rm -rf /",
    ],
)
def test_a_command_that_does_not_work_is_found(command: str) -> None:
    with pytest.raises((AssertionError, SystemExit, KeyError)):
        TRIED[name_of(command)](command)


def test_a_test_that_ceases_to_run_a_target_is_noticed() -> None:
    reports = "integration/test_rendered_report.py::reports"
    assert calls(reports, "make", "report") and not calls(reports, "make", "gate")
    assert not calls("integration/test_rendered_report.py::none", "make", "report")


def test_the_matrix_is_expanded_as_github_does() -> None:
    strategy = {
        "matrix": {
            "a": ["x", "y"],
            "b": "${{ fromJSON(vars.B) }}",
            "include": [{"a": "x", "c": "1"}, {"a": "z", "c": "2"}],
        }
    }
    assert cells(strategy) == [
        {"a": "x", "b": "x264", "c": "1"},
        {"a": "x", "b": "nvenc", "c": "1"},
        {"a": "y", "b": "x264"},
        {"a": "y", "b": "nvenc"},
        {"a": "z", "c": "2"},
    ]


def test_a_night_after_the_first_compares(tmp_path: Path) -> None:
    stored = tmp_path / "Chrome" / "0001_night.json"
    stored.parent.mkdir(parents=True)
    stored.write_text("{}")
    for folder, compares in ((tmp_path, True), (tmp_path / "none", False)):
        done = subprocess.run(
            ["make", "--dry-run", "nightly", "SELECT=not full_hd"],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], "UISPLICE_BASELINES": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        command = done.stdout.replace("\\\n", " ").strip().splitlines()[-1]
        assert ("--baseline-compare" in command) is compares
        assert "--baseline-autosave" in command and '-k "not full_hd"' in command


JOBS = [
    job
    for path in WORKFLOWS
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
]


def test_what_hangs_fails_before_its_job_is_cancelled() -> None:
    """A job that ran out of time is cancelled: nothing is uploaded, no issue is opened."""
    recording = ("make test", "make nightly", ".venv/bin/harness gpu-check")
    limits = [
        (step["timeout-minutes"], job["timeout-minutes"])
        for job in JOBS
        for step in job["steps"]
        if step.get("run", "").startswith(recording)
    ]
    assert len(limits) == len(recording)
    assert all(step <= job - 10 for step, job in limits)


def test_a_container_has_room_for_the_frames() -> None:
    """Docker's own 64 MB are less than docs/ci.md asks for."""
    (container,) = (job["container"] for job in JOBS if "container" in job)
    size = re.search(r"--shm-size=(\d+)g\b", container["options"])
    assert size is not None and int(size[1]) >= 1


@pytest.mark.parametrize("name", ["push.yml", "nightly.yml"])
def test_evidence_keeps_the_pages_that_lead_to_it(name: str) -> None:
    """An artefact's paths lose what they have in common: `reports/`, not `reports/nightly/`."""
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / name).read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (evidence,) = (step for step in steps if step.get("name") == "evidence of what failed")
    paths = evidence["with"]["path"].split()
    assert {"reports/summary.html", "reports/allure/index.html"} < set(paths)
    assert f"reports/{name.removesuffix('.yml')}" in paths
