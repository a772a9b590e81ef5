"""The report's pages as files: what is in them, how large they are, and that no text in
them becomes markup. How they behave in a browser: integration/test_report_pages.py."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from support import content, reporting
from support.reporting import HEIGHT, HOSTILE, VIDEO, WIDTH
from support.taping import make_tape
from support.ticks import recording as ticks_alone
from support.ticks import tick

from harness.captured import CapturedPicture, to_planes
from harness.checks import access_units
from harness.failure_table import FAILURE_HEAD
from harness.pipeline import Pipeline
from harness.recorder import Fault, Picture, RecorderSettings, Rect, TickClass
from harness.replay import replay
from harness.report import write_report, write_viewer
from harness.report.differences import _marked, compare, failures_seen, find_differences
from harness.report.macroblock_maps import read_maps
from harness.report.markup import packed, page, table, tick_links
from harness.report.pictures import changed_heat, data_url, heat_image
from harness.report.viewer_page import map_bytes
from harness.ring import CapturedFrame, VideoRegion
from harness.tape import Tape

EXTRAS = 600_000
"""Bytes that a recording's pages may have beside its streams: twenty of them and the
streams have to fit into a report of 40 MB."""


class Parsed(HTMLParser):
    """Elements, their attributes, and the text of scripts by id."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.text = ""
        self._inside: str | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs).get("id"), ""))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            name, text = self.scripts[-1]
            self.scripts[-1] = (name, text + data)
        else:
            self.text += data

    def data(self, name: str) -> Any:
        text = next(text for found, text in self.scripts if found == name)
        return json.loads(zlib.decompress(base64.b64decode(text)))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> reporting.Reported:
    folder = tmp_path_factory.mktemp("report")
    return reporting.report(folder, reporting.record(folder / "live.mkv"), HOSTILE)


@pytest.mark.parametrize("name", ["report.html", "viewer.html"])
def test_no_text_becomes_markup(reported: reporting.Reported, name: str):
    path = reported.folder / name
    parsed = Parsed(path)
    scripts = [found for found, _ in parsed.scripts]
    assert scripts == (["facts", None] if name == "report.html" else ["facts", "stream", None])
    for tag, attributes in parsed.elements:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        source = attributes.get("src")
        assert source is None or source == "live_spliced.mp4" or source.startswith("data:image/")
        target = attributes.get("href")
        assert target is None or re.fullmatch(r"viewer\.html(#tick=\d+)?|#section-[a-z-]+", target)
    assert all(re.fullmatch(r"[A-Za-z0-9+/=]*", text) for found, text in parsed.scripts if found)
    assert "pwned" not in parsed.scripts[-1][1]
    assert parsed.data("facts")["phases"][0][0] == HOSTILE[1]
    assert HOSTILE[0] in parsed.text


def test_the_policy_names_the_script_and_nothing_from_elsewhere(reported: reporting.Reported):
    for name in ("report.html", "viewer.html"):
        parsed = Parsed(reported.folder / name)
        policies = [
            a["content"]
            for tag, a in parsed.elements
            if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policies) == 1 and policies[0]
        assert "default-src 'none'" in policies[0]
        assert re.search(r"script-src 'sha256-[^ ]+';", policies[0])
        assert "http" not in policies[0]


def test_a_mark_in_any_text_is_escaped():
    text = "".join(HOSTILE)
    assert "<script" not in table([text], [[text]]).replace("&lt;", "")
    assert "<" not in packed({"x": HOSTILE})
    assert page(text, (), (), ()).count("<script>") == 1
    linked = tick_links("tick 12 " + HOSTILE[1], "viewer.html#tick=")
    assert linked.count("<a ") == 1 and "<img" not in linked


def test_ticks_in_a_sentence_lead_to_the_viewer():
    text = "most of other classes at ticks 699..749 (31 CHANGED), tick 969 & 1 more; ticks 3"
    linked = tick_links(text, "viewer.html#tick=")
    assert re.findall(r'href="([^"]*)"[^>]*>([^<]*)<', linked) == [
        ("viewer.html#tick=699", "699..749"),
        ("viewer.html#tick=969", "tick 969"),
    ]
    assert html.unescape(re.sub("<[^>]*>", "", linked)) == text
    assert "<" not in tick_links(text, "")


def test_the_page_begins_with_what_failed_and_whether_the_machine_kept_up(
    reported: reporting.Reported, tmp_path: Path
):
    said = reported
    arguments = (said.recording, said.metrics, said.checks, said.verdicts, "", None)
    write_report(tmp_path, *arguments, filed_under=["Product: <i>"], headroom="no <b> to spare")
    text = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    first = text[: text.index("<h2")]
    order = [first.index(word) for word in ("Product: <i>", "did not pass", "no <b> to spare")]
    order.append(first.index(f">{FAILURE_HEAD[-1]}:<"))
    assert order == sorted(order)
    (failed,) = said.verdicts
    assert f"{failed.where}: {failed.name} {failed.limit}: measured {failed.measured}" in first
    parsed = Parsed(tmp_path / "report.html")
    anchors = {a["id"] for tag, a in parsed.elements if tag == "h2"}
    links = [a["href"] for tag, a in parsed.elements if tag == "a"]
    assert {link[1:] for link in links if link and link.startswith("#")} == anchors
    assert "section-timeline" in anchors and len(anchors) >= 6
    # The phase is marked in the table, too.
    assert text.count('<tr class="failed">') == 1 + sum(not c.passed for c in said.checks) + 1


def test_the_viewers_data_is_the_recordings(reported: reporting.Reported):
    data = Parsed(reported.folder / "viewer.html").data("facts")
    ticks = reported.recording.ticks
    written = [t for t in ticks if t.picture is not Picture.NONE]
    assert data["pictures"] == [t.index for t in written]
    assert data["ticks"]["class"] == [int(t.tick_class) for t in ticks]
    assert data["ticks"]["bytes"] == [t.bytes for t in ticks]
    for index, one in enumerate(ticks):
        assert data["regions"][data["ticks"]["regions"][index]] == [
            list(r) for r in one.region_rects
        ]
        assert data["rects"][data["ticks"]["dirty"][index]] == (
            list(one.dirty) if one.dirty.w else []
        )
    raw = b"".join(zlib.decompress(base64.b64decode(c)) for c in data["maps"]["chunks"])
    maps = list(read_maps(access_units(reported.recording.stream)))
    assert raw == b"".join(map_bytes(one) for one in maps)
    assert [fact[0] for fact in data["maps"]["facts"]] == [t.slices for t in written]
    assert {fact[1][0] for fact in data["maps"]["facts"]} == {reported.recording.settings.qp}
    assert {Picture.FULL, Picture.SPLICED, Picture.MERGED} <= {t.picture for t in written}


def test_the_embedded_stream_is_the_mp4s(reported: reporting.Reported):
    parsed = Parsed(reported.folder / "viewer.html")
    told = parsed.data("facts")["stream"]
    mp4 = (reported.folder / "live_spliced.mp4").read_bytes()
    embedded = base64.b64decode(dict(parsed.scripts)["stream"])
    write_viewer(
        reported.folder / "bare.html",
        reported.recording,
        reported.metrics,
        reported.checks,
        reported.verdicts,
        reported.folder / "live_spliced.mp4",
        embed_limit=0,
    )
    bare = Parsed(reported.folder / "bare.html")
    assert dict(bare.scripts)["stream"] == ""
    offsets = bare.data("facts")["stream"]["offsets"]
    for number, size in enumerate(told["sizes"]):
        start = told["offsets"][number]
        unit = embedded[start : start + size]
        assert unit and unit == mp4[offsets[number] : offsets[number] + size]
    # Two bits a macroblock and picture, at most, and what each tick has.
    macroblocks = len(told["sizes"]) * WIDTH * HEIGHT // 256
    size = (reported.folder / "bare.html").stat().st_size
    assert size < 40_000 + macroblocks / 4 + 100 * len(reported.recording.ticks)


def test_films_and_heat_maps_are_there(reported: reporting.Reported):
    parsed = Parsed(reported.folder / "report.html")
    images = [a for tag, a in parsed.elements if tag == "img"]
    stills = [a for a in images if (a["alt"] or "").startswith("tick ")]
    assert len(stills) == 10
    assert sum(a.get("class") == "map" for a in images) == 2
    assert "Pictures that are not exact" not in parsed.text


def test_what_is_not_exact_is_shown(tmp_path: Path):
    recording = reporting.record(tmp_path / "live.mkv", 24, guard=0, faults=Fault.NO_GUARD)
    reported = reporting.report(tmp_path, recording)
    wrong = [c for c in reported.checks if not c.passed]
    assert wrong and all(c.name.startswith("exact") for c in wrong)
    parsed = Parsed(tmp_path / "report.html")
    assert "Pictures that are not exact" in parsed.text
    assert "No captured frame of these ticks was kept" in parsed.text
    assert f"(tick {wrong[0].tick}): not exact" in parsed.text
    assert sum(tag == "figure" for tag, _ in parsed.elements) >= 3 + 2
    places = [p[0] for p in parsed.data("facts")["problems"]]
    assert wrong[0].tick in places


def frames_of(count: int) -> list[tuple[npt.NDArray[np.uint8], tuple[VideoRegion, ...]]]:
    """A page and a video in it."""
    page = content.ui(WIDTH, HEIGHT)
    video = VideoRegion(1, *VIDEO, True, 0)
    pictures = content.natural(VIDEO[2], VIDEO[3], count - 1)
    return [
        (page, ()),
        *((content.paste(page, picture, *VIDEO[:2]), (video,)) for picture in pictures),
    ]


def test_a_tape_shows_what_was_captured_where_it_is_not_exact(tmp_path: Path):
    frames = frames_of(12)
    path = make_tape(tmp_path / "one.tape.mkv", frames)
    settings = RecorderSettings(WIDTH, HEIGHT, adopt_after=0, faults=Fault.WRONG_MVD)
    recording = replay(Tape.open(path), settings, tmp_path / "live.mkv")
    found = list(find_differences(recording, Tape.open(path)))
    assert found
    for one in found:
        assert one.captured is not None
        assert one.captured.decoded and one.captured.difference and one.captured.apart > 0
        (expected,) = (compare(frames[one.tick][0], None, recording.ticks[one.tick]),)
        assert one.captured.captured == expected.captured
    reported = reporting.report(tmp_path, recording)
    assert "No captured frame of these ticks was kept" in Parsed(tmp_path / "report.html").text

    def text_with(tape: Path) -> str:
        write_report(
            tmp_path,
            recording,
            reported.metrics,
            reported.checks,
            (),
            "",
            tmp_path / "live_spliced.mp4",
            tape=tape,
        )
        return Parsed(tmp_path / "report.html").text

    told = text_with(path)
    assert "captured; regions yellow, changed white" in told and "No captured frame" not in told
    assert "The captured frames cannot be shown: there is no tape" in text_with(tmp_path / "no")


def test_a_frame_kept_at_a_failure_stands_beside_its_picture(tmp_path: Path):
    frames = frames_of(12)
    settings = RecorderSettings(WIDTH, HEIGHT, adopt_after=0)
    with Pipeline(settings, tmp_path / "live.mkv") as pipeline:
        for frame, videos in frames:
            pipeline.tick(frame, videos)
        recording = pipeline.finish()
    kept = [
        CapturedPicture.write(
            CapturedFrame(recording.ticks[tick].sequence, frames[shown][0]),
            f"<b>{tick}</b>",
            tmp_path / "captured" / f"{tick}-{shown}.png",
        )
        for tick, shown in ((3, 3), (9, 9), (9, 1))
    ]
    assert (kept[0].read() == frames[3][0]).all()
    right, also_right, wrong = failures_seen(recording, kept, decode=True)
    assert (right.tick, right.picture) == (3, 3) and (wrong.tick, wrong.picture) == (9, 9)
    for one in (right, also_right):
        assert one.compared.decoded and one.compared.difference
        assert one.compared.apart < 60 < wrong.compared.apart
    (blind,) = failures_seen(recording, [replace(kept[0], sequence=10_000)], decode=True)
    assert (blind.tick, blind.picture, blind.compared.decoded) == (None, None, None)

    metrics = reporting.report(tmp_path, recording).metrics
    for broken in (None, tmp_path / "live_spliced.mp4"):  # without and with a stream to show
        write_report(tmp_path, recording, metrics, (), (), "", broken, captured=[*kept, kept[0]])
        parsed = Parsed(tmp_path / "report.html")
        assert ("<b>3</b> (tick 3" in parsed.text and "picture 3)" in parsed.text) or not broken
        assert "1 more lie in the folder captured/" in parsed.text
    kept[0].path.write_bytes(b"no picture")
    write_report(tmp_path, recording, metrics, (), (), "", None, captured=kept)
    assert "The captured frame cannot be shown" in Parsed(tmp_path / "report.html").text


def test_damage_and_regions_are_drawn_in():
    grey = np.full((HEIGHT, WIDTH, 4), 128, np.uint8)
    marked = _marked(
        to_planes(grey), tick(5, dirty=Rect(16, 32, 64, 48), region_rects=(Rect(160, 80, 96, 96),))
    )
    plain = _marked(to_planes(grey), None)
    changed = {(int(y), int(x)) for y, x in zip(*(marked != plain).any(2).nonzero(), strict=True)}
    assert (32, 16) in changed and (79, 79) in changed and (50, 50) not in changed
    assert (80, 160) in changed and (175, 255) in changed and (120, 200) not in changed
    assert tuple(marked[32, 40]) == (255, 255, 255) and tuple(marked[80, 200]) == (240, 228, 66)


def test_an_interrupted_run_has_no_viewer(tmp_path: Path):
    (tmp_path / "viewer.html").write_text("of an earlier run")
    reporting.report(tmp_path, ticks_alone(tmp_path, [tick(0), tick(1)]))
    assert not (tmp_path / "viewer.html").exists()
    assert Parsed(tmp_path / "report.html").data("facts")["viewer"] is None


def test_a_recording_without_ticks_has_a_report(tmp_path: Path):
    reporting.report(tmp_path, ticks_alone(tmp_path, []))
    assert "No tick was recorded" in Parsed(tmp_path / "report.html").text


def test_a_stream_that_cannot_be_read_is_told(tmp_path: Path):
    recording = reporting.record(tmp_path / "live.mkv", 8)
    whole = recording.stream.read_bytes()
    reporting.report(tmp_path, recording)
    recording.stream.write_bytes(b"\0" * len(whole))
    (tmp_path / "live_spliced.mp4").write_bytes(b"")
    said = reporting.report(tmp_path, recording)
    assert not (tmp_path / "viewer.html").exists()
    write_report(tmp_path, recording, said.metrics, (), (), "", tmp_path / "live_spliced.mp4")
    assert "The stream cannot be shown" in Parsed(tmp_path / "report.html").text


def test_ten_minutes_fit(tmp_path: Path):
    rng = np.random.default_rng(1)
    ticks = [
        tick(
            n,
            tick_class=TickClass(n % 3),
            picture=Picture(n % 3),
            bytes=int(rng.integers(0, 20_000)),
            encode_ms=float(rng.random() * 20),
            dirty=Rect(int(rng.integers(0, 500)), 0, 64, 64),
        )
        for n in range(14_400)
    ]
    reporting.report(tmp_path, ticks_alone(tmp_path, ticks))
    assert (tmp_path / "report.html").stat().st_size < EXTRAS / 2


def test_heat_counts_the_boxes():
    boxes = [Rect(0, 0, 640, 360), Rect(16, 16, 16, 16), Rect(31, 16, 2, 1), Rect(0, 0, 0, 0)]
    ticks = [tick(n, dirty=box) for n, box in enumerate(boxes)]
    heat = changed_heat(ticks, 640, 360)
    assert heat.shape == (23, 40)
    assert {(int(y), int(x)): int(heat[y, x]) for y, x in zip(*heat.nonzero(), strict=True)} == {
        (1, 1): 2,
        (1, 2): 1,
    }
    image = heat_image(heat)
    assert image.shape == (23, 40, 4)
    assert (image[..., 3] > 0).sum() == 2
    brightness = image[..., :3].astype(int).sum(axis=2)
    assert brightness[1, 1] > brightness[1, 2]


def test_images_come_back(tmp_path: Path):
    image = np.zeros((32, 48, 4), np.uint8)
    image[8:16, 8:24] = (255, 128, 0, 255)
    for source, lossless in ((image, True), (image[..., :3], False)):
        url = data_url(np.ascontiguousarray(source), lossless=lossless, quality=90)
        kind, _, data = url.partition(";base64,")
        file = tmp_path / f"image.{kind[-3:]}"
        file.write_bytes(base64.b64decode(data))
        with av.open(str(file)) as container:
            back = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert back.shape == (32, 48, 3)
        assert np.abs(back[10:14, 12:20].astype(int) - (255, 128, 0)).mean() < 12
