"""Merged pictures: two encoders in one picture, regions that come, stay and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import content

from harness.checks import check_recording
from harness.errors import RecorderError
from harness.pipeline import Pipeline
from harness.recorder import Picture, RecorderSettings, Recording, Rect, Tick, TickClass
from harness.ring import VideoRegion

WIDTH, HEIGHT = 640, 384
VIDEO = (192, 112, 192, 112)

Step = tuple[np.ndarray | None, Sequence[VideoRegion]]


def run(path: Path, steps: Iterable[Step], **settings: Any) -> Recording:
    chosen = {"adopt_after": 0, **settings}
    with Pipeline(RecorderSettings(WIDTH, HEIGHT, **chosen), path) as pipeline:
        for frame, videos in steps:
            pipeline.tick(frame, videos)
        recording = pipeline.finish()
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    return recording


def region(number: int = 1, at: tuple[int, int, int, int] = VIDEO, playing: bool = True):
    return VideoRegion(number, *at, playing, 0)


def show(page: np.ndarray, *pictures: tuple[np.ndarray, tuple[int, int, int, int]]) -> np.ndarray:
    for picture, (x, y, _, _) in pictures:
        page = content.paste(page, picture, x, y)
    return page


def session(count: int = 40, every: int = 5, at: tuple[int, int] = (20, 20)) -> list[Step]:
    """A video that plays; every few ticks a card changes at `at`."""
    page = content.ui(WIDTH, HEIGHT)
    steps: list[Step] = [(page, ())]
    for number, picture in enumerate(content.natural(VIDEO[2], VIDEO[3], count)):
        if number % every == every - 1:
            page = content.paste(page, content.ui(60, 40, seed=number), *at)
        steps.append((show(page, (picture, VIDEO)), [region()]))
    return steps


def kinds(recording: Recording) -> list[Picture]:
    return [tick.picture for tick in recording.ticks]


def test_the_video_is_coded_once(tmp_path: Path):
    """A CHANGED tick while a video plays is one merged picture, whose video goes on from
    the picture before: smaller than a full one."""
    merged = run(tmp_path / "merged.mkv", session())
    apart = run(tmp_path / "apart.mkv", session(), splice="separate")
    changed = [t for t in merged.ticks[3:] if t.tick_class is TickClass.CHANGED]
    assert changed and {t.picture for t in changed} == {Picture.MERGED}
    assert {t.slices for t in merged.ticks} == {1}

    def size(recording: Recording) -> int:
        return sum(t.bytes for t in recording.ticks[3:])

    assert size(merged) < 0.9 * size(apart)
    assert sum(t.keyframe for t in merged.ticks) == 1


def test_changes_in_the_guard_stay_with_the_region(tmp_path: Path):
    recording = run(tmp_path / "s.mkv", session(at=(VIDEO[0] - 30, VIDEO[1] + 20)))
    changed = [t for t in recording.ticks[3:] if t.tick_class is TickClass.CHANGED]
    assert Picture.SPLICED in {t.picture for t in changed}


def test_a_row_that_changes_beside_the_region_is_patched(tmp_path: Path):
    """New macroblocks whose intra prediction sees the region's: I_PCM, and still exact.
    Where that goes on, the region is given up."""
    page = content.ui(WIDTH, HEIGHT)
    y = (VIDEO[1] + VIDEO[3]) // 16 * 16 + 48  # the first row below the guard
    steps: list[Step] = [(page, ())]
    for number, picture in enumerate(content.natural(VIDEO[2], VIDEO[3], 24)):
        if number > 4:
            page = content.paste(page, content.ui(WIDTH, 60, seed=number), 0, y)
        steps.append((show(page, (picture, VIDEO)), [region()]))
    recording = run(tmp_path / "s.mkv", steps)
    assert sum(t.patched_mbs for t in recording.ticks) > 5
    assert kinds(recording)[-1] is Picture.FULL


def test_modes_are_coded_anew_where_a_neighbour_is_another(tmp_path: Path):
    """A card appears just beside the region: only what takes samples from the region is
    patched. Its neighbours' Intra 4x4 modes are predicted from other ones then, and theirs;
    they are written again, not patched too."""
    page = content.ui(WIDTH, HEIGHT)
    x = (VIDEO[0] + VIDEO[2]) // 16 * 16 + 48  # the first column beside the guard
    card = content.natural(WIDTH - x, 320, 1)[0]
    steps: list[Step] = [(page, ())]
    for number, picture in enumerate(content.natural(VIDEO[2], VIDEO[3], 6)):
        if number == 3:
            page = content.paste(page, card, x, 32)
        steps.append((show(page, (picture, VIDEO)), [region()]))
    after = run(tmp_path / "s.mkv", steps).ticks[4]
    assert (after.picture, after.tick_class) == (Picture.MERGED, TickClass.CHANGED)
    # 13 rows of the region end there. All of the card would be 200.
    assert 0 < after.patched_mbs <= 14


def test_a_merged_picture_begins_slices_where_encoder_1_does(tmp_path: Path):
    """What is intra at the top of a slice had nothing above it. Where that matters, a slice of the
    merged picture begins, too: nothing is patched for it."""
    page = content.ui(WIDTH, HEIGHT)
    card = content.natural(144, 320, 1)[0]
    steps: list[Step] = [(page, ())]
    for number, picture in enumerate(content.natural(VIDEO[2], VIDEO[3], 6)):
        if number == 3:
            page = content.paste(page, card, 480, 32)  # a macroblock away from the region
        steps.append((show(page, (picture, VIDEO)), [region()]))
    one, four = (run(tmp_path / f"{n}.mkv", steps, threads=n).ticks for n in (1, 4))
    assert (one[0].slices, four[0].slices) == (1, 4)
    assert one[4].picture is four[4].picture is Picture.MERGED
    assert {tick.slices for tick in (*one[1:], *four[1:4], *four[5:])} == {1}
    assert four[4].slices == 4 and four[4].patched_mbs <= one[4].patched_mbs


def playing(size: tuple[int, int], *places: tuple[int, int], count: int = 8) -> list[Step]:
    """Videos of one size side by side, above a page at rest."""
    page = content.ui(WIDTH, HEIGHT)
    steps: list[Step] = [(page, ())]
    for picture in content.natural(*size, count):
        shown = [(picture, (*place, *size)) for place in places]
        videos = [region(k, at) for k, (_, at) in enumerate(shown)]
        steps.append((show(page, *shown), videos))
    return steps


def test_a_large_region_has_threads_too(tmp_path: Path):
    """As many as its share of the view. Its first picture, intra throughout, begins slices where
    they do; so does each that is deblocked, for x264 leaves the edges between them alone."""
    one, four = (
        run(tmp_path / f"{n}.mkv", playing((352, 224), (64, 48)), threads=n).ticks for n in (1, 4)
    )
    assert [tick.picture for tick in four] == [tick.picture for tick in one]
    (start,) = (tick.index for tick in four if tick.region_idr)
    assert {tick.slices for tick in one} == {1}
    # 28 x 20 macroblocks of 40 x 24 are more than half: three threads of four.
    assert four[start].slices == 3 and four[start].patched_mbs == one[start].patched_mbs
    after = four[start + 1 :]
    assert any(tick.deblocked for tick in after)
    assert all(tick.slices == 3 for tick in after if tick.deblocked)
    assert sum(tick.bytes for tick in four) < 1.05 * sum(tick.bytes for tick in one)


def test_slices_of_regions_side_by_side(tmp_path: Path):
    """The slices of one go through the other: their first pictures have them in the same rows, then
    a picture has those that save more than they cost, and the rest is patched."""
    ticks = run(tmp_path / "s.mkv", playing((192, 288), (64, 48), (368, 48)), threads=4).ticks
    (start,) = (tick for tick in ticks if tick.region_idr)
    assert start.regions == 2 and start.slices == 2 and start.patched_mbs == 0
    assert not any(tick.deblocked for tick in ticks[start.index :])


def test_more_threads_than_there_may_be_are_refused(tmp_path: Path):
    with pytest.raises(RecorderError, match="encoder 1 has 1 to 16 threads, not 17"):
        run(tmp_path / "s.mkv", session(2), threads=17)


def test_a_keyframe_stands_for_what_does_not_fit(tmp_path: Path):
    """A ring of noise around a large region: too much of it predicts from the region."""
    at = (64, 80, 512, 208)
    page = content.ui(WIDTH, HEIGHT)
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    ring = np.zeros((HEIGHT, WIDTH, 1), bool)
    ring[at[1] - 64 : at[1] + at[3] + 64, at[0] - 64 : at[0] + at[2] + 64] = True
    ring[at[1] - 48 : at[1] + at[3] + 48, at[0] - 48 : at[0] + at[2] + 48] = False
    clip = content.natural(at[2], at[3], 4)
    ringed = np.where(ring, noise, page)
    steps: list[Step] = [(page, ())]
    for frame, picture in zip((page, page, ringed, ringed), clip, strict=True):
        steps.append((show(frame, (picture, at)), [region(at=at)]))
    ticks = run(tmp_path / "s.mkv", steps, region_limit=100).ticks
    said = [(tick.keyframe, tick.fallback, tick.region_idr) for tick in ticks[2:]]
    assert said == [(False, False, False), (True, True, False), (False, False, True)]


def test_a_region_waits_while_much_changes_elsewhere(tmp_path: Path):
    """Its first picture hides the inter macroblocks from what is intra everywhere else."""
    page = content.ui(WIDTH, HEIGHT)
    clip = content.natural(VIDEO[2], VIDEO[3], 3)
    changed = page.copy()
    rng = np.random.default_rng(3)
    for x in range(0, WIDTH, 32):
        for y in range(304, HEIGHT, 16):  # below the guard, a macroblock apart
            changed[y : y + 16, x : x + 16, :3] = rng.integers(0, 256, (16, 16, 3), np.uint8)
    steps: list[Step] = [(page, ())]
    steps += [(show(changed, (picture, VIDEO)), [region()]) for picture in clip[1:]]
    ticks = run(tmp_path / "s.mkv", steps).ticks
    assert [tick.picture for tick in ticks] == [Picture.FULL, Picture.FULL, Picture.SPLICED]
    assert not any(tick.fallback for tick in ticks)


def test_a_region_that_goes_is_taken_over_without_a_keyframe(tmp_path: Path):
    """Encoder 1 has the place as it was before the video came: it predicts from LTR 0
    there and from the last picture elsewhere."""
    page = content.ui(WIDTH, HEIGHT)
    steps = session(12, every=100)
    other = content.ui(WIDTH, HEIGHT, seed=8)
    gone = page.copy()
    gone[80:300, 150:450] = other[80:300, 150:450]  # most of the region at once
    steps += [(gone, ()), (show(gone, (other[:40, :60], (0, 0, 0, 0))), ())]
    recording = run(tmp_path / "s.mkv", steps)
    after = recording.ticks[13]
    assert (after.picture, after.keyframe, after.fallback) == (Picture.FULL, False, False)
    assert recording.ticks[12].picture is Picture.SPLICED
    full = run(tmp_path / "k.mkv", [(gone, ())])
    assert after.bytes < full.ticks[0].bytes, "less than the whole picture anew"


def test_a_region_whose_video_has_gone_stays_until_the_scene_changes(tmp_path: Path):
    steps = session(10, every=100)
    last = steps[-1][0]
    assert last is not None
    for number in range(3):
        last = content.paste(last, content.ui(30, 20, seed=number), 230, 150)
        steps.append((last, ()))
    recording = run(tmp_path / "s.mkv", steps)
    assert kinds(recording)[-3:] == [Picture.SPLICED] * 3
    assert {t.tick_class for t in recording.ticks[-3:]} == {TickClass.CHANGED}


def test_a_region_goes_when_its_video_moves_away(tmp_path: Path):
    """What changes then is the video's place alone; of a small region that is less than half."""
    page = content.ui(WIDTH, HEIGHT)
    there, here = (64, 64, 96, 64), (400, 240, 96, 64)
    clip = content.natural(96, 64, 12)
    steps: list[Step] = [(page, ())]
    for number, picture in enumerate(clip):
        at = there if number < 6 else here
        steps.append((show(page, (picture, at)), [region(at=at)]))
    recording = run(tmp_path / "s.mkv", steps, adopt_after=2)
    assert (
        kinds(recording)[3:] == [Picture.SPLICED] * 4 + [Picture.FULL] * 2 + [Picture.SPLICED] * 4
    )


def test_a_place_that_no_reference_holds_stays_a_region(tmp_path: Path):
    """Encoder 1 coded the second video in merged pictures, until it got its region; then that
    video ends. What encoder 1 has there is in neither reference, so it cannot take over."""
    page = content.ui(WIDTH, HEIGHT)
    first, second = (32, 32, 128, 96), (352, 112, 256, 144)
    clips = zip(
        content.natural(first[2], first[3], 24),
        content.natural(second[2], second[3], 24, start=60),
        strict=True,
    )
    steps: list[Step] = [(page, ())]
    for number, (a, b) in enumerate(clips):
        frame, videos = show(page, (a, first)), [region(1, first)]
        if 6 <= number < 16:
            frame = show(frame, (b, second))
            videos.append(region(2, second))
        steps.append((frame, videos))
    ticks = run(tmp_path / "s.mkv", steps, adopt_after=3).ticks
    assert {tick.regions for tick in ticks[7:10]} == {1} and ticks[8].picture is Picture.MERGED
    assert {tick.regions for tick in ticks[11:]} == {2}, "also once the second one has gone"
    assert {tick.picture for tick in ticks[11:]} == {Picture.SPLICED}
    assert [tick.index for tick in ticks if tick.keyframe] == [0]


def test_a_paused_video_keeps_its_region(tmp_path: Path):
    steps = session(10, every=100)
    last = steps[-1][0]
    assert last is not None
    paused = [region(playing=False)]
    steps.append((content.paste(last, content.ui(50, 30, seed=4), 250, 150), paused))
    recording = run(tmp_path / "s.mkv", steps)
    assert recording.ticks[-1].picture is Picture.SPLICED
    assert recording.ticks[-1].tick_class is TickClass.CHANGED
    assert not recording.ticks[-1].region_idr


class TestTwoVideos:
    LEFT, RIGHT = (32, 32, 128, 96), (432, 240, 160, 96)

    def steps(self, right: tuple[int, int, int, int] = RIGHT, count: int = 16) -> list[Step]:
        page = content.ui(WIDTH, HEIGHT)
        videos = [region(1, self.LEFT), region(2, right)]
        pictures = zip(
            content.natural(self.LEFT[2], self.LEFT[3], count),
            content.natural(right[2], right[3], count, start=60),
            strict=True,
        )
        return [
            (page, ()),
            *((show(page, (a, self.LEFT), (b, right)), videos) for a, b in pictures),
        ]

    def test_apart_they_are_two_regions_of_one_picture(self, tmp_path: Path):
        recording = run(tmp_path / "s.mkv", self.steps())
        playing = recording.ticks[1:]
        assert {t.tick_class for t in playing} == {TickClass.VIDEO_ONLY}
        assert {(t.picture, t.regions) for t in playing[1:]} == {(Picture.SPLICED, 2)}
        # Three macroblocks of guard around each, none beyond the view.
        rects = (Rect(0, 0, 208, 176), Rect(384, 192, 256, 192))
        assert {t.region_rects for t in playing[1:]} == {rects}
        assert {t.region for t in playing[1:]} == {Rect(0, 0, 640, 384)}
        assert recording.ticks[0].region_rects == ()

    def test_near_each_other_they_share_one(self, tmp_path: Path):
        recording = run(tmp_path / "s.mkv", self.steps((192, 32, 128, 96)))
        assert {(t.picture, t.regions) for t in recording.ticks[2:]} == {(Picture.SPLICED, 1)}

    def test_one_alone_does_not_make_the_other_coded(self, tmp_path: Path):
        steps = self.steps(count=8)
        page, videos = steps[-1]
        assert page is not None
        for picture in content.natural(self.LEFT[2], self.LEFT[3], 8, start=80):
            page = content.paste(page, picture, *self.LEFT[:2])
            steps.append((page, videos))
        recording = run(tmp_path / "s.mkv", steps)
        both = np.mean([t.bytes for t in recording.ticks[4:9]])
        alone = np.mean([t.bytes for t in recording.ticks[9:]])
        assert alone < 0.8 * both
        assert {t.regions for t in recording.ticks[9:]} == {2}

    def test_one_that_grows_into_the_other_takes_it_in(self, tmp_path: Path):
        steps = self.steps(count=6)
        page = content.ui(WIDTH, HEIGHT)
        large = (128, 96, 360, 200)
        videos = [region(1, self.LEFT), region(2, large)]
        for a, b in zip(
            content.natural(128, 96, 6), content.natural(360, 200, 6, start=70), strict=True
        ):
            steps.append((show(page, (a, self.LEFT), (b, large)), videos))
        recording = run(tmp_path / "s.mkv", steps, region_limit=100)
        assert recording.ticks[-1].picture is Picture.SPLICED
        assert recording.ticks[-1].regions == 1


class TestDeblocking:
    def test_it_is_used_while_the_border_is_static(self, tmp_path: Path):
        steps = session(20, every=100)
        recording = run(tmp_path / "s.mkv", steps, qp=36)
        spliced = [t for t in recording.ticks if t.picture is Picture.SPLICED]
        # Not in the intra picture, nor while the guard is coded once more.
        assert [t.deblocked for t in spliced[:2]] == [False, False]
        assert all(t.deblocked for t in spliced[3:])
        plain = run(tmp_path / "p.mkv", steps, qp=36, deblock=False)
        assert not any(t.deblocked for t in plain.ticks if t.picture is Picture.SPLICED)
        assert sum(t.sse_y for t in recording.ticks) < sum(t.sse_y for t in plain.ticks)

    def test_it_is_not_used_where_the_border_changes(self, tmp_path: Path):
        recording = run(tmp_path / "s.mkv", session(20, every=4, at=(VIDEO[0] - 50, VIDEO[1])))
        changed = [t for t in recording.ticks[4:] if t.tick_class is TickClass.CHANGED]
        assert changed and not any(t.deblocked for t in changed if t.picture is not Picture.FULL)
        assert any(t.deblocked for t in recording.ticks if t.picture is Picture.SPLICED)


class TestKeyframes:
    def record(self, path: Path, wanted: set[int], **settings: Any) -> list[Tick]:
        steps = session(20)
        steps[9] = (None, [region()])
        with Pipeline(RecorderSettings(WIDTH, HEIGHT, adopt_after=0, **settings), path) as pipeline:
            for number, (frame, videos) in enumerate(steps):
                if number in wanted:
                    pipeline.request_keyframe()
                pipeline.tick(frame, videos)
            recording = pipeline.finish()
        for result in check_recording(recording):
            assert result.passed, f"{result.name}: {result.summary}"
        return list(recording.ticks)

    @pytest.mark.parametrize("splice", ["syntax", "separate", "rows"])
    def test_on_request(self, tmp_path: Path, splice: str):
        ticks = self.record(tmp_path / "s.mkv", {6, 9}, splice=splice)
        assert [t.index for t in ticks if t.keyframe] == [0, 6, 9]
        assert ticks[9].tick_class is TickClass.UNCHANGED, "also where nothing changed"
        assert Picture.SPLICED in {t.picture for t in ticks[10:]}, "the region begins again"

    def test_at_an_interval(self, tmp_path: Path):
        ticks = self.record(tmp_path / "s.mkv", set(), keyframe_interval=7)
        assert [t.index for t in ticks if t.keyframe] == [0, 7, 14]

    def test_of_a_single_encoder(self, tmp_path: Path):
        ticks = self.record(tmp_path / "s.mkv", {6}, mode="single")
        assert [t.index for t in ticks if t.keyframe] == [0, 6]
        assert all(t.picture is Picture.FULL for t in ticks)


def test_a_region_larger_than_the_limit_is_left_to_encoder_1(tmp_path: Path):
    steps = session(8, every=100)
    small = run(tmp_path / "s.mkv", steps, region_limit=20)
    assert set(kinds(small)) == {Picture.FULL}
    assert {t.tick_class for t in small.ticks[1:]} == {TickClass.VIDEO_ONLY}


def test_a_video_gets_a_region_once_it_stands_still(tmp_path: Path):
    recording = run(tmp_path / "s.mkv", session(10, every=100), adopt_after=4)
    assert kinds(recording) == [Picture.FULL] * 5 + [Picture.SPLICED] * 6
