"""What each step, locator, condition and setting may be, as the file writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ScenarioError
from harness.scenario import (
    STEP_TYPES,
    Back,
    Click,
    Condition,
    Crash,
    Drag,
    Expect,
    If,
    Locator,
    Network,
    PageExpectation,
    Press,
    Reload,
    Repeat,
    Resize,
    Scenario,
    Screenshot,
    Scroll,
    SetNetwork,
    Type,
    Viewport,
    Wait,
    WaitForVideo,
    load_scenario,
)
from harness.scenario.locator import as_pattern
from harness.scenario.network import PROFILES
from harness.scenario.page_expectation import WORDS
from harness.scenario.step import BaseStep, every_step

HEAD = "open: https://example.com/\n"


def load(folder: Path, text: str) -> Scenario:
    path = folder / "some.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_scenario(path)


def step(folder: Path, text: str) -> BaseStep:
    (found,) = load(folder, f"steps:\n  - {text}\n").phases[0].steps
    return found.model_copy(update={"line": 0})


def refused(folder: Path, text: str) -> str:
    """The one problem of a step, from its column in `text` on."""
    with pytest.raises(ScenarioError) as caught:
        step(folder, text)
    (line,) = caught.value.message.splitlines()
    number, column, said = re.fullmatch(r".*some.yaml:(\d+):(\d+): (.*)", line).groups()  # type: ignore[union-attr]
    assert int(number) >= 3
    return f"{int(column) - 4}: {said}"


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.step_functions.names", lambda: ["log_in", "log_out"])


@pytest.mark.usefixtures("log_in")
@pytest.mark.parametrize("kind", STEP_TYPES)
def test_every_example_is_a_step(tmp_path: Path, kind: str) -> None:
    text = STEP_TYPES[kind].example + {
        "repeat": "\n    steps: [{wait: 1s}]",
        "if": "\n    then: [{wait: 1s}]",
    }.get(kind, "")
    (tmp_path / "index.html").touch()
    assert text.startswith(f"{kind}: ")
    assert step(tmp_path, text).kind == kind


def test_every_model_of_a_step_has_its_name() -> None:
    def leaves(model: type[BaseStep]) -> set[type[BaseStep]]:
        below = {leaf for further in model.__subclasses__() for leaf in leaves(further)}
        return below if below else {model}

    assert set(STEP_TYPES.values()) == leaves(BaseStep)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reload: 'text=Home'", Reload(ready=Locator(selector="text=Home"))),
        ("reload: {role: main}\n    timeout: 20s", Reload(ready=Locator(role="main"), timeout=20)),
        ("back: {text: Home, nth: 1}", Back(ready=Locator(text="Home", nth=1))),
        ("click: {role: button, name: Play}", Click(role="button", name="Play")),
        ("click: {label: Name, button: right}", Click(label="Name", button="right")),
        ("click: {test_id: play, timeout: 1s}", Click(test_id="play", timeout=1)),
        (
            "drag: {from: '#a', to: {text: b}, over: 1s}",
            Drag(from_=Locator(selector="#a"), to=Locator(text="b"), over=1),
        ),
        ("drag: {from: '#a', right: -20}", Drag(from_=Locator(selector="#a"), right=-20)),
        ("press: {key: Control+A, at: '#i'}", Press(key="Control+A", at=Locator(selector="#i"))),
        (
            "type: {text: x, into: {placeholder: Titles}}",
            Type(text="x", into=Locator(placeholder="Titles")),
        ),
        ("scroll: -600", Scroll(by=-600)),
        ("scroll: {across: 300, at: '#row'}", Scroll(across=300, at=Locator(selector="#row"))),
        (
            "scroll: {keys: PageDown, times: 2, every: 1s}",
            Scroll(keys="PageDown", times=2, every=1),
        ),
        ("wait_for_video: buffering", WaitForVideo(state="buffering")),
        (
            "wait_for_video: {selector: .trailer, past: 2.5s}",
            WaitForVideo(selector=".trailer", past=2.5),
        ),
        ("expect: {text: Hi, to: not be visible}", Expect(text="Hi", to="not be visible")),
        ("expect: {to: have url, value: /x/}", Expect(to="have url", value="/x/")),
        ("screenshot: {name: a, of: '#a'}", Screenshot(name="a", of=Locator(selector="#a"))),
        ("resize: {width: 640, height: 360}", Resize(to=Viewport(width=640, height=360))),
        ("network: offline", SetNetwork(to=Network(offline=True))),
        (
            "network: {latency: 20ms, download: 5 Mbit/s, upload: 300 kbit/s}",
            SetNetwork(to=Network(latency=0.02, download=5e6, upload=3e5)),
        ),
        ("crash: page", Crash(what="page")),
        (
            "repeat: 3\n    steps: [{wait: 1s}]\n    timeout: 9s",
            Repeat(times=3, steps=(Wait(seconds=1, line=4),), timeout=9),
        ),
        (
            "repeat: {times: 3, every: 2s, until: 'text=x', steps: [{wait: 1s}]}",
            Repeat(
                times=3,
                every=2,
                until=Condition(visible=Locator(selector="text=x")),
                steps=(Wait(seconds=1, line=3),),
            ),
        ),
        (
            "if: {value: a, is: a}\n    then: [{wait: 1s}]\n    else: [{wait: 2s}]",
            If(
                condition=Condition(value="a", is_="a"),
                then=(Wait(seconds=1, line=4),),
                otherwise=(Wait(seconds=2, line=5),),
            ),
        ),
        (
            "if: {hidden: {role: status}}\n    then: [{wait: 1s}]",
            If(condition=Condition(hidden=Locator(role="status")), then=(Wait(seconds=1, line=4),)),
        ),
    ],
)
def test_steps(tmp_path: Path, text: str, expected: BaseStep) -> None:
    assert step(tmp_path, text) == expected


@pytest.mark.usefixtures("log_in")
def test_call(tmp_path: Path) -> None:
    called = step(tmp_path, "call: {name: log_in, with: {user: ada, times: 3}}")
    assert getattr(called, "arguments") == (("user", "ada"), ("times", "3"))  # noqa: B009
    assert refused(tmp_path, "call: log_inn") == (
        "7: call: unknown function 'log_inn'; did you mean 'log_in'? Allowed: log_in, log_out"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reload: {}", "9: an element is needed; give one of selector, role, text, label, "
         "placeholder, alt, title, test_id"),
        ("resize: {width: 640}", "9: resize: a size has both 'width' and 'height'"),
        ("network: {offline: true, latency: 1s}",
         "10: network: a network that is offline has no latency, download or upload"),
        ("drag: {from: a, to: b, down: 5}",
         "1: a drag goes 'to' an element, or some pixels 'right' and 'down'"),
        ("scroll: {keys: End, at: a}", "25: a scroll's 'at' goes with 'by' and 'across'"),
        ("wait_for_video: {state: paused, past: 5}",
         "39: past: '5' has no unit; did you mean '5s'?"),
        ("click: {text: a, exact: 1}", "25: exact: '1' is not 'true' or 'false'"),
        ("click: {title: '/(?<x/'}",
         "16: title: '/(?<x/' is not a regular expression: unknown extension ?<x at position 1"),
        ("click: {title: '/a{99999999999}/'}",
         "16: title: '/a{99999999999}/' is not a regular expression: "
         "the repetition number is too large"),
        ("click: {role: button, name: a, from_: b}",
         "32: unknown key 'from_'; did you mean 'frame'?"),
        ("drag: {from_: a, right: 5}",
         "8: unknown key 'from_'; did you mean 'from'? Allowed: from, to, right, down, over, "
         "timeout"),
        ("if: {value: a, is_: a}\n    then: [{wait: 1s}]",
         "16: unknown key 'is_'; did you mean 'is'? Allowed: visible, hidden, video, value, is"),
    ],
)  # fmt: skip
def test_refused_steps(tmp_path: Path, text: str, said: str) -> None:
    assert refused(tmp_path, text) == said


def test_names_of_python_are_no_names_of_the_file(tmp_path: Path) -> None:
    for text in ("phases: [{name: A, duration: 1s}]\n", "title: A\nwait: 1s\n"):
        with pytest.raises(ScenarioError, match=r"some.yaml:2:\d+: unknown key '(name|title)'"):
            load(tmp_path, text)


def test_patterns() -> None:
    assert as_pattern("Play") == "Play"
    assert as_pattern("/^Play/i") == re.compile("^Play", re.I)
    assert as_pattern("/a/b/") == re.compile("a/b")
    assert as_pattern("/browse/home") == "/browse/home"  # a path
    assert as_pattern("//") == "//"
    with pytest.raises(ValueError, match="has the flag 'g'; flags here are i, s, m"):
        as_pattern("/Play/g")
    with pytest.raises(ValueError, match="is not a regular expression"):
        as_pattern("/" + "(" * 2000 + "/")


@pytest.mark.parametrize("way", Locator.ways)
def test_one_way_at_a_time(way: str) -> None:
    value = "button" if way == "role" else "x"
    element = Locator.model_validate({way: value, "nth": 2, "frame": "iframe"})
    assert element.found and element.spelled.endswith("(nth 2)")
    other = "text" if way != "text" else "label"
    with pytest.raises(ValueError, match="not by both"):
        Locator.model_validate({way: value, other: "y"})


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("negated", [False, True])
def test_every_expectation(words: str, negated: bool) -> None:
    kind = WORDS[words][1]
    data: dict[str, Any] = {"to": f"not {words}" if negated else words}
    if not words.startswith(("have url", "have page title")):
        data["text"] = "a"
    if words in ("have attribute", "have css"):
        data["of"] = "href"
    if kind:
        data["value"] = {"number": "3"}.get(kind, "button")
    expectation = PageExpectation.model_validate(data)
    assert (expectation.words, expectation.negated) == (words, negated)
    assert data["to"] in expectation.subject
    wrong = {key: value for key, value in data.items() if key != "value"} if kind else {
        **data, "value": "x"
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"'value'|no value"):
        PageExpectation.model_validate(wrong)


@pytest.mark.parametrize("name", PROFILES)
def test_network_profiles(name: str) -> None:
    network = Network.model_validate(name)
    assert network.offline == (name == "offline")
    assert str(Network.model_validate("full")) == "full"
    assert (network.download is None) == (name in ("full", "offline"))


def test_tags_skip_xfail_and_the_rest(tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text('{"cookies": [], "origins": []}')
    scenario = load(
        tmp_path,
        "tags: [player, slow_one]\nskip: needs a codec\nxfail: the player stalls\n"
        "storage_state: ada.json\nnetwork: 3g\nreduced_motion: true\nwait: 1s\n"
        "ready: {role: main}\nexpect: {page: ['text=Home', {text: x, to: be hidden}]}\n",
    )
    assert scenario.tags == ("player", "slow_one")
    assert scenario.skip == "needs a codec"
    assert scenario.xfail is not None
    assert (scenario.xfail.reason, scenario.xfail.strict) == ("the player stalls", True)
    assert (scenario.storage_state, scenario.reduced_motion) == ("ada.json", True)
    assert scenario.network.download == 1.6e6
    assert [e.subject for e in scenario.expect.page] == [
        "'text=Home' be visible",
        "text 'x' be hidden",
    ]
    relaxed = load(tmp_path, "xfail: {reason: flaky codec, strict: false}\nwait: 1s\n")
    assert relaxed.xfail is not None and not relaxed.xfail.strict


def test_steps_inside_steps_are_found(tmp_path: Path) -> None:
    scenario = load(
        tmp_path,
        "steps:\n  - repeat: 2\n    steps:\n      - if: a\n        then: [{open: 'http://x/1'}]\n"
        "        else: [{wait: 1s}, {open: 'http://x/2'}]\n  - mark: end\n",
    )
    kinds = [found.kind for found in every_step(scenario.phases[0].steps)]
    assert kinds == ["repeat", "if", "open", "wait", "open", "mark"]
    assert scenario.pages() == ("https://example.com/", "http://x/1", "http://x/2")


def test_how_long_steps_take() -> None:
    turn = Wait(seconds=1)
    assert Repeat(times=3, steps=(turn,)).fixed_seconds == 3
    assert Repeat(times=3, every=2, steps=(turn,)).fixed_seconds == 5
    assert Repeat(times=3, until=Condition(video="ended"), steps=(turn,)).fixed_seconds == 0
    assert Scroll(keys="End", times=3, every=1).fixed_seconds == 2
    assert If(condition=Condition(video="ended"), then=(turn,)).fixed_seconds == 0


def test_wait_until_lies_behind_what_comes_before(tmp_path: Path) -> None:
    phase = "phases:\n  - phase: A\n    duration: 3s\n    steps:\n      - wait: 500ms\n"
    good = load(tmp_path, f"{phase}      - wait_until: 2.5s\n      - wait: 400ms\n")
    assert good.phases[0].fixed_seconds == pytest.approx(2.9)
    assert good.phases[0].steps[1].subject == "wait until 2.5s into the phase"
    with pytest.raises(ScenarioError, match=r"phase 'A' lasts 3s, but its steps wait for 3\.1s"):
        load(tmp_path, f"{phase}      - wait_until: 3.1s\n")
    never = "'wait until 500ms into the phase' never waits: the steps before it take 500ms"
    with pytest.raises(ScenarioError, match=rf"some\.yaml:7:9: step: {never}"):
        load(tmp_path, f"{phase}      - wait_until: 500ms\n")
    with pytest.raises(ScenarioError, match="'0s' is no time at all"):
        load(tmp_path, "steps: [{wait_until: 0s}]\n")


def test_steps_under_an_if_need_not_fit(tmp_path: Path) -> None:
    text = (
        "phases:\n  - phase: A\n    duration: 1s\n    steps:\n"
        "      - repeat: 2\n        steps: [{wait: 1s}]\n"
    )
    with pytest.raises(ScenarioError, match="phase 'A' lasts 1s, but its steps wait for 2s"):
        load(tmp_path, text)
    assert load(tmp_path, text.replace("repeat: 2", "if: a").replace("steps: [", "then: ["))
