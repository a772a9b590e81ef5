"""Chrome on a virtual display: right size, driven by steps, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from harness.browser import BrowserSession
from harness.browser_launch import LayerEnvironment, launch_arguments
from harness.browser_profile import PROFILE_PREFIX
from harness.browser_program import BROWSER_NAMES, find_browser
from harness.display import VirtualDisplay
from harness.errors import BrowserError, StepError
from harness.scenario import (
    Click,
    DoubleClick,
    Hover,
    Mark,
    Move,
    Open,
    Press,
    Screenshot,
    Scroll,
    Type,
    Wait,
    WaitFor,
    WaitForVideo,
)
from harness.steps import StepRunner

WIDTH, HEIGHT = 640, 360

PAGE = """<!doctype html><title>t</title>
<body style="margin:0;height:3000px">
<button id=b style="position:absolute;left:100px;top:100px;width:80px;height:40px">Play</button>
<button id=c style="position:absolute;left:400px;top:200px" disabled>Off</button>
<button id=d style="position:absolute;left:400px;top:250px">Under</button>
<div style="position:absolute;left:390px;top:240px;width:150px;height:60px"></div>
<input id=i style="position:absolute;left:10px;top:10px"><p class=two>a<p class=two>b
<div id=h hidden>later</div>
<script>
  window.log = [];
  for (const name of ['click', 'dblclick', 'keydown', 'wheel', 'mouseenter'])
    document.querySelector(name === 'mouseenter' ? '#b' : 'body').addEventListener(name, (e) =>
      log.push({name, key: e.key, dy: e.deltaY, at: performance.now(), id: e.target.id}));
  window.moves = [];
  addEventListener('mousemove', (e) => moves.push([e.clientX, e.clientY, performance.now()]));
</script>"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files that no other process uses; pytest's own is made before."""
    assert tmp_path.is_dir()
    folder = Path(tempfile.mkdtemp(prefix="uis-"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def profiles() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob(f"{PROFILE_PREFIX}*")}


def processes_naming(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(int(entry.name))
    return found


def wait_until(done: object, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if done():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return bool(done())  # type: ignore[operator]


@pytest.fixture(scope="module")
def display() -> Iterator[VirtualDisplay]:
    with VirtualDisplay(WIDTH, HEIGHT) as display:
        yield display


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """One for all: a thread can have only one at a time."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def session(
    display: VirtualDisplay, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserSession]:
    folder = tmp_path_factory.mktemp("run")
    with BrowserSession(
        find_browser(), display.name, WIDTH, HEIGHT, folder, playwright=playwright
    ) as session:
        yield session


@pytest.fixture
def start(
    display: VirtualDisplay, playwright: Playwright, tmp_path: Path
) -> Callable[..., BrowserSession]:
    """Makes a small session that is not entered yet."""

    def make(name: str = "", **options: object) -> BrowserSession:
        return BrowserSession(
            find_browser(),
            name or display.name,
            500,
            300,
            tmp_path / "run",
            playwright=playwright,
            **options,  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def runner(session: BrowserSession, tmp_path: Path) -> StepRunner:
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    runner = StepRunner(
        session.page,
        Path("scenarios/some.yaml"),
        base_url=tmp_path.as_uri() + "/",
        timeout=2.0,
        dead=lambda: session.dead,
    )
    runner.open("page.html")
    return runner


# --- finding one (no Chrome needed) ---


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_finds_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UISPLICE_BROWSER", raising=False)
    with pytest.raises(BrowserError, match="no browser found"):
        find_browser()
    for name in reversed(BROWSER_NAMES):
        expected = program(tmp_path, name)
        assert find_browser() == expected
    named = program(tmp_path, "other")
    monkeypatch.setenv("UISPLICE_BROWSER", "other")
    assert find_browser() == named
    assert find_browser(str(tmp_path / "chromium")) == tmp_path / "chromium"
    with pytest.raises(BrowserError, match="'nothing', named, is no program"):
        find_browser("nothing")


def test_refuses_the_snap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UISPLICE_BROWSER", raising=False)
    stub = '#!/bin/sh\nif ! [ -x /snap/bin/chromium ]; then echo "snap install chromium"; fi\n'
    program(tmp_path, "chromium-browser", stub)
    with pytest.raises(BrowserError, match="is a snap") as caught:
        find_browser()
    assert "deb" in caught.value.remedy
    assert find_browser(str(program(tmp_path, "chromium"))).name == "chromium"


def test_layer_environment_keeps_what_is_set(tmp_path: Path) -> None:
    layer = LayerEnvironment(tmp_path, "/ring", log="debug")
    assert layer.variables({}) == {
        "VK_ADD_LAYER_PATH": str(tmp_path),
        "VK_INSTANCE_LAYERS": "VK_LAYER_UISPLICE_capture",
        "UIS_RING": "/ring",
        "UIS_WSI": "virtual",
        "UIS_LOG": "debug",
    }
    inherited = {"VK_INSTANCE_LAYERS": "VK_LAYER_KHRONOS_validation"}
    assert layer.variables(inherited)["VK_INSTANCE_LAYERS"] == (
        "VK_LAYER_UISPLICE_capture:VK_LAYER_KHRONOS_validation"
    )


# --- a real one ---


@pytest.mark.chrome
def test_leaves_nothing(start: Callable[..., BrowserSession], temporary: Path) -> None:
    before = profiles()
    with start() as session:
        pid = session.pid
        assert pid is not None
        (mine,) = profiles() - before
        assert processes_naming(mine)
        assert session.version.startswith("Chrome/")
        assert session.page.evaluate("[innerWidth, innerHeight, devicePixelRatio]") == [500, 300, 1]
        assert session.dead is None
        session.page.goto("data:text/html,<title>x</title>")
        assert session.page.evaluate("[innerWidth, innerHeight]") == [500, 300]
    assert not processes_naming(mine)
    assert list(temporary.iterdir()) == []
    assert session.log_path.stat().st_size > 0
    with pytest.raises(RuntimeError):
        _ = session.page


@pytest.mark.chrome
def test_opens_no_port(session: BrowserSession) -> None:
    assert session.pid is not None
    sockets = {
        str(link.readlink())[8:-1]
        for link in Path(f"/proc/{session.pid}/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).startswith("socket:")
    }
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in sockets:
                assert fields[3] != "0A", f"listens: {line}"


@pytest.mark.chrome
def test_wrong_size_is_an_error(start: Callable[..., BrowserSession]) -> None:
    before = profiles()

    def smaller(width: int, height: int, _scale: float) -> list[str]:
        return [*launch_arguments(width, height), f"--window-size={width},{height - 56}"]

    with pytest.raises(BrowserError, match="500x244 instead of 500x300") as caught:
        start(arguments=smaller).__enter__()
    assert "56 px" in caught.value.remedy
    assert profiles() == before


@pytest.mark.chrome
def test_no_display_is_an_error(start: Callable[..., BrowserSession]) -> None:
    before = profiles()
    with pytest.raises(BrowserError, match="did not start") as caught:
        start(":4711").__enter__()
    assert caught.value.remedy == "check that the display :4711 runs"
    assert profiles() == before


@pytest.mark.chrome
def test_a_dead_chrome_cuts_a_wait_short(start: Callable[..., BrowserSession]) -> None:
    before = profiles()
    with start() as session:
        assert session.pid is not None
        runner = StepRunner(session.page, Path("s.yaml"), dead=lambda: session.dead)
        os.kill(session.pid, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(BrowserError, match="Chrome"):
            runner.run(Wait(seconds=20), "P")
        assert time.monotonic() - began < 15
        with pytest.raises(BrowserError):
            session.check_alive()
    assert profiles() == before


@pytest.mark.chrome
def test_a_crashed_page_is_noticed(start: Callable[..., BrowserSession]) -> None:
    with start() as session:
        runner = StepRunner(session.page, Path("s.yaml"), dead=lambda: session.dead)
        (renderer,) = [
            pid
            for pid in processes_naming("--type=renderer")
            if os.getpgid(pid) == session.pid
            and b"--extension-process" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        ][:1]
        os.kill(renderer, signal.SIGKILL)
        with pytest.raises(BrowserError, match="the page crashed"):
            runner.run(Wait(seconds=20), "P")


@pytest.mark.chrome
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGKILL])
def test_a_process_leaves_no_chrome(
    number: signal.Signals | None,
    display: VirtualDisplay,
    start: Callable[..., BrowserSession],
    temporary: Path,
    tmp_path: Path,
) -> None:
    script = tmp_path / "session.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            from harness.browser import BrowserSession
            from harness.browser_program import find_browser
            from harness.interrupts import heed_interrupts
            folder = Path({str(tmp_path / "run")!r})
            session = BrowserSession(find_browser(), {display.name!r}, 500, 300, folder)
            with heed_interrupts(), session:
                print("ready", session._scratch.name, sep="\\n", flush=True)
                while {number is not None}:
                    session.page.wait_for_timeout(100)
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        mine = process.stdout.readline().decode().strip()
        if number is None:
            assert process.wait(20) == 0
        elif number is signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.kill()
        process.communicate(timeout=20)
    finally:  # a Chrome that stays would disturb the tests after this one
        process.kill()
        process.wait()
    assert wait_until(lambda: not processes_naming(mine))
    if number is signal.SIGKILL:  # nobody was left to remove it; the next session does
        with start():
            pass
    assert list(temporary.iterdir()) == []


@pytest.mark.chrome
def test_the_displays_own_pointer_moves_nothing(
    runner: StepRunner, start: Callable[..., BrowserSession]
) -> None:
    # A second window that comes and goes made Chrome tell the page where the X pointer is.
    with start() as session:
        session.page.wait_for_timeout(300)
    runner.sleep(0.5)
    assert runner.page.evaluate("moves") == []


# --- steps ---


@pytest.mark.chrome
def test_mouse_travels_and_acts(runner: StepRunner) -> None:
    runner.run(Click(selector="text=Play"), "P")
    moves = runner.page.evaluate("moves")
    assert len(moves) >= 5
    assert moves[-1][:2] == [140, 120]
    assert 100 < moves[-1][2] - moves[0][2] < 1500
    assert [entry["name"] for entry in runner.page.evaluate("log")] == ["mouseenter", "click"]
    runner.run(Move(x=10, y=300), "P")
    assert runner.page.evaluate("moves.at(-1).slice(0, 2)") == [10, 300]
    runner.run(DoubleClick(selector="#b"), "P")
    runner.run(Hover(selector="#b"), "P")
    assert [entry["name"] for entry in runner.page.evaluate("log")][2:] == [
        "mouseenter",
        "click",
        "click",
        "dblclick",
    ]


@pytest.mark.chrome
def test_keys_and_wheel_come_at_their_times(runner: StepRunner) -> None:
    runner.run(Press(key="ArrowRight", times=3, every=0.2), "P")
    keys = runner.page.evaluate("log.filter(e => e.name == 'keydown')")
    assert [entry["key"] for entry in keys] == ["ArrowRight"] * 3
    assert keys[2]["at"] - keys[0]["at"] == pytest.approx(400, abs=150)
    runner.run(Click(selector="#i"), "P")
    runner.run(Type(text="spåce", every=0.02), "P")
    assert runner.page.evaluate("i.value") == "spåce"
    runner.run(Scroll(by=450, over=0.3), "P")
    wheel = runner.page.evaluate("log.filter(e => e.name == 'wheel').map(e => e.dy)")
    assert wheel == [100, 100, 100, 100, 50]
    runner.sleep(0.5)
    assert runner.page.evaluate("scrollY") == 450


@pytest.mark.chrome
def test_marks_and_screenshots_are_handed_over(runner: StepRunner) -> None:
    marks: list[str] = []
    pictures: list[bytes] = []
    runner.on_mark = lambda name, _at: marks.append(name)
    runner.on_screenshot = lambda _name, png: pictures.append(png)
    for step in (Mark(name="modal open"), Screenshot(name="home"), Wait(seconds=0.1)):
        runner.run(step, "P")
    assert marks == ["modal open"]
    assert pictures[0].startswith(b"\x89PNG")


@pytest.mark.chrome
@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            Click(selector="text=Nothing", timeout=0.3, line=41),
            r"^phase 'X' \(1 of 2\), scenarios/some.yaml:41: click 'text=Nothing' failed: "
            "no element matched within 300ms",
        ),
        (Click(selector=".two", timeout=0.3), "2 elements matched"),
        (Click(selector="#h", timeout=0.3), "the element stayed hidden within 300ms"),
        (Click(selector="#c", timeout=0.8), "the element is disabled within 800ms"),
        (Click(selector="#d", timeout=0.8), "another element covers it within 800ms"),
        (Click(selector="a >>> [", timeout=0.3), "not a selector"),
        (WaitFor(selector="#h", timeout=0.3), "the element stayed hidden"),
        (WaitFor(selector="#b", state="hidden", timeout=0.3), "the element was still there"),
        (WaitForVideo(timeout=0.3), "no video matched 'video' within 300ms"),
        (Open(url="none.html"), r"the page did not load \(net::ERR_FILE_NOT_FOUND\)"),
    ],
    ids=lambda value: value.subject if hasattr(value, "subject") else "",
)
def test_failures_say_what_and_where(runner: StepRunner, step: object, reason: str) -> None:
    with pytest.raises(StepError, match=reason) as caught:
        runner.run(step, "phase 'X' (1 of 2)")  # type: ignore[arg-type]
    assert caught.value.remedy
