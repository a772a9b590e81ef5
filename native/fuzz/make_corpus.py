"""Writes the fuzz targets' seeds, native/fuzz/corpus/, from real encoders.

Run it in the checkout's environment: python native/fuzz/make_corpus.py. Seeds are small,
since every execution reads one: three pictures of a few macroblocks. What
fuzzing once found lies beside them as found-* and stays.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import content, streams  # noqa: E402

from harness.checks import access_units  # noqa: E402
from harness.native import native  # noqa: E402
from harness.pipeline import Pipeline  # noqa: E402
from harness.recorder import RecorderSettings  # noqa: E402
from harness.ring import VideoRegion  # noqa: E402

CORPUS = Path(__file__).parent / "corpus"
WIDTH, HEIGHT, FRAMES = 48, 32, 3


def encoded() -> dict[str, bytes]:
    """Streams of both encoders, as whole streams are read."""
    natural = streams.pictures("natural", FRAMES, WIDTH, HEIGHT)
    noise = streams.pictures("noise", 1, WIDTH, HEIGHT)
    screen = streams.pictures("screen", FRAMES, WIDTH, HEIGHT)
    return {
        "x264-ultrafast": streams.with_x264(natural, "ultrafast", 30, "slices=2"),
        "x264-slower": streams.with_x264(natural, "slower", 26, "ref=3"),
        "x264-sparse": streams.with_x264(screen, "medium", 40, "constrained-intra=1"),
        "x264-pcm": streams.with_x264(noise, "slower", 1, "no-psy=1"),
        "openh264": streams.with_openh264(natural, 30),
        "openh264-slices": streams.with_openh264(screen, 36, slices=2, screen=True),
        "openh264-references": streams.with_openh264(natural, 36, ltr=True, layers=2),
    }


def regions() -> dict[str, bytes]:
    """What encoder 2 gives: one reference, no deblocking, constrained intra prediction."""
    natural = streams.pictures("natural", FRAMES, WIDTH, HEIGHT)
    noise = streams.pictures("noise", 1, WIDTH, HEIGHT)
    plain = "ref=1:bframes=0:weightp=0:no-deblock=1:constrained-intra=1"
    made = {
        "superfast": streams.with_x264(natural, "superfast", 30, plain),
        "slower": streams.with_x264(natural, "slower", 26, plain),
        "rows": streams.with_x264(natural, "superfast", 34, f"{plain}:slice-max-mbs={WIDTH // 16}"),
        "pcm": streams.with_x264(noise, "medium", 1, f"{plain}:no-psy=1"),
    }
    # Place, margin, and three bits a picture that say how it is written.
    prefixes = {
        "superfast": bytes([0, 0, 0, 0, 0b01_001_000, 0b1]),
        "slower": bytes([1, 2, 3, 1, 0b10_010_000, 0b0]),
        "rows": bytes([2, 1, 1, 2, 0b00_100_100, 0b1]),
        "pcm": bytes([3, 3, 0, 0, 0b11_001_111, 0b1]),
    }
    return {name: prefixes[name] + data for name, data in made.items()}


def spliced() -> dict[str, bytes]:
    """The project's own streams."""
    base = content.ui(80, 64)
    clip = content.natural(32, 16, 4)
    region = VideoRegion(1, 32, 32, 32, 16, True, 0)
    made = {}
    for splice in ("syntax", "rows"):
        with tempfile.TemporaryDirectory() as folder:
            settings = RecorderSettings(80, 64, qp=34, guard=1, splice=splice)  # type: ignore[arg-type]
            with Pipeline(settings, Path(folder) / "s.mkv") as pipeline:
                pipeline.tick(base)
                for number, picture in enumerate(clip):
                    ui = content.paste(base, content.ui(32, 16, seed=number // 3), 0, 0)
                    pipeline.tick(content.paste(ui, picture, 32, 32), [region])
                recording = pipeline.finish()
            made[f"spliced-{splice}"] = b"".join(access_units(recording.stream))
    return made


def rings() -> dict[str, bytes]:
    """Edits of a ring in order (see fuzz_ring.c): none, and fields at their limits."""

    def edit(*changes: tuple[int, int]) -> bytes:
        return b"\x01" + b"".join(o.to_bytes(2, "little") + bytes([v]) for o, v in changes)

    slot = 4096 + 8192  # of the second slot, which holds a frame
    return {
        "in-order": edit(),
        "wide-frame": edit((slot + 33, 64)),
        "tall-frame": edit((slot + 37, 64)),
        "narrow-stride": edit((slot + 40, 4)),
        "many-rectangles": edit((slot + 44, 200)),
        "far-rectangle": edit((slot + 51, 127), (slot + 59, 127)),
        "odd-stride": edit((32, 1)),
        "regions-being-written": edit((912, 1)),
        "raw": b"\x00UISR\x01",
    }


def links() -> dict[str, bytes]:
    """What a host does with an encode link (see fuzz_link.c), and fields at their limits."""

    def send(picture: int = 1, size: int = 0) -> bytes:
        return bytes([0, picture]) + size.to_bytes(2, "little")

    def edited(*changes: tuple[int, int]) -> bytes:
        edits = b"".join(o.to_bytes(2, "little") + bytes([v]) for o, v in changes)
        return b"\x04" + send(7, 400)[1:] + bytes([len(changes)]) + edits + b"\x02"

    ffi = native().ffi
    at = {
        name: 16 + ffi.offsetof("uis_tick", name)
        for name in ("tick_ns", "present_ns", "tick_class", "dirty", "regions", "sse_y", "ssim")
    }
    over, failed = b"\x01\x00", b"\x01\x01\x05words"
    return {
        "quiet": send() * 3 + b"\x02" + over,
        "pictures": send(6, 900) + send(13, 3000) + send() + send(17, 41) + over,
        "larger-than-the-stream": send(7, 19000) + send(7, 9000) + over,
        "failed": send(6, 900) + failed,
        "asked": bytes([3, 0, 3, 1, 3, 2, 3, 3, 9, 9, 9, 9, 3, 4]) + send(6, 100) + over,
        "wrong-mark": edited((0, 7)),
        "many-digests": edited((4, 255)),
        "large-access-unit": edited((13, 1)),
        "late-tick": edited((at["tick_ns"] + 3, 1)),
        "far-present": edited((at["present_ns"] + 7, 127)),
        "unknown-class": edited((at["tick_class"], 9)),
        "wide-rectangle": edited((at["dirty"] + 10, 1)),
        "many-regions": edited((at["regions"], 200)),
        "not-a-number": edited((at["sse_y"] + 7, 127), (at["sse_y"] + 6, 248)),
        "infinite": edited((at["ssim"] + 7, 127), (at["ssim"] + 6, 240)),
        "counted-too-far": send(6, 900) + b"\x07\xff\xff\x00\x00\x02",
        "counted-back": send(6, 900) + b"\x07\x00\xff\xff\xff\x02",
        "raw": b"\x06\x08UISL\x06\x00\x00\x00\x02",
        "broke-off": b"\x06\x04UISL" + over + b"\x02",
    }


def main() -> None:
    for target, seeds in {
        "stream": encoded() | spliced(),
        "splice": regions(),
        "ring": rings(),
        "link": links(),
    }.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not old.name.startswith("found-"):
                old.unlink()
        for name, data in seeds.items():
            (folder / name).write_bytes(data)
            print(f"{target}/{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
