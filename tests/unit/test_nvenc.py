"""The NVENC backend on the doubles of NVIDIA's libraries: streams, faults, choice.

Nothing here is a GPU's result; docs/nvenc.md says what the doubles do not prove.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import test_sequences
from hypothesis import HealthCheck, given, settings
from support import content, doubles
from support.feeder import record
from support.taping import make_tape
from test_merging import HEIGHT, VIDEO, WIDTH, kinds, region, run, session, show

from harness.baseline import environment_id
from harness.checks import check_recording
from harness.cli import main
from harness.encoder import choose_encoder
from harness.errors import EnvironmentProblem, RecorderError
from harness.pipeline import Pipeline
from harness.recorder import Picture, RecorderSettings, Recording
from harness.replay import environment_of, replay
from harness.run import RunOptions, settings_of
from harness.scenario import load_scenario
from harness.tape import SUFFIX, Tape

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "nvenc.md").read_text(encoding="utf-8")
NVENC = RecorderSettings(WIDTH, HEIGHT, encoder="nvenc", adopt_after=0)


@pytest.mark.parametrize("what", ["rules", "device"])
def test_driver(what: str):
    """`rules`: the double refuses clients that break the header's. `device`: pictures of the
    device, linear or an array, cropped, NV12 or BGRA."""
    done = doubles.drive(what)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d looked at, 0 wrong", done.stdout)


@pytest.mark.parametrize("splice", ["syntax", "separate", "rows"])
def test_streams_are_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splice: str):
    """Decoded by FFmpeg and OpenH264, every picture is what the backend says (run checks it),
    and its classes are those of libx264's stream."""
    doubles.use(monkeypatch)
    steps = session(16)
    ours = run(tmp_path / "n.mkv", steps, encoder="nvenc", splice=splice)
    theirs = run(tmp_path / "x.mkv", steps, splice=splice)
    assert kinds(ours) == kinds(theirs)
    assert {Picture.SPLICED, Picture.FULL} < {*kinds(ours), Picture.MERGED}
    assert not any(tick.deblocked for tick in ours.ticks), "a session has the filter or not"


@pytest.mark.parametrize("mode", ["single", "single-vfr"])
def test_one_plain_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str):
    """A view of no whole macroblocks: NVENC crops it itself."""
    doubles.use(monkeypatch)
    page = content.ui(330, 202)
    path = tmp_path / "s.mkv"
    with Pipeline(RecorderSettings(330, 202, encoder="nvenc", mode=mode), path) as pipeline:  # type: ignore[arg-type]
        for number in range(6):
            pipeline.tick(content.paste(page, content.ui(40, 20, seed=number), 280, 170), [])
        recording = pipeline.finish()
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    assert all(tick.deblocked for tick in recording.ticks)


def test_keyframes_are_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch)
    recording = run(tmp_path / "s.mkv", session(13), encoder="nvenc", keyframe_interval=5)
    assert [tick.index for tick in recording.ticks if tick.keyframe] == [0, 5, 10]


def test_vectors_that_leave_the_region_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """NVENC takes no range for vectors: without a guard the video's own leak, and the stream
    is exact all the same."""
    doubles.use(monkeypatch)
    clip = content.natural(VIDEO[2] + 64, VIDEO[3], 14)
    page = content.ui(WIDTH, HEIGHT)
    steps = [(page, ())]
    for number, picture in enumerate(clip):  # pans: what comes in lay outside
        cut = picture[:, 4 * number : 4 * number + VIDEO[2]]
        steps.append((show(page, (cut, VIDEO)), [region()]))
    recording = run(tmp_path / "s.mkv", steps, encoder="nvenc", guard=0)
    assert sum(tick.region_leaks for tick in recording.ticks) > 0
    assert Picture.SPLICED in kinds(recording)


def test_a_video_smaller_than_nvenc_codes_gets_no_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steps = session(8)
    for splice in ("syntax", "separate"):
        doubles.use(monkeypatch, smallest=f"{VIDEO[2] + 97}x16")  # the guard is 96 in all
        recording = run(tmp_path / "small.mkv", steps, encoder="nvenc", splice=splice)
        assert {*kinds(recording)} == {Picture.FULL}
        doubles.use(monkeypatch, smallest=f"{VIDEO[2] + 96}x16")
        recording = run(tmp_path / "fits.mkv", steps, encoder="nvenc", splice=splice)
        assert Picture.SPLICED in kinds(recording)


@given(test_sequences.sessions())
@settings(
    max_examples=min(test_sequences.SEQUENCES, 30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
def test_every_sequence_is_exact(drawn: test_sequences.Drawn):
    with pytest.MonkeyPatch.context() as monkeypatch, tempfile.TemporaryDirectory() as folder:
        doubles.use(monkeypatch, smallest="16x16")
        recording = test_sequences.play(drawn, Path(folder) / "s.mkv", "nvenc")
        for result in check_recording(recording):
            assert result.passed, f"{result.name}: {result.summary}"


# --------------------------------------------------------------------- faults

OPENING = {
    "wrong_version": "the driver speaks API 8.1, this program needs",
    "invalid_version": "NV_ENC_ERR_INVALID_VERSION",
    "unsupported_device": "NV_ENC_ERR_UNSUPPORTED_DEVICE",
    "no_device": "NV_ENC_ERR_NO_ENCODE_DEVICE",
    "session_limit": "NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY",
    "no_session": "NV_ENC_ERR_OUT_OF_MEMORY",
    "unsupported_setting": "NV_ENC_ERR_UNSUPPORTED_PARAM",
}
RUNNING = {
    "session_lost@8": "NV_ENC_ERR_DEVICE_NOT_EXIST",
    "out_of_memory@8": "NV_ENC_ERR_OUT_OF_MEMORY",
    "encoder_busy@8": "NV_ENC_ERR_ENCODER_BUSY",
    "lock_busy@8": "NV_ENC_ERR_LOCK_BUSY",
    "map_failed@8": "NV_ENC_ERR_MAP_FAILED",
    "internal_error@8": "NV_ENC_ERR_GENERIC",
    "need_more_input@8": "NV_ENC_ERR_NEED_MORE_INPUT",
    # The second session is the video's region.
    "session_limit@2": "NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY",
    "no_session@2": "NV_ENC_ERR_OUT_OF_MEMORY",
    "register_failed@2": "NV_ENC_ERR_RESOURCE_REGISTER_FAILED",
}


def documented(message: str) -> None:
    """The name of the status, and what to do about it, stand in the table of docs/nvenc.md."""
    found = re.search(r"NV_ENC_ERR_\w+", message)
    if found:
        rows = [line for line in DOCS.splitlines() if line.startswith(f"| `{found[0]}`")]
        assert len(rows) == 1, f"docs/nvenc.md has no row of its own for {found[0]}"
        remedy = message.rpartition("; ")[2]
        assert remedy in rows[0], f"docs/nvenc.md says something else than: {remedy}"


@pytest.mark.parametrize("fault", OPENING)
def test_what_does_not_open_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str):
    doubles.use(monkeypatch, fault)
    with pytest.raises(RecorderError, match=OPENING[fault]) as raised:
        Pipeline(NVENC, tmp_path / "s.mkv")
    assert "docs/nvenc.md" in raised.value.remedy
    documented(raised.value.message)
    with pytest.raises(EnvironmentProblem, match=OPENING[fault]):
        choose_encoder(NVENC)


def broken_off(path: Path) -> tuple[Recording, str]:
    """The session's recording until an encoder failed, and with what."""
    with Pipeline(NVENC, path) as pipeline:
        with pytest.raises(RecorderError) as raised:
            for frame, videos in session(16):
                pipeline.tick(frame, videos)
        return pipeline.finish(), raised.value.message


@pytest.mark.parametrize("fault", RUNNING)
def test_what_fails_later_leaves_a_whole_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
):
    """What was coded before plays and is exact; the error names the status."""
    doubles.use(monkeypatch, fault)
    recording, message = broken_off(tmp_path / "s.mkv")
    assert RUNNING[fault] in message
    documented(message)
    # One encoder for the first tick, then the region's alone, and both on the sixth.
    assert len(recording.ticks) == (6 if fault.endswith("@8") else 1)
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    monkeypatch.delenv("UISPLICE_DOUBLE_FAULT")  # nothing is left of the session that failed
    run(tmp_path / "again.mkv", session(3), encoder="nvenc")


@pytest.mark.parametrize("fault", ["lock_busy@4/9", "encoder_busy@4/9"])
def test_a_busy_encoder_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str):
    doubles.use(monkeypatch, fault)
    assert len(run(tmp_path / "s.mkv", session(8), encoder="nvenc").ticks) == 9


@pytest.mark.parametrize("number", range(1, 26))
def test_every_status_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    doubles.use(monkeypatch, f"status:{number}")
    page = content.ui(WIDTH, HEIGHT)
    with Pipeline(NVENC, tmp_path / "s.mkv") as pipeline, pytest.raises(RecorderError) as raised:
        pipeline.tick(page)
    assert re.search(rf"NV_ENC_ERR_\w+ \({number}\): .+; .+", raised.value.message)
    documented(raised.value.message)


def test_a_status_of_a_newer_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch, "status:77")
    with (
        Pipeline(NVENC, tmp_path / "s.mkv") as pipeline,
        pytest.raises(RecorderError, match=r"an unknown status \(77\)"),
    ):
        pipeline.tick(content.ui(WIDTH, HEIGHT))


def test_what_cuda_fails_at_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch, "copy_failed")
    said = r"CUDA: copying a picture failed: CUDA_ERROR_UNKNOWN \(999\): .+; see `nvidia-smi`"
    with Pipeline(NVENC, tmp_path / "s.mkv") as pipeline, pytest.raises(RecorderError, match=said):
        pipeline.tick(content.ui(WIDTH, HEIGHT))


def test_without_the_decoder_nobody_knows_the_reconstruction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    doubles.use(monkeypatch)
    monkeypatch.setenv("UISPLICE_LIB_DIR", str(tmp_path))
    with pytest.raises(RecorderError, match="reconstructed with OpenH264, and that does not load"):
        Pipeline(NVENC, tmp_path / "s.mkv")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("0", None),
        ("1", None),
        ("2", "there are 2 devices"),
        ("-1", "there are 2 devices"),
        ("GPU-d0d0d0d0-d0d0-d0d0-d0d0-d0d0d0d0d001", None),
        ("GPU-d0d0d0d0-d0d0-d0d0-d0d0-d0d0d0d0d007", "none of the 2 devices is that one"),
        ("the second one", "neither a device's number nor a UUID"),
    ],
)
def test_the_device_is_chosen(monkeypatch: pytest.MonkeyPatch, chosen: str, said: str | None):
    doubles.use(monkeypatch)
    monkeypatch.setenv("UISPLICE_DOUBLE_DEVICES", "2")
    monkeypatch.setenv("UISPLICE_CUDA_DEVICE", chosen)
    if said is None:
        assert "double" in choose_encoder(NVENC).name
    else:
        with pytest.raises(EnvironmentProblem, match=said):
            choose_encoder(NVENC)


def test_no_device_at_all(monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch)
    monkeypatch.setenv("UISPLICE_DOUBLE_DEVICES", "0")
    with pytest.raises(EnvironmentProblem, match="lists no device"):
        choose_encoder(NVENC)


@pytest.mark.parametrize("fault", ["", "session_lost@3"])
def test_the_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str):
    """On its own thread, from the ring; what breaks off is kept and says why."""
    doubles.use(monkeypatch, fault)
    page = content.ui(320, 192)
    frames = [content.paste(page, content.ui(60, 40, seed=n), 100, 80) for n in range(6)]
    steps = [(frame, []) for frame in frames]
    recording = record(tmp_path / "s.mkv", steps, first=page, fps=24, encoder="nvenc")
    if fault:
        assert "NV_ENC_ERR_DEVICE_NOT_EXIST" in recording.error
        assert 1 <= len(recording.ticks) < 6
    else:
        assert recording.error == ""
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"


def test_a_tape_is_replayed_by_another_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch)
    tape = Tape.open(make_tape(tmp_path / f"t{SUFFIX}", session(6)))
    chosen = choose_encoder(NVENC)
    recording = replay(tape, chosen.settings, tmp_path / "s.mkv")
    assert len(recording.ticks) == 7
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    assert "double" in environment_of(tape, chosen)["encoder"]


# --------------------------------------------------------------------- choice


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA", "NVENC"):
        monkeypatch.setenv(f"UISPLICE_{name}_LIBRARY", f"/nowhere/lib{name.lower()}.so.1")


@pytest.mark.usefixtures("no_driver")
def test_what_is_demanded_and_not_there_is_an_error():
    with pytest.raises(EnvironmentProblem, match=r"Cannot load /nowhere/libcuda\.so\.1") as raised:
        choose_encoder(NVENC)
    assert "encoder: auto" in raised.value.remedy


@pytest.mark.usefixtures("no_driver")
def test_auto_takes_x264_and_says_why():
    chosen = choose_encoder(RecorderSettings(encoder="auto", qp=30))
    assert chosen.settings == RecorderSettings(encoder="x264", qp=30)
    assert chosen.environment["encoder"].startswith("libx264 0.")
    assert "Cannot load" in chosen.environment["encoder warning"]
    threads = choose_encoder(RecorderSettings(threads=4)).environment["encoder threads"]
    assert (threads, "encoder threads" in chosen.environment) == ("4", False)


def test_auto_takes_nvenc_and_a_double_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch)
    chosen = choose_encoder(RecorderSettings(encoder="auto"))
    assert chosen.settings.encoder == "nvenc"
    assert chosen.environment == {"encoder": chosen.name}
    assert re.fullmatch(
        r"NVENC test double \(libx264\), not a GPU, API \d+\.\d+, preset P2", chosen.name
    )
    machine = {"browser": "Chrome/156.0", "vulkan device": "llvmpipe"}
    assert "double" in environment_id(machine | chosen.environment)
    card = "NVENC API 11.1 on NVIDIA L4, driver 580.65, preset P2"
    assert environment_id(machine | {"encoder": card}).endswith("_NVENC-API-11.1-on-NVIDIA-L4")


def test_x264_asks_for_no_driver(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.encoder.probe", lambda _settings: pytest.fail("asked"))
    assert choose_encoder(RecorderSettings()).name.startswith("libx264")


def test_nobody_records_with_auto(tmp_path: Path):
    with pytest.raises(RecorderError, match="choose_encoder"):
        Pipeline(RecorderSettings(encoder="auto"), tmp_path / "s.mkv")


@pytest.mark.parametrize(
    ("written", "option", "backend", "preset"),
    [
        ("nvenc", None, "nvenc", "superfast"),
        ("{backend: nvenc, preset: slow}", None, "nvenc", "slow"),
        ("{preset: slow}", "auto", "auto", "slow"),
        ("nvenc", "x264", "x264", "superfast"),
    ],
)
def test_scenarios_and_the_command_line_choose(
    tmp_path: Path, written: str, option, backend: str, preset: str
):
    file = tmp_path / "s.yaml"
    (tmp_path / "index.html").write_text("<p>x")
    file.write_text(f"open: index.html\nencoder: {written}\nwait: 1s\n")
    scenario = load_scenario(file)
    recorder = settings_of(scenario, tmp_path, RunOptions(encoder=option)).recorder
    assert (recorder.encoder, recorder.preset) == (backend, preset)


@pytest.mark.usefixtures("no_driver")
def test_a_demand_that_cannot_be_met_ends_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """No browser is looked for: it is the first thing asked."""
    file = tmp_path / "s.yaml"
    (tmp_path / "index.html").write_text("<p>x")
    file.write_text("open: index.html\nencoder: nvenc\nwait: 1s\n")
    status = main(["run", str(file), "--output", str(tmp_path / "out"), "--browser", "/nowhere"])
    assert status == EnvironmentProblem.exit_code
    said = " ".join(" ".join(capsys.readouterr()).split())
    assert "there is no NVIDIA driver" in said and "docs/nvenc.md" in said


def test_presets_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    doubles.use(monkeypatch)
    sizes = {}
    frames = [np.ascontiguousarray(f) for f in content.natural(320, 192, 4)]
    for preset, number in (("ultrafast", 1), ("medium", 5), ("veryslow", 7)):
        chosen = RecorderSettings(320, 192, encoder="nvenc", preset=preset)
        assert choose_encoder(chosen).name.endswith(f", preset P{number}")
        with Pipeline(chosen, tmp_path / f"{preset}.mkv") as pipeline:
            sizes[preset] = sum(pipeline.tick(frame).bytes for frame in frames)
    assert sizes["ultrafast"] > sizes["medium"]
    with pytest.raises(RecorderError, match="no preset 'placebo'"):
        Pipeline(RecorderSettings(320, 192, encoder="nvenc", preset="placebo"), tmp_path / "p.mkv")
