"""`harness new`: a scenario to begin with, which passes as it is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from .errors import ScenarioError
from .scenario.address import check_address, is_url

SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,80}")

_HEAD = """\
# {title}: what to open, what a person does, and what the recording must show.
#   check it:  harness validate {path}
#   run it:    harness run {path}     or     pytest {path}
# docs/scenarios.md describes every key, step and expectation.

scenario: {title}
description: Written by `harness new`; say here what this scenario is for.

{opened}
viewport: 1280x720      # device pixels; what is captured and coded
fps: 24                 # ticks of the frame clock a second
timeout: 10s            # of each step

"""

# What can be said of any page: nothing about how much of it moves.
_ANY_PAGE = """\
phases:
  - phase: Look
    duration: 3s        # a phase lasts this long, whatever its steps take
    steps:
      - wait: 1s
      - screenshot: first look
      # - click: "text=Play"                # locators are Playwright's
      # - wait_for: "text=Results"
      # - press: {key: ArrowRight, times: 3, every: 400ms}

expect:                 # of the whole recording; a phase can have its own `expect`
  ticks: "72 ± 2"
  dropped: 0            # presents lost between Chrome and the recorder
  # shares: {unchanged: ">= 20%", video_only: "55% ± 8%"}   # of the ticks, by class
  # bitrate: "<= 2 Mbit/s"
  # psnr_y: ">= 38 dB"
"""

_OWN_PAGE = """\
phases:
  - phase: Still        # nothing moves: no tick should cost anything
    duration: 2s
    expect:
      shares: {unchanged: ">= 90%"}

  - phase: Open the panel
    duration: 2s        # a phase lasts this long, whatever its steps take
    steps:
      - hover: "role=button[name='Open']"   # locators are Playwright's
      - click: "role=button[name='Open']"
      - wait_for: "text=Here it is"
      - mark: panel open                    # names this moment in the metrics
      - screenshot: panel
    expect:
      counts: {changed: ">= 2"}             # it slid in over several ticks

expect:                 # of the whole recording
  ticks: "96 ± 2"
  dropped: 0            # presents lost between Chrome and the recorder
  keyframes: 1
  bitrate: "<= 4 Mbit/s"
  psnr_y: ">= 36 dB"
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
  body {{ margin: 0; padding: 64px; background: #12161c; color: #e6ebf0;
         font: 24px/1.5 system-ui, sans-serif; }}
  button {{ font: inherit; padding: 12px 32px; border: 0; border-radius: 8px;
           background: #2f7de1; color: #fff; }}
  section {{ margin-top: 48px; padding: 48px; border-radius: 16px; background: #222a34;
            opacity: 0; transform: translateY(40px); visibility: hidden;
            transition: opacity 300ms, transform 300ms; }}
  .open section {{ opacity: 1; transform: none; visibility: visible; }}
</style>
<h1>{title}</h1>
<p>A page to begin with. Put your own here, or let `open` name another one.</p>
<button onclick="document.body.classList.add('open')">Open</button>
<section>Here it is.</section>
</html>
"""


def write_starter(name: str, folder: Path, url: str | None = None) -> list[Path]:
    """Writes `NAME.yaml` to `folder`, which is made; returns what was written.

    It opens `url`; without one the site in `folder/site`, where that has an index.html,
    else a small page that is written beside it as `NAME.html`.

    Raises:
        ScenarioError: a file of that name exists, the name or the URL cannot be used, or
            the folder cannot be written.
    """
    stem = Path(name).stem if Path(name).suffix in SUFFIXES else name
    if _NAME.fullmatch(stem) is None:
        raise ScenarioError(
            f"'{name}' cannot name a scenario",
            "use letters, digits, '-', '_' and '.'; name the folder with --dir",
        )
    title = stem.replace("_", " ").replace("-", " ").strip().capitalize() or stem
    path = folder / f"{stem}.yaml"
    page = folder / f"{stem}.html"
    contents: dict[Path, str] = {}
    if url is not None:
        opened, phases = f"open: {_quoted(_checked(url))}", _ANY_PAGE
    elif (folder / "site" / "index.html").is_file():
        opened = "site: site              # folder beside this file, served on 127.0.0.1\n"
        opened += "open: index.html"
        phases = _ANY_PAGE
    else:
        opened = f"open: {page.name}  # a page beside this file, or an http(s):// URL"
        phases = _OWN_PAGE
        contents[page] = _PAGE.format(title=title)
    contents[path] = _HEAD.format(title=_quoted(title), path=path, opened=opened) + phases
    there = [other for other in (*contents, path.with_suffix(".yml")) if other.exists()]
    if there:
        raise ScenarioError(
            f"already there: {' and '.join(str(other) for other in there)}; nothing was written",
            "choose another name, or remove it first",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, text in contents.items():
            with target.open("x", encoding="utf-8") as file:  # never over somebody's file
                file.write(text)
    except OSError as error:
        raise ScenarioError(
            f"cannot write to {folder}: {error.strerror}", "name another folder with --dir"
        ) from error
    return sorted(contents)


def _checked(url: str) -> str:
    try:
        if is_url(check_address(url)):
            return url
    except ValueError as error:
        raise ScenarioError(str(error), "write it as https://example.org/page") from None
    raise ScenarioError(f"'{url}' is no URL", "write it as https://example.org/page")


def _quoted(text: str) -> str:
    """As a YAML scalar: quoted where a plain one would be read as something else."""
    try:
        same = yaml.safe_load(f"key: {text}") == {"key": text}
    except yaml.YAMLError:
        same = False
    return text if same else "'" + text.replace("'", "''") + "'"
