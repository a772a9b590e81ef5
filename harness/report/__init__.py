"""What a run leaves to look at: metrics.json, ticks.csv, an MP4 remux, report.html and
viewer.html."""

from .files import preview_of, remux_to_mp4, write_metrics, write_ticks
from .measures_table import MEASURES_HEAD, measures_row
from .pictures import encoded, read_picture
from .report_page import write_report
from .viewer_page import write_viewer

__all__ = [
    "MEASURES_HEAD",
    "encoded",
    "measures_row",
    "preview_of",
    "read_picture",
    "remux_to_mp4",
    "write_metrics",
    "write_report",
    "write_ticks",
    "write_viewer",
]
