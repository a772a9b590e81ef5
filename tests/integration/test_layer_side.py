"""Both encoders inside a real Chrome's GPU process: `encode: layer`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from support import doubles
from support.traces import processes
from support.validation import LAYER, validation, validation_log

from harness.errors import CaptureError, RecorderError
from harness.native import LIBRARY
from harness.recorder import Picture, TickClass

pytestmark = pytest.mark.chrome

PAGE = """<!doctype html><title>t</title><style>
body{margin:0;overflow:hidden;background:#234;color:#fff;font:20px sans-serif}
video{position:absolute;left:160px;top:96px;width:256px;height:144px;background:#000}
i{position:absolute;left:0;top:300px;width:40px;height:40px;background:#fa0}</style>
<p>A page, a video, a box.</p><i></i>
<video muted loop autoplay src=/media/bigbuckbunny.mp4></video>
<script>const box = document.querySelector('i');</script>"""


def gpu_process() -> int:
    """The one that captures for this test: it has the ring of this process."""
    ring = f"/dev/shm/uisplice-{os.getpid()}-"
    found = [int(line.split()[0]) for line in processes(("--type=gpu-process",))]
    (mine,) = [pid for pid in found if ring in Path(f"/proc/{pid}/maps").read_text()]
    return mine


def picture(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_a_recording_that_chrome_encodes(recording, tmp_path: Path, monkeypatch):
    """Exact, nothing dropped, a video region and a change of the page; the Vulkan
    validation layer has no complaint; the encoders are where they should be."""
    for name, value in validation(tmp_path, LAYER).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "page.html").write_text(PAGE)
    with recording(
        open="page.html", site=tmp_path, clips=("bigbuckbunny",), width=640, height=360,
        encode="layer", adopt_after=2,
    ) as session:  # fmt: skip
        session.page.wait_for_function(
            "document.querySelector('video').currentTime > 0", polling=50
        )
        libraries = Path(f"/proc/{gpu_process()}/maps").read_text()
        assert LIBRARY in libraries and "libx264.so" in libraries
        session.wait(1.5)
        session.request_keyframe()
        session.page.evaluate("box.style.left = '200px'")
        session.wait(1.5)
    result = session.result
    metrics, recorded = result.metrics, result.recording
    assert metrics is not None and recorded is not None and recorded.error == ""
    assert metrics.environment["encode"] == "layer"
    assert metrics.frames.dropped == 0 and metrics.frames.add_up
    assert {TickClass.CHANGED, TickClass.VIDEO_ONLY} <= {t.tick_class for t in recorded.ticks}
    assert Picture.SPLICED in {t.picture for t in recorded.ticks}
    assert sum(t.keyframe for t in recorded.ticks) == 2
    assert [check for check in result.checks if not check.passed] == []
    assert [line for line in validation_log(tmp_path) if "Error" in line] == []


def test_a_gpu_process_that_dies_ends_the_recording(recording, tmp_path: Path):
    """With a sentence, and with a stream that plays until then."""
    (tmp_path / "page.html").write_text(PAGE)
    with (
        pytest.raises(RecorderError, match=r"Chrome's GPU process, \d+\) ended after \d+ ticks"),
        recording(
            open="page.html", site=tmp_path, clips=("bigbuckbunny",), width=640, height=360,
            encode="layer", check=False,
        ) as session,
    ):  # fmt: skip
        session.wait(0.5)
        os.kill(gpu_process(), signal.SIGKILL)
        session.wait(5)
    recorded = session.result.recording
    assert recorded is not None and 8 <= len(recorded.ticks) < 60
    assert {check.name for check in session.result.checks if not check.passed} <= {
        "no frame dropped",
        "frame accounts add up",
    }


def test_the_picture_of_a_failure(recording, tmp_path: Path, monkeypatch):
    """The frame captured last is kept, and is what the page shows, wherever it was: in host memory,
    or on the GPU of a machine that has one (with $UISPLICE_TEST_CUDA it must). NVENC is its
    double."""
    doubles.use(monkeypatch)
    (tmp_path / "page.html").write_text(PAGE.split("<video")[0])
    with (
        pytest.raises(ZeroDivisionError),
        recording(
            open="page.html", site=tmp_path, width=640, height=360, encode="layer", encoder="nvenc"
        ) as session,
    ):
        session.wait(1)
        raise ZeroDivisionError
    metrics = session.result.metrics
    assert metrics is not None and metrics.total.psnr_y is not None
    assert "double" in metrics.environment["encoder"]
    on_gpu = metrics.environment["capture"] == "device"
    if not on_gpu:
        assert "UISPLICE_TEST_CUDA" not in os.environ
        assert metrics.environment["capture"].startswith("host (")
    assert metrics.environment["measured with"].startswith(
        "frames on the GPU" if on_gpu else "frames in host memory"
    )
    (captured,) = (session.result.folder / "captured").glob("*.png")
    (screenshot,) = (session.result.folder / "screenshots").glob("*.png")
    assert np.array_equal(picture(captured), picture(screenshot))


def test_a_library_that_does_not_load_is_said_before_the_recording(
    recording, tmp_path: Path, monkeypatch
):
    (tmp_path / "page.html").write_text("<p>text")
    monkeypatch.setattr("harness.session.LIBRARY", "libnone.so")
    with (
        pytest.raises(CaptureError, match=r"cannot encode in Chrome's process: .*libnone\.so"),
        recording(open="page.html", site=tmp_path, width=640, height=360, encode="layer"),
    ):
        pass
