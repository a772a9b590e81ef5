"""Baselines: the metrics of earlier runs, by environment.

Stored the way pytest-benchmark stores its runs: one JSON file a run,
`.baselines/ENVIRONMENT/NNNN_COMMIT_TIME.json`, with every scenario of that run. The
environment is what decides the numbers besides the code: browser, Vulkan device, encoder,
and whether a tape was replayed. View and fps are a scenario's own and stand in the file.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import __version__
from .checks import Status
from .errors import BaselineError
from .tolerance import Tolerance, parse_tolerance

FORMAT = 1
"""Version of the stored files; rises when an older harness could not read them."""

LEAST_TIMED = 10
"""Pictures of a kind, below which the median of their times is left out: it is no measure."""

DEFAULT_STORAGE = ".baselines"
STORAGE_VARIABLE = "UISPLICE_BASELINES"
METRICS_NAME = "metrics.json"

_STORED = re.compile(r"(?P<number>\d{4,})_(?P<id>.+)\.json")
_SAVE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,80}")


@dataclass(frozen=True)
class ScenarioMetrics:
    """What was measured of one scenario in one run.

    `name` is the folder of its recording, `nodeid` pytest's ("" outside pytest). `total`
    are the measures of metrics.json with the medians of its times (ms) among them, `phases`
    the measures by phase. `tolerances` are those that the scenario states itself.
    `failed_checks` names checks of the stream that failed; a kept baseline has none.
    """

    name: str
    environment_id: str
    view: str
    total: dict[str, Any]
    phases: dict[str, dict[str, Any]]
    environment: dict[str, str] = field(default_factory=dict)
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    nodeid: str = ""
    title: str = ""
    failed_checks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        metrics: Mapping[str, Any],
        nodeid: str = "",
        tolerances: Mapping[str, Tolerance] | None = None,
    ) -> ScenarioMetrics:
        """From the data of metrics.json. Raises BaselineError where it is none."""
        try:
            pictures = metrics["total"]["pictures"]
            times = {
                what: spread["median"]
                for what, spread in metrics["times"].items()
                if pictures.get(what.rpartition("_")[2], 0) >= LEAST_TIMED
            }
            return cls(
                name=name,
                environment_id=environment_id(metrics["environment"]),
                view=f"{metrics['width']}x{metrics['height']}@{metrics['fps']}",
                total={**metrics["total"], **times},
                phases={phase["name"]: dict(phase["measures"]) for phase in metrics["phases"]},
                environment=dict(metrics["environment"]),
                tolerances=dict(tolerances or {}),
                nodeid=nodeid,
                title=str(metrics["scenario"]),
                failed_checks=tuple(
                    check["name"]
                    for check in metrics.get("checks", ())
                    if check["status"] == Status.FAILED.value
                ),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BaselineError(
                f"these are no metrics of a recording: {type(error).__name__} {error}",
                "name a metrics.json that `harness run` or pytest wrote",
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dump, and for pytest-xdist to send."""
        return {
            "name": self.name,
            "nodeid": self.nodeid,
            "title": self.title,
            "environment_id": self.environment_id,
            "view": self.view,
            "environment": self.environment,
            "tolerances": {name: str(amount) for name, amount in self.tolerances.items()},
            "total": self.total,
            "phases": self.phases,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScenarioMetrics:
        """What to_json gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            name=data["name"],
            environment_id=data["environment_id"],
            view=data["view"],
            total=dict(data["total"]),
            phases={name: dict(measures) for name, measures in data["phases"].items()},
            environment=dict(data["environment"]),
            tolerances={n: parse_tolerance(n, amount) for n, amount in data["tolerances"].items()},
            nodeid=data["nodeid"],
            title=data["title"],
        )


def environment_id(environment: Mapping[str, str]) -> str:
    """A folder's name for what a recording was made with, from metrics.json's environment:
    `Chrome-156_llvmpipe-LLVM-15.0.6-256-bits_libx264-0.164`.

    Encoder settings are not in it: they are the scenario's, and changing them is what a
    baseline is to show. Neither are processors: only the times depend on them.
    """
    browser, _, version = environment.get("browser", "").partition("/")
    parts = [
        f"{browser} {version.split('.')[0]}".strip() or "unknown browser",
        environment.get("vulkan device") or "unknown device",
        _encoder(environment.get("encoder", "")),
    ]
    if environment.get("wsi") == "passthrough":
        parts.append("passthrough")
    if environment.get("encode") == "layer":
        parts.append("layer")
    if "replayed from" in environment:
        parts.append("tape")
    return "_".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts)


def _encoder(text: str) -> str:
    """Its name and the first two numbers of its version: `libx264 0.164`; or NVENC and its
    device: `NVENC API 11.1 on NVIDIA L4`."""
    if text.startswith("NVENC"):  # with its device; without the driver, which changes often
        return text.partition(",")[0]
    name, _, version = text.partition(" ")
    match = re.match(r"\d+(\.\d+)?", version)
    return f"{name or 'unknown encoder'} {match[0] if match else ''}".strip()


@dataclass(frozen=True)
class StoredRun:
    """One file of the storage."""

    path: Path
    environment_id: str
    number: int
    id: str

    @property
    def label(self) -> str:
        """`ENVIRONMENT/0003`: what selects it anywhere."""
        return f"{self.environment_id}/{self.number:04}"

    def scenarios(self) -> list[ScenarioMetrics]:
        """Raises BaselineError where the file is damaged or of another version."""
        return _stored_scenarios(self.path, _read_json(self.path))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise BaselineError(
            f"{path}: {error.strerror}", "name a metrics.json, a folder of runs or a baseline"
        ) from error
    except ValueError as error:
        raise BaselineError(f"{path} is no JSON: {error}", "remove the file") from error


def _no_number(word: str) -> None:
    """NaN and Infinity, which Python reads: with them every comparison would pass or fail."""
    raise ValueError(f"{word} is no number")


def _stored_scenarios(path: Path, data: Any) -> list[ScenarioMetrics]:
    version = data.get("format") if isinstance(data, dict) else None
    if version != FORMAT:
        raise BaselineError(
            f"the baseline {path} has the format {version}, this version reads {FORMAT}",
            "save a new one: pytest --baseline-autosave",
        )
    try:
        return [ScenarioMetrics.from_json(entry) for entry in data["scenarios"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BaselineError(
            f"the baseline {path} is damaged: {type(error).__name__} {error}",
            "remove the file and save a new one: pytest --baseline-autosave",
        ) from error


class Storage:
    """A folder of baselines. It need not exist before something is saved."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, chosen: str | os.PathLike[str] | None, default_below: Path) -> Storage:
        """The folder that was chosen, else $UISPLICE_BASELINES, else `.baselines`."""
        named = chosen or os.environ.get(STORAGE_VARIABLE)
        return cls(Path(named) if named else default_below / DEFAULT_STORAGE)

    def environments(self) -> list[str]:
        """Those that have a run."""
        return sorted({run.environment_id for run in self.runs()})

    def runs(self, environment: str | None = None) -> list[StoredRun]:
        """All stored runs, or those of one environment, oldest first."""
        found = []
        for path in self.root.glob("*/*.json"):
            match = _STORED.fullmatch(path.name)
            if match and environment in (None, path.parent.name):
                run = StoredRun(path, path.parent.name, int(match["number"]), match["id"])
                found.append(run)
        return sorted(found, key=lambda run: (run.environment_id, run.number))

    def select(self, wanted: str) -> list[StoredRun]:
        """The runs that NUM, an ID's beginning (a commit, or the name it was saved as) or
        ENVIRONMENT/NUM or ENVIRONMENT/ID mean, oldest first; "" means all."""
        environment, slash, which = wanted.rpartition("/")
        runs = self.runs(environment if slash else None)
        by_number = [run for run in runs if which.isdecimal() and run.number == int(which)]
        which = which.lstrip("_")
        return by_number or [run for run in runs if run.id.startswith(which)]

    def find(self, wanted: str, environment: str) -> StoredRun:
        """The latest run that `wanted` means (see select) and that was made in
        `environment`; another environment only where `wanted` names it, or is a file.

        Raises:
            BaselineError: there is none; says which environments have one.
        """
        if wanted.endswith(".json") and Path(wanted).is_file():
            path = Path(wanted)
            return StoredRun(path, path.parent.name, 0, path.stem)
        runs = self.select(wanted)
        named = "/" in wanted
        same = [run for run in runs if named or run.environment_id == environment]
        if same:
            return same[-1]
        which = f" '{wanted}'" if wanted else ""
        raise BaselineError(
            f"no baseline{which} in {self.root} for this environment, {environment}; "
            f"{self._others(wanted, runs)}",
            "save one first: pytest --baseline-autosave"
            + (
                f"; to compare with another environment all the same: "
                f"--baseline-compare={runs[-1].label}"
                if runs
                else ""
            ),
        )

    def _others(self, wanted: str, runs: Sequence[StoredRun]) -> str:
        others = sorted({run.environment_id for run in runs}) or self.environments()
        if not others:
            return "nothing was saved yet"
        kept = "those of that name are" if wanted and runs else "there are some"
        return f"{kept} for {', '.join(others)}"

    def save(
        self,
        scenarios: Iterable[ScenarioMetrics],
        commit: Commit,
        name: str | None = None,
    ) -> list[Path]:
        """Writes one file for every environment among the scenarios, usually one.

        Named `NNNN_NAME.json`, or after the commit where there is no name. Raises
        BaselineError where the folder cannot be written.
        """
        by_environment: dict[str, list[ScenarioMetrics]] = {}
        for scenario in scenarios:
            by_environment.setdefault(scenario.environment_id, []).append(scenario)
        now = datetime.now(timezone.utc)
        tag = name or commit.tag(now)
        return [
            self._write(environment, tag, commit, now, entries)
            for environment, entries in by_environment.items()
        ]

    def _write(
        self,
        environment: str,
        tag: str,
        commit: Commit,
        now: datetime,
        entries: Sequence[ScenarioMetrics],
    ) -> Path:
        data = {
            "format": FORMAT,
            "uisplice": __version__,
            "datetime": now.isoformat(timespec="seconds"),
            "commit": {"id": commit.id, "uncommitted_changes": commit.dirty},
            "scenarios": [entry.to_json() for entry in entries],
        }
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        runs = self.runs(environment)
        number = runs[-1].number + 1 if runs else 1
        path = self.root / environment / f"{number:04}_{tag}.json"
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise BaselineError(
                f"the baseline {path} cannot be written: {error.strerror}",
                "name a folder that can: --baseline-storage=DIR",
            ) from error
        return path


def check_save_name(name: str) -> str:
    """`name`, if it can be a baseline's. Raises ValueError with a sentence."""
    if _SAVE_NAME.fullmatch(name) is None:
        raise ValueError(f"'{name}' cannot name a baseline; use letters, digits, '-', '_' and '.'")
    return name


@dataclass(frozen=True)
class Commit:
    """The commit that a run was made of; `id` "unversioned" outside a repository."""

    id: str
    dirty: bool

    def tag(self, now: datetime) -> str:
        """The stored file's name without its number: commit, UTC time, and whether there
        were uncommitted changes."""
        return f"{self.id}_{now:%Y%m%d_%H%M%S}" + ("_uncommitted-changes" if self.dirty else "")

    @classmethod
    def of(cls, folder: Path) -> Commit:
        """The commit checked out in `folder`, asked of git."""
        head = _git(folder, "rev-parse", "--verify", "HEAD")
        if not head:
            return cls("unversioned", False)
        return cls(head, bool(_git(folder, "status", "--porcelain", "--untracked-files=no")))


def _git(folder: Path, *arguments: str) -> str:
    """What git answers; "" where it is missing, refuses, or knows no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def open_run(source: str, storage: Storage) -> list[ScenarioMetrics]:
    """What `harness compare` is given: a metrics.json, the folder of one recording, a run's
    folder with one subfolder a scenario, a stored baseline's path, or its NUM or ID.

    Raises:
        BaselineError: it is nothing of these, or NUM stands for runs of several
            environments.
    """
    path = Path(source)
    if path.is_dir():
        if (path / METRICS_NAME).is_file():
            return [_recorded(path)]
        folders = sorted(p.parent for p in path.glob(f"*/{METRICS_NAME}"))
        if not folders:
            raise BaselineError(
                f"{path} holds no {METRICS_NAME}, neither itself nor one folder further down",
                "name the folder that `harness run --output` or pytest's --recordings was given",
            )
        return [_recorded(folder) for folder in folders]
    if path.is_file():
        data = _read_json(path)
        if isinstance(data, dict) and "scenarios" in data:
            return _stored_scenarios(path, data)
        return [ScenarioMetrics.of(path.absolute().parent.name, data)]
    runs = storage.select(source) if source else []
    if not runs:
        stored = ", ".join(run.label for run in storage.runs()) or "none"
        raise BaselineError(
            f"'{source}' is no metrics.json, no folder and no stored baseline; "
            f"stored in {storage.root}: {stored}",
            "name one of them",
        )
    if len({run.environment_id for run in runs}) > 1:
        raise BaselineError(
            f"'{source}' means baselines of several environments: "
            + ", ".join(run.label for run in runs),
            "name one with its environment, as written here",
        )
    return runs[-1].scenarios()


def _recorded(folder: Path) -> ScenarioMetrics:
    return ScenarioMetrics.of(folder.absolute().name, _read_json(folder / METRICS_NAME))
