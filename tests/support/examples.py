"""The examples of docs/scenarios.md, as files that can be loaded and played."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "scenarios.md"
SITE = REPOSITORY / "scenarios" / "site"
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_PART = "# part of a scenario"
_FILE = re.compile(r"# (?P<name>[\w/]+\.yaml)\n")


class _Yaml12(yaml.SafeLoader):
    """As editors read YAML: only `true` and `false` are booleans, `on` is a text."""


_Yaml12.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)


def read(text: str) -> Any:
    """What an editor holds against the schema."""
    return yaml.load(text, Loader=_Yaml12)


@dataclass(frozen=True)
class Block:
    """A fenced block of the page; `line` is where its text begins."""

    language: str
    text: str
    line: int

    @property
    def is_part(self) -> bool:
        return self.text.startswith(_PART)

    @property
    def file(self) -> str:
        """The name that it gives itself in its first line, or ""."""
        match = _FILE.match(self.text)
        return match["name"] if match else ""

    @property
    def is_scenario(self) -> bool:
        return self.language == "yaml" and re.search(r"^open:", self.text, re.M) is not None


def blocks(language: str) -> list[Block]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        Block(match["language"], match["text"], text.count("\n", 0, match.start()) + 2)
        for match in _BLOCK.finditer(text)
        if match["language"] == language
    ]


def whole(part: Block) -> str:
    """A scenario that has this part, with what the part itself leaves out."""
    data = read(part.text)
    text = "open: site/idle.html\n"
    if isinstance(data, list):
        key = "phases" if {"phase", "use"} & data[0].keys() else "steps"
        return f"{text}{key}:\n" + part.text
    body = "" if {"phases", "steps", "wait"} & data.keys() else "wait: 1s\n"
    return text + body + part.text


def lay_out(folder: Path) -> list[Path]:
    """Writes everything that the page's scenarios need into `folder`, and each of them as
    `example_LINE.yaml`; the scenarios' files."""
    shutil.copytree(SITE, folder / "site")  # the server follows no link out of its folder
    (json,) = blocks("json")
    (folder / "ada.json").write_text(json.text, encoding="utf-8")
    scenarios = []
    for block in blocks("yaml"):
        name = block.file or f"example_{block.line:03}.yaml"
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole(block) if block.is_part else block.text, encoding="utf-8")
        if block.is_scenario:
            scenarios.append(path)
    return scenarios


def install_steps(folder: Path) -> None:
    """The page's package with a step in Python, installed into `folder`, a place for
    sys.path."""
    (code,) = blocks("python")
    (declared,) = blocks("toml")
    match = re.search(r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w:.]+)"', declared.text)
    assert match is not None
    (folder / "my_steps.py").write_text(code.text, encoding="utf-8")
    info = folder / "my_steps-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-steps\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{match[1]}]\n{match[2]} = {match[3]}\n")
