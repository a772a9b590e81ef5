"""Where the page shows video and whether it plays, as the page itself says.

A script in every frame (page_script.js) reports through a Playwright binding when
something changed. Reports arrive while Playwright's events are dispatched, so the
thread that drives the page must wait with `page.wait_for_timeout`, not with `sleep`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Frame, Page

from harness.ring import VideoRegion

BINDING = "__uispliceVideos"
MAX_REGIONS = 8  # what the frame ring can carry
MAX_SIDE = 4096  # device pixels, the largest view there is
SCRIPT = Path(__file__).with_name("page_script.js")
_LONGEST_DELAY_NS = 10_000_000_000


@dataclass(frozen=True)
class _Document:
    """The last report of one frame's document: its token and its videos by number."""

    token: str
    videos: dict[int, VideoRegion]
    unplaced: int


class VideoStateTracker:
    """Gathers the reports of all frames of a page and hands the regions to `sink`.

    `sink` is called with at most 8 regions, ordered by id, whenever they changed; when
    there are more, those that play come first, then the larger ones. It runs in the
    thread that drives the page and must be quick. The page clips to its own view;
    `width` and `height` (device pixels) hold whatever it says to that size.
    """

    def __init__(
        self,
        sink: Callable[[Sequence[VideoRegion]], None],
        width: int = MAX_SIDE,
        height: int = MAX_SIDE,
    ) -> None:
        self._sink = sink
        self._width = width
        self._height = height
        self._documents: dict[Frame, _Document] = {}
        self._ids: dict[tuple[str, int], int] = {}
        self._page: Page | None = None
        self._regions: tuple[VideoRegion, ...] = ()

    @property
    def regions(self) -> tuple[VideoRegion, ...]:
        """What was last given to the sink."""
        return self._regions

    @property
    def unplaced(self) -> int:
        """Videos inside frames of another origin, whose place cannot be known."""
        return sum(document.unplaced for document in self._documents.values())

    def attach(self, context: BrowserContext, page: Page | None = None) -> None:
        """Follows `page` (default: the first one) from its next document on.

        Call it once, before the page is opened. Videos of other pages are left out.
        """
        context.expose_binding(BINDING, self._on_report)
        context.add_init_script(path=SCRIPT)
        self.follow(page or context.pages[0])

    def follow(self, page: Page) -> None:
        """From now on this page's videos count, another one's no more. `page` is of the
        context attached to, and follows from its next document on."""

        def gone() -> None:
            if page is self._page:
                self._clear()

        self._page = page
        self._clear()
        page.on("framedetached", self._on_detached)
        page.on("crash", lambda _: gone())
        page.on("close", lambda _: gone())

    def _on_report(self, source: Mapping[str, Any], report: Mapping[str, Any]) -> None:
        if source["page"] is not self._page:
            return
        frame: Frame = source["frame"]
        before = self._documents.get(frame)
        token = str(report["token"])
        known = before.videos if before and before.token == token else {}
        at = _monotonic_ns(float(report["at"]))
        videos = {}
        for video in report["videos"]:
            number = int(video["n"])
            region = self._region(self._id(token, number), video, at)
            if region is not None:
                videos[number] = _kept(known.get(number), region)
        self._documents[frame] = _Document(token, videos, int(report["unplaced"]))
        self._publish()

    def _id(self, token: str, number: int) -> int:
        return self._ids.setdefault((token, number), len(self._ids) + 1)

    def _region(self, name: int, video: Mapping[str, Any], at: int) -> VideoRegion | None:
        """Whole pixels that cover the element, inside the view; None when nothing is seen."""
        left = max(0, math.floor(float(video["left"])))
        top = max(0, math.floor(float(video["top"])))
        right = min(self._width, math.ceil(float(video["right"])))
        bottom = min(self._height, math.ceil(float(video["bottom"])))
        if right <= left or bottom <= top:
            return None
        return VideoRegion(name, left, top, right - left, bottom - top, bool(video["playing"]), at)

    def _on_detached(self, frame: Frame) -> None:
        if self._documents.pop(frame, None) is not None:
            self._publish()

    def _clear(self) -> None:
        self._documents.clear()
        self._publish()

    def _publish(self) -> None:
        seen = [region for doc in self._documents.values() for region in doc.videos.values()]
        seen.sort(key=lambda region: (not region.playing, -region.area, region.id))
        regions = tuple(sorted(seen[:MAX_REGIONS], key=lambda region: region.id))
        if regions != self._regions:
            self._regions = regions
            self._sink(regions)


def _kept(before: VideoRegion | None, now: VideoRegion) -> VideoRegion:
    """`now`, with the earlier time when nothing else changed."""
    if before is not None and replace(now, changed_ns=before.changed_ns) == before:
        return before
    return now


def _monotonic_ns(epoch_ms: float) -> int:
    """CLOCK_MONOTONIC of a moment in the page's time, never in the future.

    The page's clock starts from the wall clock, which may have been set since; what
    then lies outside the last seconds is taken as now.
    """
    now = time.monotonic_ns()
    age = time.time_ns() - int(epoch_ms * 1e6)
    return now - age if 0 <= age <= _LONGEST_DELAY_NS else now
