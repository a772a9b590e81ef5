"""`harness gpu-check`: what of the project runs on this machine's NVIDIA GPU.

`model` has what a check says, `checks` their list and order, `report` how it is written.
Each of the others holds the checks of one thing: `driver`, `chrome`, `zero_copy`,
`phases`, `nvdec`.
"""

from .checks import CHECKS, examine, select
from .model import Context, Finding, Outcome
from .report import exit_code, write_report

__all__ = [
    "CHECKS",
    "Context",
    "Finding",
    "Outcome",
    "examine",
    "exit_code",
    "select",
    "write_report",
]
