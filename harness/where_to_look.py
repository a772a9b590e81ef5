"""Where a limit that was not kept went wrong: the ticks to look at, as one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .limits import Limit
from .metrics import Measures, has_latency, peak_bitrate, psnr
from .recorder import Picture, RecorderSettings, Tick, TickClass
from .scenario.durations import format_duration
from .scenario.place import Place

_MOST = 3  # places named in one sentence
_GAP = 2  # ticks that do not end a stretch: a change on every other tick is one stretch
_STAGES = ("diff", "convert", "encode", "read", "check", "splice")  # up to the access unit


@dataclass(frozen=True)
class Part:
    """Some ticks of a recording, and what was measured over them. `seconds` is how long
    it lasted from `start`, `overran` how much longer than the scenario asked for.
    `live` is False in a replay, `broke_off` says why the part is not whole."""

    where: str
    measures: Measures
    ticks: Sequence[Tick]
    settings: RecorderSettings
    first_tick: int
    start: float
    seconds: float
    overran: float = 0.0
    live: bool = True
    broke_off: str = ""

    @property
    def end_tick(self) -> int:
        """Behind the last one."""
        return self.first_tick + len(self.ticks)


@dataclass(frozen=True)
class Stretch:
    """Ticks close together that have something in common: `hits` of `first`..`last`."""

    first: int
    last: int
    hits: tuple[Tick, ...]

    def __str__(self) -> str:
        return f"tick {self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def stretches(ticks: Sequence[Tick], wanted: Callable[[Tick], bool]) -> list[Stretch]:
    """Where the wanted ticks lie, most of them first."""
    groups: list[list[Tick]] = []
    for tick in ticks:
        if not wanted(tick):
            continue
        if groups and tick.index - groups[-1][-1].index <= _GAP + 1:
            groups[-1].append(tick)
        else:
            groups.append([tick])
    found = [Stretch(group[0].index, group[-1].index, tuple(group)) for group in groups]
    return sorted(found, key=lambda stretch: (-len(stretch.hits), stretch.first))


def size_text(size: float) -> str:
    """Bytes as `85.2 kB`, fewer than 1000 as `13 B`."""
    return f"{size / 1000:.1f} kB" if size >= 1000 else f"{size:.0f} B"


def _described(tick: Tick, text: str) -> str:
    return f"tick {tick.index} {text} ({tick.tick_class.name}, {tick.picture.name.lower()})"


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST
    return ", ".join(texts[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _stretch_list(found: Sequence[Stretch], count: Callable[[Stretch], str]) -> str:
    texts = [f"{stretch} ({count(stretch)})" for stretch in found]
    return ("" if texts[0].startswith("tick ") else "ticks ") + _listed(texts)


def _hits(stretch: Stretch) -> str:
    return str(len(stretch.hits))


def _counted(names: Callable[[Tick], str]) -> Callable[[Stretch], str]:
    def text(stretch: Stretch) -> str:
        counts = Counter(names(tick) for tick in stretch.hits)
        return ", ".join(f"{count} {name}" for name, count in counts.most_common())

    return text


def _heaviest(ticks: Sequence[Tick]) -> str:
    written = sorted((t for t in ticks if t.bytes), key=lambda tick: -tick.bytes)
    if not written:
        return "no picture was written"
    return "heaviest: " + ", ".join(_described(t, size_text(t.bytes)) for t in written[:_MOST])


def _without(ticks: Sequence[Tick], wanted: Callable[[Tick], bool], what: str) -> str:
    found = stretches(ticks, lambda tick: not wanted(tick))
    return f"no {what} at {_stretch_list(found, _hits)}" if found else f"every tick has a {what}"


def _of_class(kind: TickClass, part: Part, above: bool) -> str:
    if above:
        found = stretches(part.ticks, lambda tick: tick.tick_class is kind)
        hits = [tick for stretch in found for tick in stretch.hits]
        text = f"most {kind.name} at {_stretch_list(found, _hits)}"
        largest = max(hits, key=lambda tick: tick.bytes)
        if largest.bytes:
            text += f"; largest {size_text(largest.bytes)} at tick {largest.index}"
        return text
    found = stretches(part.ticks, lambda tick: tick.tick_class is not kind)
    count = _counted(lambda tick: tick.tick_class.name)
    return f"most of other classes at {_stretch_list(found, count)}"


def _of_pictures(kind: Picture, part: Part, above: bool) -> str:
    if above:
        found = stretches(part.ticks, lambda tick: tick.picture is kind)
        return f"most {kind.name.lower()} at {_stretch_list(found, _hits)}"
    others = stretches(part.ticks, lambda tick: tick.picture not in (kind, Picture.NONE))
    if not others:
        return _without(part.ticks, lambda tick: tick.picture is not Picture.NONE, "picture")
    count = _counted(lambda tick: tick.picture.name.lower())
    return f"most other pictures at {_stretch_list(others, count)}"


def _keyframes(part: Part) -> str:
    keys = [t for t in part.ticks if t.keyframe]
    if not keys:
        return "no keyframe"
    return "keyframes at " + _listed(
        [f"tick {t.index}{' (parts did not fit together)' if t.fallback else ''}" for t in keys]
    )


def _most(ticks: Sequence[Tick], value: Callable[[Tick], int], what: str) -> str:
    found = sorted((t for t in ticks if value(t)), key=lambda tick: -value(tick))
    if not found:
        return f"none {what}"
    return f"most {what} at " + _listed([f"tick {t.index} ({value(t)})" for t in found])


def look_for_drops(ticks: Sequence[Tick], dropped: int) -> str:
    """Where presents were lost; `dropped` counts those too that no tick has seen."""
    lost = [tick for tick in ticks if tick.dropped]
    texts = [f"{tick.dropped} before tick {tick.index}" for tick in lost]
    unseen = dropped - sum(tick.dropped for tick in lost)
    if unseen > 0:
        texts.append(f"{unseen} behind the last frame read")
    return f"lost: {_listed(texts)}" if texts else "nothing was lost"


def _times(part: Part) -> str:
    text = f"{part.start:.2f} s to {part.start + part.seconds:.2f} s of the recording"
    if part.overran:
        text += f"; its steps overran its duration by {format_duration(part.overran)}"
    return text


def _slowest(part: Part) -> str:
    def text(tick: Tick) -> str:
        spent = {name: float(getattr(tick, f"{name}_ms")) for name in _STAGES}
        # For the clock's next tick, and for a recorder that was late.
        spent["waited"] = tick.latency_ms - sum(spent.values())
        stage = max(spent, key=lambda name: spent[name])
        return f"{tick.latency_ms:.1f} ms, {stage} {spent[stage]:.1f} ms"

    slow = sorted(
        (tick for tick in part.ticks if has_latency(tick)), key=lambda tick: -tick.latency_ms
    )
    return "slowest: " + ", ".join(_described(tick, text(tick)) for tick in slow[:_MOST])


def _worst(part: Part, name: str, quality: Callable[[Tick], float], above: bool) -> str:
    coded = [tick for tick in part.ticks if tick.picture is not Picture.NONE]
    ordered = sorted(coded, key=quality, reverse=above)[:_MOST]
    unit = " dB" if name == "psnr_y" else ""
    digits = 2 if unit else 4
    return ("highest: " if above else "lowest: ") + ", ".join(
        _described(tick, f"{quality(tick):.{digits}f}{unit}") for tick in ordered
    )


def _peak(part: Part, window: int) -> str:
    peak = peak_bitrate(part.ticks, part.settings.fps, window)
    assert peak is not None  # or there would have been no value to judge
    inside = part.ticks[peak[1] : peak[1] + window]
    total = size_text(sum(tick.bytes for tick in inside))
    return f"{total} in ticks {inside[0].index}..{inside[-1].index}; {_heaviest(inside)}"


def look_for_regions(part: Part) -> str:
    """Where a region could have been, in a part that has none."""
    playing = stretches(part.ticks, lambda tick: tick.videos > 0)
    if not playing:
        return "no video played"
    return f"no region; videos played at {_stretch_list(playing, _hits)}"


def _regions(part: Part, above: bool) -> str:
    most = part.measures.regions
    if most == 0:
        return look_for_regions(part)
    found = stretches(part.ticks, lambda tick: tick.regions == most)
    text = f"{most} at {_stretch_list(found, _hits)}"
    rects = found[0].hits[0].region_rects
    return text + (f": {_listed([rect_text(rect) for rect in rects])}" if above else "")


def rect_text(rect: tuple[int, int, int, int]) -> str:
    """A rectangle as scenarios write it."""
    x, y, width, height = rect
    return f"{width}x{height} at {x},{y}"


def nearest_region(
    place: Place, ticks: Sequence[Tick]
) -> tuple[int, Tick, tuple[int, int, int, int]] | None:
    """Pixels that the best region is off by, the first tick that has it, and itself."""
    found = [
        (place.distance(*rect), tick.index, tick, rect)
        for tick in ticks
        for rect in tick.region_rects
    ]
    if not found:
        return None
    distance, _, tick, rect = min(found, key=lambda item: item[:2])
    return distance, tick, rect


def look(name: str, limit: Limit, value: float, part: Part, window: int = 0) -> str:
    """What to look at, where `value` of the limit `name` is not allowed. `window` is a
    peak bitrate's, in ticks."""
    above = limit.high is not None and value >= limit.high
    group, _, member = name.partition(".")
    if group in ("shares", "counts"):
        return _of_class(TickClass[member.upper()], part, above)
    if group == "pictures":
        return _of_pictures(Picture[member.upper()], part, above)
    if group == "latency":
        return _slowest(part)
    pixels = part.settings.width * part.settings.height
    answers: dict[str, Callable[[], str]] = {
        "ticks": lambda: _times(part),
        "duration": lambda: _times(part),
        "presents": lambda: (
            _most(part.ticks, lambda tick: tick.presents + tick.dropped, "presents")
            if above
            else _without(part.ticks, lambda tick: tick.presents > 0, "present")
        ),
        "coalesced": lambda: _most(part.ticks, lambda tick: tick.coalesced, "coalesced"),
        "dropped": lambda: look_for_drops(part.ticks, part.measures.dropped),
        "bitrate": lambda: _volume(part, above),
        "bytes": lambda: _volume(part, above),
        "peak_bitrate": lambda: _peak(part, window),
        "psnr_y": lambda: _worst(part, name, lambda t: psnr(t.sse_y, pixels) or 0.0, above),
        "ssim": lambda: _worst(part, name, lambda t: t.ssim, above),
        "keyframes": lambda: _keyframes(part),
        "regions": lambda: _regions(part, above),
    }
    return answers[group]()


def _volume(part: Part, above: bool) -> str:
    if above:
        return _heaviest(part.ticks)
    return _without(part.ticks, lambda tick: tick.picture is not Picture.NONE, "picture")
