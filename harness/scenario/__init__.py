"""The scenario language: models of it and the loader of its files."""

from .expectations import Counts, Expectations, Shares
from .loader import display_path, load_scenario
from .model import EncoderSettings, Phase, Scenario, Viewport
from .schema import to_json_schema
from .step import (
    STEP_TYPES,
    BaseStep,
    Click,
    DoubleClick,
    Hover,
    Mark,
    Move,
    Open,
    Press,
    Screenshot,
    Scroll,
    Step,
    Type,
    Wait,
    WaitFor,
    WaitForVideo,
)

__all__ = [
    "STEP_TYPES",
    "BaseStep",
    "Click",
    "Counts",
    "DoubleClick",
    "EncoderSettings",
    "Expectations",
    "Hover",
    "Mark",
    "Move",
    "Open",
    "Phase",
    "Press",
    "Scenario",
    "Screenshot",
    "Scroll",
    "Shares",
    "Step",
    "Type",
    "Viewport",
    "Wait",
    "WaitFor",
    "WaitForVideo",
    "display_path",
    "load_scenario",
    "to_json_schema",
]
