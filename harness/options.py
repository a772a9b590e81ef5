"""Options that several commands and the pytest plugin have: each is defined once, here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from .scenario import EncoderSettings, Scenario
from .scenario.loader import assignment


@dataclass(frozen=True)
class Option:
    """An option as argparse and pytest take it: `keywords` are those that argparse's
    `add_argument` and pytest's `addoption` have in common."""

    flag: str
    help: str
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def add(self, to: Callable[..., object], flag: str = "", **keywords: Any) -> None:
        """Adds it by `to`: a parser's `add_argument`, or a group's `addoption`. `flag` is
        another name for it, where its own would say too little among pytest's options or is
        another plugin's; `keywords` go before its own."""
        to(flag or self.flag, **{"help": self.help, **self.keywords, **keywords})


BROWSER = Option(
    "--browser",
    "Chrome or chromium to use (default: $UISPLICE_BROWSER, or found on PATH)",
    {"metavar": "PATH"},
)
WSI = Option(
    "--wsi",
    "override the scenarios' wsi (passthrough: watch the window)",
    {"choices": get_args(Scenario.model_fields["wsi"].annotation)},
)
ENCODE = Option(
    "--encode",
    "override the scenarios' encode: whose process encodes (layer: Chrome's own)",
    {"choices": get_args(Scenario.model_fields["encode"].annotation)},
)
ENCODER = Option(
    "--encoder",
    "override the scenarios' encoder (auto: NVENC where there is one)",
    {"choices": get_args(EncoderSettings.model_fields["backend"].annotation)},
)
TAPE_RECORD = Option(
    "--tape-record",
    "keep what the layer delivered, one tape a scenario",
    {"type": Path, "metavar": "DIR"},
)
TAPE_REPLAY = Option(
    "--tape-replay",
    "play the scenarios' tapes instead of a browser, as fast as the machine goes",
    {"type": Path, "metavar": "DIR"},
)
VARIABLE = Option(
    "--set",
    "set a variable of the scenarios, or choose one value of a matrix (repeatable)",
    {"action": "append", "default": [], "type": assignment, "metavar": "NAME=VALUE"},
)
STORAGE = Option(
    "--storage",
    "folder of baselines (default: $UISPLICE_BASELINES, or .baselines)",
    {"metavar": "DIR"},
)
TOLERANCE = Option(
    "--tolerance",
    "such as bytes:10%%, shares:5%%, psnr_y:0.5dB, encode:off; may be given more than once",
    {"action": "append", "default": [], "metavar": "METRIC:AMOUNT"},
)
