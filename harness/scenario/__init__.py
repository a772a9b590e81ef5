"""The scenario language: models of it and the loader of its files."""

from .condition import Condition
from .expectations import Counts, Expectations, Shares
from .loader import display_path, load_scenario, load_scenarios
from .locator import Locator, LocatorFields
from .model import EncoderSettings, Phase, Scenario, Xfail
from .network import Network
from .page_expectation import PageExpectation
from .schema import to_included_json_schema, to_json_schema
from .step import (
    STEP_TYPES,
    Back,
    BaseStep,
    Call,
    Click,
    Crash,
    DoubleClick,
    Drag,
    Expect,
    Hover,
    If,
    Mark,
    Move,
    Open,
    Press,
    Reload,
    Repeat,
    Resize,
    Screenshot,
    Scroll,
    SetNetwork,
    Step,
    Type,
    Wait,
    WaitFor,
    WaitForVideo,
)
from .storage_state import StorageState
from .viewport import Viewport

__all__ = [
    "STEP_TYPES",
    "Back",
    "BaseStep",
    "Call",
    "Click",
    "Condition",
    "Counts",
    "Crash",
    "DoubleClick",
    "Drag",
    "EncoderSettings",
    "Expect",
    "Expectations",
    "Hover",
    "If",
    "Locator",
    "LocatorFields",
    "Mark",
    "Move",
    "Network",
    "Open",
    "PageExpectation",
    "Phase",
    "Press",
    "Reload",
    "Repeat",
    "Resize",
    "Scenario",
    "Screenshot",
    "Scroll",
    "SetNetwork",
    "Shares",
    "Step",
    "StorageState",
    "Type",
    "Viewport",
    "Wait",
    "WaitFor",
    "WaitForVideo",
    "Xfail",
    "display_path",
    "load_scenario",
    "load_scenarios",
    "to_included_json_schema",
    "to_json_schema",
]
