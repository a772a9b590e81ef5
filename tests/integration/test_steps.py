"""Every step, way to find an element, condition and expectation, played in a real Chrome."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.browser import BrowserSession
from harness.browser_program import find_browser
from harness.display import VirtualDisplay
from harness.errors import HarnessError, ScenarioError, StepError
from harness.media import prepare_clips
from harness.page_setup import NetworkShaper, StorageState, restore
from harness.scenario import STEP_TYPES, BaseStep, Network, Scenario, load_scenario
from harness.scenario.page_expectation import WORDS
from harness.server import SiteServer
from harness.steps import StepRunner, Window

pytestmark = pytest.mark.chrome

WIDTH, HEIGHT = 640, 360

PAGE = """<!doctype html><title>Lumen</title>
<style>
  body { margin: 0; height: 3000px; user-select: none }
  body > * { position: absolute }
  #row { left: 320px; top: 10px; width: 200px; height: 40px; overflow: auto }
  #row > div { width: 2000px; height: 20px }
  #card { left: 20px; top: 200px; width: 60px; height: 40px; background: #c33 }
  #target { left: 300px; top: 260px; width: 80px; height: 60px; background: #3c3 }
</style>
<h1 style="left:100px;top:0">Results for <b>city</b></h1>
<button id=play aria-label="Play film" title="Plays it" data-testid=play
  style="left:100px;top:100px;width:80px;height:40px;color:rgb(1, 2, 3)">Play</button>
<button id=off disabled style="left:200px;top:100px">Off</button>
<button class="two first" style="left:260px;top:100px">Two</button>
<button class="two second" style="left:340px;top:100px">Two</button>
<button style="left:420px;top:100px">two</button>
<label style="left:10px;top:60px">Title <input id=title placeholder="Titles, genres"></label>
<input id=check type=checkbox checked aria-label="Captions" style="left:10px;top:90px">
<img id=cover alt="Tin Orchard" style="left:500px;top:150px" width=20 height=20
  src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">
<a id=link href="other.html" style="left:10px;top:130px">Other page</a>
<div id=row><div>a wide row</div></div>
<div id=card draggable=false></div><div id=target></div>
<p class=spinner style="left:0;top:330px">loading</p>
<p class=spinner style="left:60px;top:330px">loading</p>
<div id=hidden hidden>later</div><div id=empty style="left:0;top:2000px"></div>
<iframe id=frame srcdoc="<button onclick='parent.log.push([`frame`])'>Inside</button>"
  style="left:430px;top:200px;width:150px;height:60px;border:0"></iframe>
<script>
  window.log = [];
  const note = (name, ...rest) => log.push([name, ...rest]);
  for (const name of ['click', 'dblclick', 'auxclick', 'mousedown', 'mouseup', 'keydown'])
    addEventListener(name, (e) =>
      note(name, e.target.id, e.key ?? e.button, e.clientX, e.clientY));
  document.querySelector('#row')
    .addEventListener('wheel', (e) => note('wheel', e.deltaX, e.deltaY));
  const count = document.querySelector('#play');
  let clicks = 0;
  count.addEventListener('click', () => { count.dataset.clicks = ++clicks; });
</script>"""
OTHER = "<!doctype html><title>Other</title><h2>Another page</h2><button>Play</button>"


class _Window(Window):
    """Notes what steps ask of the window; shapes the network for real."""

    def __init__(self, session: BrowserSession) -> None:
        self.asked: list[str] = []
        self.shaper = NetworkShaper(session.page)
        self.session = session

    def resize(self, width: int, height: int) -> None:
        self.asked.append(f"resize {width}x{height}")

    def shape_network(self, network: Network) -> None:
        self.shaper.shape(network)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserSession]:
    folder = tmp_path_factory.mktemp("run")
    with (
        VirtualDisplay(WIDTH, HEIGHT) as display,
        BrowserSession(
            find_browser(),
            display.name,
            WIDTH,
            HEIGHT,
            folder,
            context_options={"reduced_motion": "reduce"},
        ) as session,
    ):
        yield session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text(PAGE)
    (folder / "site" / "other.html").write_text(OTHER)
    (folder / "site" / "video.html").write_text(
        "<!doctype html><video id=v muted src=media/bikes.mp4></video>"
        "<video id=w muted src=media/bikes.mp4></video><script>v.play()</script>"
    )
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[SiteServer]:
    with SiteServer(folder / "site", prepare_clips(("bikes",))) as server:
        yield server


@pytest.fixture(scope="module")
def window(session: BrowserSession) -> _Window:
    return _Window(session)


@pytest.fixture
def runner(
    session: BrowserSession, site: SiteServer, folder: Path, window: _Window
) -> Iterator[StepRunner]:
    runner = StepRunner(
        session.page,
        folder / "some.yaml",
        base_url=f"{site.url}/",
        timeout=15.0,
        dead=lambda: session.dead,
        tick=lambda: 271,
        window=window,
        variables={"who": "Ada"},
    )
    runner.open("index.html")
    yield runner
    window.shape_network(Network())


Play = Callable[..., None]


@pytest.fixture
def play(runner: StepRunner, folder: Path) -> Play:
    """Writes steps into a scenario's file, loads it, and plays its phases."""

    def play(steps: str, head: str = "") -> None:
        path = folder / "some.yaml"
        body = textwrap.indent(textwrap.dedent(steps).strip(), "      ")
        path.write_text(
            f"site: site\nopen: index.html\n{head}phases:\n  - {{phase: Before, duration: 1s}}\n"
            f"  - phase: Now\n    steps:\n{body}\n"
        )
        run(runner, load_scenario(path))

    return play


def run(runner: StepRunner, scenario: Scenario) -> None:
    for number, phase in enumerate(scenario.phases, 1):
        for step in phase.steps:
            runner.run(step, f"phase '{phase.name}' ({number} of {len(scenario.phases)})")


@pytest.fixture(scope="module", autouse=True)
def every_kind_was_played() -> Iterator[set[str]]:
    """The kinds of steps that were run; none may be missing at the end."""
    kinds: set[str] = set()
    original = StepRunner.run

    def noting(self: StepRunner, step: BaseStep, where: str) -> None:
        kinds.add(step.kind)
        original(self, step, where)

    StepRunner.run = noting  # type: ignore[method-assign]
    yield kinds
    StepRunner.run = original  # type: ignore[method-assign]


def events(runner: StepRunner, *names: str) -> list[list[object]]:
    found: list[list[object]] = runner.page.evaluate("log")
    return [event for event in found if event[0] in names]


# --- elements ---


@pytest.mark.parametrize(
    ("element", "meant"),
    [
        ("'#play'", "play"),
        ("text=Play", "play"),
        ("{selector: '#play'}", "play"),
        ("{role: button, name: Play film}", "play"),
        ("{role: button, name: /^play/i}", "play"),
        ("{role: button, name: two, exact: true}", ""),
        ("{role: button, name: two, nth: 1}", ""),
        ("{text: Other}", "link"),
        ("{text: /other PAGE/i}", "link"),
        ("{text: Other page, exact: true}", "link"),
        ("{label: Title}", "title"),
        ("{placeholder: Titles}", "title"),
        ("{alt: Tin Orchard}", "cover"),
        ("{title: Plays it}", "play"),
        ("{test_id: play}", "play"),
    ],
)
def test_every_way_to_find_an_element(
    play: Play, runner: StepRunner, element: str, meant: str
) -> None:
    play(f"- move: {element}")
    found = "document.elementFromPoint(...arguments_)".replace(
        "arguments_", json.dumps([round(part) for part in runner.mouse.position])
    )
    assert runner.page.evaluate(f"{found}.id") == meant
    if "two" in element:
        assert runner.page.evaluate(f"{found}.textContent") == (
            "two" if "exact" in element else "Two"
        )


def test_an_element_in_a_frame(play: Play, runner: StepRunner) -> None:
    play("- click: {frame: '#frame', role: button, name: Inside}")
    assert ["frame"] in events(runner, "frame")


# --- mouse and keyboard ---


def test_buttons_and_double_clicks(play: Play, runner: StepRunner) -> None:
    play(
        """
        - hover: {test_id: play}
        - click: {test_id: play}
        - click: {test_id: play, button: right}
        - click: {test_id: play, button: middle}
        - double_click: {test_id: play}
        """
    )
    pressed = [(event[0], event[2]) for event in events(runner, "click", "auxclick", "dblclick")]
    assert pressed == [
        ("click", 0),
        ("auxclick", 2),
        ("auxclick", 1),
        ("click", 0),
        ("click", 0),
        ("dblclick", 0),
    ]


def test_drag_to_an_element_and_by_pixels(play: Play, runner: StepRunner) -> None:
    began = time.monotonic()
    play(
        """
        - drag: {from: '#card', to: {selector: '#target'}, over: 300ms}
        - drag: {from: '#card', right: 100, down: -50, over: 200ms}
        """
    )
    assert time.monotonic() - began >= 0.5
    assert events(runner, "mousedown", "mouseup") == [
        ["mousedown", "card", 0, 50, 220],
        ["mouseup", "target", 0, 340, 290],
        ["mousedown", "card", 0, 50, 220],
        ["mouseup", "", 0, 150, 170],
    ]


def test_drag_to_what_is_not_there_presses_nothing(play: Play, runner: StepRunner) -> None:
    with pytest.raises(StepError, match="no element matched within 300ms"):
        play("- drag: {from: '#card', to: '#nowhere', timeout: 300ms}")
    assert events(runner, "mousedown") == []


def test_press_on_and_type_into(play: Play, runner: StepRunner) -> None:
    play(
        """
        - type: {text: cizy, into: {placeholder: Titles}, every: 10ms}
        - press: {key: ArrowLeft, times: 1}
        - press: {key: Backspace, at: '#title'}
        - type: t
        - press: {key: Control+A, at: '#title'}
        """
    )
    assert runner.page.evaluate("title.value") == "city"
    assert runner.page.evaluate("[title.selectionStart, title.selectionEnd]") == [0, 4]
    play("- press: {key: Space, at: {role: checkbox}}")
    assert runner.page.evaluate("check.checked") is False


def test_scrolling_with_the_wheel(play: Play, runner: StepRunner) -> None:
    play("- scroll: {by: 0, across: 250, at: '#row', over: 200ms}\n- wait: 300ms")
    assert runner.page.evaluate("row.scrollLeft") == 250
    assert [event[1] for event in events(runner, "wheel")] == [100, 100, 50]
    play("- move: {x: 600, y: 300}\n- scroll: 500\n- wait: 300ms\n- scroll: -200\n- wait: 300ms")
    assert runner.page.evaluate("scrollY") == 300


def test_scrolling_with_the_keyboard(play: Play, runner: StepRunner) -> None:
    play(
        """
        - click: {text: Results for}
        - scroll: {keys: PageDown, times: 2, every: 100ms}
        - wait: 300ms
        - expect: {selector: h1, to: not be in viewport}
        - scroll: {keys: Home}
        - wait: 400ms
        - expect: {selector: h1, to: be in viewport}
        - scroll: {keys: Space}
        - wait: 400ms
        """
    )
    assert runner.page.evaluate("scrollY") > 100


# --- pages ---


def test_pages_reload_and_go_back(play: Play, runner: StepRunner) -> None:
    play(
        """
        - open: other.html
        - expect: {to: have page title, value: Other}
        - back: {text: Results for}
        - expect: {to: have url, value: index.html}
        - click: "#link"
        - wait_for: {text: Another page}
        - expect: {to: have url, value: "/other/"}
        - back: {text: Results for}
          timeout: 5s
        """
    )
    runner.page.evaluate("window.kept = true")
    play("- reload: {selector: '#play'}")
    assert runner.page.evaluate("window.kept") is None
    # History that the page itself wrote gives no answer to go back to, and is gone back in.
    runner.page.evaluate("history.pushState(null, '', '#deeper')")
    play("- back: {selector: '#play'}")
    assert runner.page.url.endswith("index.html")


def test_a_reload_waits_for_what_it_names(play: Play) -> None:
    with pytest.raises(StepError, match=r"reload failed: no element matched within 400ms"):
        play("- reload: {text: Never}\n  timeout: 400ms")


def test_wait_until_counts_from_the_phase(play: Play, runner: StepRunner) -> None:
    runner.phase_began = began = time.monotonic()
    play("- wait: 100ms\n- wait_until: 600ms")
    assert time.monotonic() - began >= 0.6
    runner.phase_began = began - 10
    play("- wait_until: 5s")  # has passed
    assert time.monotonic() - began < 5


def test_wait_for_all_to_be_gone(play: Play, runner: StepRunner) -> None:
    runner.page.evaluate(
        "setTimeout(() => document.querySelectorAll('.spinner').forEach((s, i) => "
        "setTimeout(() => s.remove(), 200 * i)), 100)"
    )
    play("- wait_for: {selector: .spinner, state: hidden}")
    assert runner.page.locator(".spinner").count() == 0
    play(
        """
        - wait_for: {selector: .spinner, state: detached}
        - wait_for: {selector: '#hidden', state: attached}
        - wait_for: {selector: '#hidden', state: hidden}
        - wait_for: .two
        """
    )
    with pytest.raises(StepError, match="2 elements were still there within 200ms"):
        play("- wait_for: {selector: .two, state: hidden, timeout: 200ms}")
    with pytest.raises(StepError, match="the element was still there within 200ms"):
        play("- wait_for: {selector: '#hidden', state: detached, timeout: 200ms}")


def test_videos(play: Play, runner: StepRunner) -> None:
    play(
        """
        - open: video.html
        - wait_for_video: playing
        - wait_for_video: {selector: '#v', past: 500ms}
        - wait_for_video: {selector: '#w', state: paused}
        - if: {video: playing}
          then: [{mark: plays}]
          else: [{expect: "#nothing"}]
        """
    )
    assert runner.page.evaluate("v.currentTime") >= 0.5
    runner.page.evaluate("v.currentTime = v.duration - 0.2")
    play("- wait_for_video: ended")
    with pytest.raises(StepError, match="the video did not play past 1s within 200ms"):
        play("- wait_for_video: {selector: '#w', past: 1s, timeout: 200ms}")
    with pytest.raises(StepError, match="the video did not buffer within 200ms"):
        play("- wait_for_video: {state: buffering, timeout: 200ms}")


def test_marks_and_screenshots(play: Play, runner: StepRunner) -> None:
    marks: list[str] = []
    pictures: dict[str, bytes] = {}
    runner.on_mark = lambda name, _at: marks.append(name)
    runner.on_screenshot = pictures.__setitem__
    play("- mark: here\n- screenshot: all\n- screenshot: {name: card, of: '#card'}")
    assert marks == ["here"]
    sizes = {name: (png[16:20], png[20:24]) for name, png in pictures.items()}
    as_bytes = lambda *size: tuple(side.to_bytes(4, "big") for side in size)  # noqa: E731
    assert sizes == {"all": as_bytes(WIDTH, HEIGHT), "card": as_bytes(60, 40)}


# --- conditions and repeats ---


def clicks(runner: StepRunner) -> int:
    return int(runner.page.evaluate("Number(play.dataset.clicks ?? 0)"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("text=Results", True),
        ("text=Nothing", False),
        ("{visible: {role: button, name: Off}}", True),
        ("{visible: '#hidden'}", False),
        ("{visible: .two}", True),
        ("{hidden: '#hidden'}", True),
        ("{hidden: '#nothing'}", True),
        ("{hidden: .spinner}", False),
        ("{visible: {frame: '#frame', text: Inside}}", True),
        ("{visible: {frame: '#nothing', text: Inside}}", False),
        ("{video: playing}", False),
        ('{value: "${who}", is: Ada}', True),
        ('{value: "${who}", is: Kofi}', False),
    ],
)
def test_conditions(play: Play, runner: StepRunner, condition: str, holds: bool) -> None:
    began = time.monotonic()
    play(
        f"- if: {condition}\n  then: [{{click: '#play'}}]\n  else: [{{double_click: '#play'}}]",
        head="variables: {who: Ada}\n",
    )
    assert clicks(runner) == (1 if holds else 2)
    assert time.monotonic() - began < runner.timeout  # a condition does not wait


def test_repeats(play: Play, runner: StepRunner) -> None:
    began = time.monotonic()
    play("- repeat: {times: 3, every: 400ms}\n  steps: [{click: '#play'}]")
    assert clicks(runner) == 3
    assert 0.8 <= time.monotonic() - began < runner.timeout
    until = (
        "- repeat: {times: 5, until: {visible: '[data-clicks=\"%d\"]'}}\n"
        "  steps: [{click: '#play'}]"
    )
    play(until % 5)
    assert clicks(runner) == 5
    play(until % 5)
    assert clicks(runner) == 5  # it held at once
    with pytest.raises(StepError, match=r"after 5 times '\[data-clicks=\"3\"\]' is visible does"):
        play(until % 3)
    assert clicks(runner) == 10


def test_a_repeat_has_a_timeout_of_its_own(play: Play) -> None:
    with pytest.raises(StepError, match=r"repeat 9 times failed: \d of 9 times took 500ms"):
        play("- repeat: 9\n  timeout: 500ms\n  steps: [{wait: 200ms}]")


# --- expectations ---

HOLDS = {
    "be visible": "{text: Results}",
    "be hidden": "{selector: '#hidden'}",
    "be attached": "{selector: '#hidden'}",
    "be enabled": "{selector: '#play'}",
    "be disabled": "{selector: '#off'}",
    "be editable": "{label: Title}",
    "be checked": "{role: checkbox}",
    "be focused": "{placeholder: Titles}",
    "be empty": "{selector: '#empty'}",
    "be in viewport": "{selector: '#play'}",
    "have text": "{selector: h1, value: Results for city}",
    "contain text": "{selector: h1, value: /CITY/i}",
    "have value": "{selector: '#title', value: ''}",
    "have class": "{selector: .first, value: two first}",
    "have id": "{text: Play, value: play}",
    "have role": "{selector: '#play', value: button}",
    "have accessible name": "{selector: '#play', value: Play film}",
    "have count": "{selector: .two, value: 2}",
    "have attribute": "{selector: '#link', of: href, value: other.html}",
    "have css": "{selector: '#play', of: color, value: 'rgb(1, 2, 3)'}",
    "have page title": "{value: Lumen}",
    "have url": "{value: index.html}",
}
# What a failure says it found instead.
FOUND = {
    "have text": "Results for city",
    "contain text": "Results for city",
    "have class": "two first",
    "have count": "2",
    "have page title": "Lumen",
    "be hidden": "hidden",
}


@pytest.mark.parametrize("words", WORDS)
def test_expectations(play: Play, words: str) -> None:
    if words == "be focused":
        play("- click: {placeholder: Titles}")
    if words == "have value":
        play("- type: {text: a, into: '#title'}")
    element = HOLDS[words].replace("value: ''", "value: a")
    play(f"- expect: {element[:-1]}, to: {words}}}")
    with pytest.raises(StepError) as caught:
        play(f"- expect: {element[:-1]}, to: not {words}, timeout: 200ms}}")
    said = caught.value.message
    assert f"not {words}" in said
    assert "failed: within 200ms: " in said
    assert FOUND.get(words, "") in said.split("within 200ms: ")[1]
    assert said.split("within 200ms: ")[1] not in ("", "nothing")


@pytest.mark.parametrize(
    ("expectation", "measured"),
    [
        ("{text: Nothing}", "no such element"),
        ("'#hidden'", "hidden"),
        ("{selector: h1, to: have text, value: Results}", "Results for city"),
        ("{selector: .two, to: have count, value: 3}", "2"),
        ("{to: have page title, value: /nothing/}", "Lumen"),
        ("{selector: '#link', to: have attribute, of: href, value: x}", "other.html"),
        ("{selector: '#off', to: be enabled}", "disabled"),
    ],
)
def test_expectations_that_do_not_hold(play: Play, expectation: str, measured: str) -> None:
    element = expectation.replace("'#hidden'", "{selector: '#hidden'}")
    with pytest.raises(StepError) as caught:
        play(f"- expect: {element[:-1]}, timeout: 300ms}}")
    assert caught.value.message.endswith(f"failed: within 300ms: {measured}")
    assert "picture" in caught.value.remedy


def test_an_expectation_may_come_true(play: Play, runner: StepRunner) -> None:
    runner.page.evaluate("setTimeout(() => { hidden.hidden = false }, 600)")
    play("- expect: '#hidden'")


# --- window, network, logins, Python ---


def test_the_window_is_asked(play: Play, window: _Window) -> None:
    play("- resize: 320x180", head="viewport: 640x360\n")
    assert window.asked == ["resize 320x180"]
    with pytest.raises(HarnessError, match="this window cannot crash its page"):
        play("- crash: page")


def test_offline_and_slow_networks(play: Play) -> None:
    with pytest.raises(StepError, match=r"the page did not load \(net::ERR_INTERNET_DISCONNECTED"):
        play("- network: offline\n- open: other.html")
    began = time.monotonic()
    play("- network: {latency: 4s}\n- open: other.html")
    assert time.monotonic() - began >= 4
    play("- network: full")
    began = time.monotonic()
    play("- open: index.html")
    assert time.monotonic() - began < 4


def test_reduced_motion(runner: StepRunner) -> None:
    query = "matchMedia('(prefers-reduced-motion: reduce)').matches"
    assert runner.page.evaluate(query) is True


def test_logins(
    play: Play, runner: StepRunner, session: BrowserSession, site: SiteServer, folder: Path
) -> None:
    (folder / "ada.json").write_text(
        json.dumps(
            {
                "cookies": [
                    {"name": "session", "value": "42", "url": "http://site/"},
                    {"name": "seen", "value": "1", "domain": "site", "path": "/"},
                ],
                "origins": [
                    {
                        "origin": "http://site",
                        "localStorage": [{"name": "profile", "value": "Ada"}],
                    },
                    {
                        "origin": "http://elsewhere.test",
                        "localStorage": [{"name": "profile", "value": "Kofi"}],
                    },
                ],
            }
        )
    )
    restore(session.context, StorageState.read(folder / "ada.json"), site.url)
    play("- open: other.html")
    page = runner.page
    assert sorted(page.evaluate("document.cookie").split("; ")) == ["seen=1", "session=42"]
    assert page.evaluate("localStorage.profile") == "Ada"
    page.evaluate("localStorage.profile = 'Mira'")
    play("- reload: {text: Another page}")
    assert page.evaluate("localStorage.profile") == "Mira"  # what the page wrote stays
    (folder / "bad.json").write_text(json.dumps({"cookies": [{"name": "a", "value": "b"}]}))
    with pytest.raises(ScenarioError, match="the storage state's cookies do not hold"):
        restore(session.context, StorageState.read(folder / "bad.json"), site.url)


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with steps, as its entry points declare them."""
    (tmp_path / "shop_steps.py").write_text(
        textwrap.dedent(
            """
            def log_in(context, user, times="1"):
                for _ in range(int(times)):
                    context.page.get_by_test_id("play").click(timeout=context.timeout * 1000)
                context.sleep(0.1)
                context.mark(f"{user} of {context.variables['who']} at {context.base_url}")

            def fail(context):
                raise ValueError("no such shop")
            """
        )
    )
    info = tmp_path / "shop_steps-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-steps\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[uisplice.steps]\nlog_in = shop_steps:log_in\nfail = shop_steps:fail\n"
        "gone = shop_steps:gone\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("shop_steps", None)


@pytest.mark.usefixtures("registered")
def test_steps_in_python(play: Play, runner: StepRunner, site: SiteServer) -> None:
    marks: list[str] = []
    runner.on_mark = lambda name, _at: marks.append(name)
    play("- call: {name: log_in, with: {user: Kofi, times: 2}}")
    assert clicks(runner) == 2
    assert marks == [f"Kofi of Ada at {site.url}/"]
    with pytest.raises(
        StepError, match=r"call 'fail' failed: ValueError: no such shop \(.*shop_steps.py:9\)"
    ) as caught:
        play("- call: fail")
    assert caught.value.remedy == "mend the function 'fail'"
    with pytest.raises(StepError, match="unexpected keyword argument 'usr'"):
        play("- call: {name: log_in, with: {usr: Kofi}}")
    with pytest.raises(StepError, match=r"has no attribute 'gone'"):
        play("- call: gone")
    with pytest.raises(ScenarioError, match="unknown function 'login'; did you mean 'log_in'"):
        play("- call: login")


# --- failures ---


def test_a_failure_says_phase_tick_file_and_line(play: Play, folder: Path) -> None:
    with pytest.raises(StepError) as caught:
        play("- wait: 10ms\n- if: text=Results\n  then:\n    - click: {text: Gone, timeout: 200ms}")
    assert caught.value.message == (
        f"phase 'Now' (2 of 2), tick 271, {folder}/some.yaml:10: "
        "click text 'Gone' failed: no element matched within 200ms"
    )


def test_a_failure_in_an_included_file_names_it(runner: StepRunner, folder: Path) -> None:
    (folder / "parts.yaml").write_text(
        "templates:\n  - phase: Leave\n    steps:\n      - wait: 10ms\n"
        "      - click: {text: '${where}', timeout: 200ms}\n"
    )
    path = folder / "some.yaml"
    path.write_text(
        "site: site\nopen: index.html\ninclude: parts.yaml\nphases:\n"
        "  - use: Leave\n    with: {where: Exit}\n"
    )
    with pytest.raises(StepError) as caught:
        run(runner, load_scenario(path))
    assert caught.value.message.startswith(
        f"phase 'Leave' (1 of 1), tick 271, {folder}/parts.yaml:5: click text 'Exit' failed: "
    )


@pytest.mark.parametrize(
    ("step", "reason", "remedy"),
    [
        ("click: {selector: .two, timeout: 200ms}", "2 elements matched", "nth"),
        ("click: {selector: '#off', timeout: 600ms}", "the element is disabled", "wait for"),
        ("click: {selector: '[', timeout: 300ms}", "not a selector", "Playwright's"),
        ("hover: {selector: '#hidden', timeout: 300ms}", "the element stayed hidden", "selector"),
        ("press: {key: a, at: '#no', timeout: 300ms}", "no element matched", "selector"),
        ("screenshot: {name: a, of: '#no', timeout: 300ms}", "no element matched", "selector"),
        ("expect: {selector: .two, timeout: 300ms}", "2 elements matched", "nth"),
        ("expect: {selector: '[', timeout: 300ms}", "not a selector", "Playwright's"),
        ("open: nowhere", "answered 404", "path on the scenario's site"),
        ("click: {frame: '#no', text: a, timeout: 300ms}", "no element matched", "selector"),
    ],
)
def test_reasons_and_remedies(play: Play, step: str, reason: str, remedy: str) -> None:
    with pytest.raises(StepError) as caught:
        play(f"- {step}")
    assert reason in caught.value.message
    assert remedy in caught.value.remedy


def test_a_way_of_the_mouse_that_takes_all_the_time(play: Play, runner: StepRunner) -> None:
    """400 ms of it: Playwright has no time left to find out what is wrong with the button."""
    runner.mouse_speed = 1.0
    with pytest.raises(StepError, match="the element is disabled within 390ms"):
        play("- click: {selector: '#off', timeout: 390ms}")


def test_nothing_to_go_back_to(session: BrowserSession) -> None:
    page = session.context.new_page()
    try:
        alone = StepRunner(page, Path("s.yaml"), timeout=0.5)
        with pytest.raises(StepError, match="there is no page to go back to"):
            alone.run(STEP_TYPES["back"].model_validate({"ready": "text=x"}), "P")
    finally:
        page.close()
        session.page.bring_to_front()


def test_no_kind_of_step_was_left_out(every_kind_was_played: set[str]) -> None:
    assert every_kind_was_played == set(STEP_TYPES)
