"""The look-alike site: what happens, in which order, and that nothing happens besides.

Times are measured inside the page, by its own clock and its own transition events, and only
in the direction that a busy machine cannot turn round: not before, never after.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from harness.browser_program import find_browser
from harness.media import prepare_clips
from harness.server import SiteServer

pytestmark = pytest.mark.chrome

SITE = Path(__file__).parents[2] / "scenarios" / "site"
FAST = "billboardDelay=60000&hoverDelay=0&hoverGrow=0&detailOpen=0&pageSlide=0&buffering=0"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def server() -> Iterator[SiteServer]:
    with SiteServer(SITE, prepare_clips(["bigbuckbunny", "bikes"])) as server:
        yield server
        assert server.missing == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_browser()), args=["--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(server: SiteServer, browser: Browser) -> Iterator[Open]:
    """Opens a page of the site and waits until it is there; no page may report an error."""
    pages: list[Page] = []
    faults: list[str] = []

    def visit(query: str = "profile=ada", *, path: str = "index.html", fast: bool = True) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        pages.append(page)
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.extend([told.text] if told.type == "error" else []))
        page.goto(f"{server.url}/{path}?{query}&{FAST if fast else ''}")
        if path == "index.html":
            page.wait_for_selector(".header" if "profile" in query else ".gate")
        return page

    yield visit
    for page in pages:
        page.close()
    assert faults == []


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def card(page: Page, row: str, title: str) -> Locator:
    return button(page.locator(f"section[aria-label='{row}']"), title)


def focused(page: Page) -> Any:
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def plays(page: Page, selector: str) -> None:
    """Waits until a video shows another picture than now."""
    page.wait_for_function(
        "s => { const v = document.querySelector(s); return v && !v.paused && v.currentTime > 0 }",
        arg=selector,
    )
    since = position(page, selector)
    page.wait_for_function(
        "([s, t]) => document.querySelector(s).currentTime > t", arg=[selector, since]
    )


def position(page: Page, selector: str) -> float:
    return float(page.locator(selector).evaluate("video => video.currentTime"))


def stands(page: Page, selector: str) -> None:
    """Fails where a video's position moves within a quarter of a second."""
    before = position(page, selector)
    page.wait_for_timeout(250)
    assert position(page, selector) == before


def play(page: Page) -> None:
    """Starts the billboard's film, and waits until it runs."""
    button(page.locator(".billboard"), "Play").click()
    plays(page, ".player-video")


def hide(page: Page, hidden: bool) -> None:
    """Tells the page that its tab is hidden, or seen again."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def transitions(page: Page) -> None:
    """Keeps what transitions begin, with the seconds that they are to take, and which are cut
    short."""
    page.evaluate(
        """() => {
          window.begun = [];
          window.cut = [];
          document.addEventListener('transitioncancel', ({ target, propertyName }) =>
            window.cut.push([target.className, propertyName]));
          document.addEventListener('transitionrun', ({ target, propertyName }) => {
            const of = target.getAnimations().find((a) => a.transitionProperty === propertyName);
            const name = target.className.split(' ')[0];
            if (of) window.begun.push([name, propertyName, of.effect.getTiming().duration / 1000]);
          });
        }"""
    )


def wait_for_transition(page: Page, name: str, what: str) -> float:
    """The seconds that the last such transition takes, by the browser's own account."""
    return float(
        page.wait_for_function(
            "([n, w]) => window.begun.filter((e) => e[0] === n && e[1] === w).at(-1)?.[2]",
            arg=[name, what],
        ).json_value()
    )


def test_the_trailer_stands_whenever_it_is_covered(visit: Open) -> None:
    page = visit("profile=ada&billboardDelay=0&detailOpen=0&buffering=0", fast=False)
    trailer = ".billboard-video"
    page.wait_for_selector(".billboard.trailer")
    plays(page, trailer)

    card(page, "Trending now", "Far Orbit").hover()
    plays(page, ".preview-video")
    stands(page, trailer)
    button(page, "More about Far Orbit").click()
    plays(page, ".detail-video")
    stands(page, trailer)
    expect(page.locator(".preview")).to_have_count(0)
    page.keyboard.press("Escape")
    plays(page, trailer)

    button(page, "Search").click()
    page.keyboard.type("ice")
    expect(page.get_by_role("main", name="Search results")).to_be_visible()
    stands(page, trailer)
    page.keyboard.press("Escape")
    plays(page, trailer)

    play(page)
    stands(page, trailer)
    # A film that the viewer paused does not go on because the tab is seen again.
    page.keyboard.press("k")
    hide(page, True)
    hide(page, False)
    stands(page, ".player-video")
    page.keyboard.press("Escape")
    plays(page, trailer)

    hide(page, True)
    stands(page, trailer)
    hide(page, False)
    plays(page, trailer)


def test_the_trailer_waits_two_seconds(visit: Open) -> None:
    page = visit("", fast=False)
    page.evaluate(
        """() => document.addEventListener('play', () => {
          window.waited = performance.now() - window.chosen;
        }, true)"""
    )
    button(page, "Ada").evaluate("tile => { window.chosen = performance.now(); tile.click(); }")
    page.wait_for_function("window.waited")
    assert page.evaluate("window.waited") >= 1999  # a timer rounds to whole milliseconds
    expect(page.locator(".gate")).to_have_count(0)


def test_a_row_pages_with_a_slide_of_750_ms(visit: Open) -> None:
    page = visit("profile=ada&billboardDelay=60000", fast=False)
    transitions(page)
    button(page, "Next page of Trending now").click()
    assert wait_for_transition(page, "track", "transform") == pytest.approx(0.75)
    seen = page.locator("section[aria-label='Trending now'] .card[tabindex='0']")
    expect(seen).to_have_count(5)
    expect(seen.first).to_have_accessible_name("Understudy")
    expect(seen.first).to_be_in_viewport(ratio=1)
    button(page, "Previous page of Trending now").click()
    expect(seen.first).to_have_accessible_name("The Meadow Giant")
    expect(button(page, "Previous page of Trending now")).to_be_hidden()
    for _ in range(4):
        button(page, "Next page of Trending now").click()
    expect(seen.first).to_have_accessible_name("The Meadow Giant")


def test_a_preview_grows_300_ms_after_a_rest_of_400_ms(visit: Open) -> None:
    page = visit("profile=ada&billboardDelay=60000", fast=False)
    transitions(page)
    page.evaluate(
        """() => {
          document.addEventListener('pointermove', (event) => {
            if (event.target.closest('.card')) window.rested ??= performance.now();
          });
          new MutationObserver((records) => {
            const added = records.flatMap((record) => [...record.addedNodes]);
            if (added.some((node) => node.classList?.contains('preview')))
              window.waited = performance.now() - window.rested;
          }).observe(document.body, { childList: true });
        }"""
    )
    card(page, "Trending now", "Far Orbit").hover()
    expect(page.get_by_role("dialog", name="Preview of Far Orbit")).to_be_visible()
    assert page.evaluate("window.waited") >= 399  # a timer rounds to whole milliseconds
    assert wait_for_transition(page, "preview", "transform") == pytest.approx(0.3)
    plays(page, ".preview-video")
    assert page.evaluate("window.cut") == []
    # On whole pixels, without a transform.
    box = page.locator(".preview-video").bounding_box()
    assert box is not None
    assert box["x"] % 1 == box["y"] % 1 == 0
    assert (box["width"], box["height"]) == (320, 180)
    page.mouse.move(640, 100)
    expect(page.locator(".preview")).to_have_count(0)
    # A pointer that only passes by gets none.
    card(page, "Trending now", "Far Orbit").hover()
    page.mouse.move(640, 100)
    page.wait_for_timeout(600)
    expect(page.locator(".preview")).to_have_count(0)


def test_the_detail_window_is_850_pixels_wide_or_fits(visit: Open) -> None:
    page = visit()
    button(page, "More info").click()
    dialog = page.get_by_role("dialog", name="Night Courier")
    page.wait_for_selector(".detail-layer.settled")
    for window, wide in [(1280, 850), (1920, 850), (800, 752)]:
        page.set_viewport_size({"width": window, "height": 720})
        box, video = dialog.bounding_box(), page.locator(".detail-video").bounding_box()
        assert box is not None and video is not None
        assert (box["width"], box["x"]) == (wide, (window - wide) // 2)
        assert (video["width"], video["height"]) == (wide, round(wide * 9 / 16))


def test_the_detail_window_keeps_the_focus_and_gives_it_back(visit: Open) -> None:
    page = visit()
    card(page, "Trending now", "Far Orbit").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Far Orbit")
    expect(button(dialog, "Close")).to_be_focused()
    count = dialog.get_by_role("button").count()
    names = []
    for _ in range(count + 1):
        page.keyboard.press("Tab")
        names.append(focused(page))
        assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    assert names[0] == names[count]  # round once
    page.keyboard.press("Shift+Tab")
    assert focused(page) == names[count - 1]
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(card(page, "Trending now", "Far Orbit")).to_be_focused()


def test_search_filters_at_every_key_and_escape_clears_it(visit: Open) -> None:
    page = visit()
    results = page.get_by_role("main", name="Search results")
    field = page.get_by_role("textbox", name="Search titles")
    button(page, "Search").click()
    counts = []
    for typed, key in enumerate("cit", 1):
        page.keyboard.press(key)
        expect(page.get_by_role("status")).to_have_text(f"Results for “{'cit'[:typed]}”")
        counts.append(results.locator(".card").count())
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] > 0
    expect(button(results, "Side Streets")).to_be_visible()

    page.keyboard.type("zz")
    expect(results.get_by_role("heading", name="No such title")).to_be_visible()
    expect(results.locator(".card")).to_have_count(0)
    button(results, "Explore Space").click()
    expect(field).to_have_value("Space")
    expect(button(results, "Far Orbit")).to_be_visible()
    page.keyboard.press("Escape")
    expect(results).to_be_hidden()
    expect(page.get_by_role("main", name="Home")).to_be_visible()
    expect(field).to_have_value("")


def test_arrow_keys_go_everywhere(visit: Open) -> None:
    page = visit()
    home = page.get_by_role("main", name="Home")

    def press(*keys: str) -> Any:
        for key in keys:
            page.keyboard.press(key)
        return focused(page)

    assert press("ArrowDown") == "Play"
    assert press("ArrowRight") == "More info"
    assert press("ArrowUp") == "Series"
    assert press("ArrowLeft") == "Home"
    assert press("ArrowDown", "ArrowLeft", "ArrowDown") == "The Meadow Giant"
    expect(page.locator(":focus-visible")).to_have_css("outline-style", "solid")
    # Past the fifth card the row turns its page; back at its start, it stays.
    assert press(*["ArrowRight"] * 5) == "Understudy"
    assert press(*["ArrowLeft"] * 7) == "The Meadow Giant"
    assert press("ArrowDown") == "Paper Harbour"
    expect(page.locator("section[aria-label='Only on Lumen']")).to_be_in_viewport(ratio=1)
    press("Enter")
    dialog = page.get_by_role("dialog", name="Paper Harbour")
    expect(button(dialog, "Close")).to_be_focused()
    assert press("ArrowDown") == "Like Paper Harbour"
    assert press("ArrowLeft", "ArrowLeft") == "Play"
    assert press("ArrowDown").startswith("Episode 1")
    press("Escape")
    expect(dialog).to_have_count(0)
    assert press("ArrowUp", "ArrowUp") == "Play"
    expect(home).to_be_visible()
    page.wait_for_function("scrollY === 0")


def test_sections_and_the_own_list(visit: Open) -> None:
    page = visit()
    button(page, "My list").click()
    mine = page.get_by_role("main", name="My list")
    expect(mine.get_by_text("Your list is empty")).to_be_visible()
    button(page, "Home").click()
    button(page, "More info").click()
    button(page, "Add Night Courier to my list").click()
    button(page, "Close").click()
    button(page, "My list").click()
    expect(button(mine, "Night Courier")).to_be_visible()
    button(page, "Series").click()
    expect(page.get_by_role("main", name="Series").locator(".card")).to_have_count(21)
    expect(button(page, "Series")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Escape")
    expect(page.get_by_role("main", name="Home")).to_be_visible()


def test_the_film_begins_behind_a_spinner_and_stalls_where_told(visit: Open) -> None:
    page = visit("profile=ada&buffering=700&stallAt=1500&stallFor=1200", fast=False)
    button(page.locator(".billboard"), "Play").click()
    spinner = page.get_by_role("status", name="Loading")
    expect(spinner).to_be_visible()
    assert position(page, ".player-video") == 0
    plays(page, ".player-video")
    expect(spinner).to_be_hidden()
    page.evaluate(
        """() => {
          window.told = [];
          const video = document.querySelector('.player-video');
          for (const name of ['waiting', 'playing', 'pause'])
            video.addEventListener(name, () => window.told.push(name));
        }"""
    )
    expect(spinner).to_be_visible()
    assert position(page, ".player-video") >= 1.5
    assert page.locator(".player-video").evaluate("video => video.paused") is False
    stands(page, ".player-video")
    expect(spinner).to_be_hidden()
    plays(page, ".player-video")
    # A busy machine may stall again, by itself; the film never pauses.
    told = page.evaluate("window.told")
    assert told[:2] == ["waiting", "playing"]
    assert "pause" not in told


def test_a_seek_stalls_where_told(visit: Open) -> None:
    page = visit("profile=ada&seekStall=800")
    play(page)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    expect(page.get_by_role("status", name="Loading")).to_be_hidden()
    assert position(page, ".player-video") >= 10
    plays(page, ".player-video")


def test_controls_hide_after_the_pointer_rests(visit: Open) -> None:
    page = visit("profile=ada&controlsHide=700")
    play(page)
    controls = page.locator(".player.with-controls")
    page.mouse.move(600, 300)
    expect(controls).to_have_count(1)
    expect(controls).to_have_count(0)
    # They stay while the film pauses.
    page.keyboard.press(" ")
    page.wait_for_timeout(1000)
    expect(controls).to_have_count(1)
    expect(button(page, "Play")).to_have_count(2)  # the billboard's, and now the player's
    # The keys reach them, too, and Space is then the button's.
    page.keyboard.press("ArrowDown")
    assert focused(page) == "Play"
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Back 10 seconds"


def test_the_bar_shows_frames_of_the_film_and_seeks_on_release(visit: Open) -> None:
    page = visit("profile=ada&controlsHide=60000&introTo=0")
    play(page)
    page.keyboard.press("k")
    bar = page.get_by_role("slider", name="Seek")
    page.mouse.move(600, 300)
    box = bar.bounding_box()
    assert box is not None
    before = position(page, ".player-video")
    pictures = []
    # The clip repeats every ten seconds.
    for part in (0.2, 0.75):
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] / 2)
        expect(page.locator(".seek-preview")).to_be_visible()
        # The very frame, not a neighbour that stands in for it: nothing changes any more.
        picture = page.locator(".seek-picture")
        seen = ""
        for _ in range(40):
            page.wait_for_timeout(100)
            now = picture.evaluate("canvas => canvas.toDataURL()")
            if now == seen and now not in pictures and len(now) > 5000:
                break
            seen = now
        pictures.append(seen)
    assert len(set(pictures)) == 2
    assert all(len(picture) > 5000 for picture in pictures)  # a frame, not an empty canvas
    assert page.locator("video").count() == 2  # the second film is on no page

    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10, steps=3)
    assert position(page, ".player-video") == before
    page.mouse.up()
    duration = page.locator(".player-video").evaluate("video => video.duration")
    assert position(page, ".player-video") == pytest.approx(duration / 2, abs=0.5)
    page.mouse.move(600, 300)
    expect(page.locator(".seek-preview")).to_be_hidden()


def test_the_intro_can_be_skipped_between_its_times(visit: Open) -> None:
    page = visit("profile=ada&introFrom=1000&introTo=20000")
    play(page)
    skip = button(page, "Skip intro")
    expect(skip).to_be_hidden()
    expect(skip).to_be_visible()
    assert 1 <= position(page, ".player-video") < 20
    skip.click()
    expect(skip).to_be_hidden()
    assert position(page, ".player-video") >= 20


def test_subtitles_are_off_until_they_are_wanted(visit: Open) -> None:
    page = visit("profile=ada&introTo=0")
    play(page)
    lines = page.locator(".subtitles p")
    page.wait_for_function("document.querySelector('.player-video').currentTime > 1.5")
    expect(lines).to_have_count(0)
    page.keyboard.press("c")
    expect(lines).to_have_count(1)
    first = lines.inner_text()
    page.wait_for_function(
        "first => ![first, undefined].includes(document.querySelector('.subtitles p')?.innerText)",
        arg=first,
    )
    page.mouse.move(600, 300)
    expect(button(page, "Subtitles")).to_have_attribute("aria-pressed", "true")
    button(page, "Subtitles").click()
    expect(lines).to_have_count(0)

    again = visit("profile=ada&introTo=0&subtitles=on")
    play(again)
    expect(again.locator(".subtitles p")).to_have_text(first)  # the same in every run


def test_the_player_in_a_part_of_the_window(visit: Open) -> None:
    page = visit("profile=ada&player=windowed")
    play(page)
    video = page.locator(".player-video")
    assert video.bounding_box() == {"x": 160, "y": 88, "width": 960, "height": 544}
    page.keyboard.press("f")
    assert video.bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 720}
    page.set_viewport_size({"width": 1000, "height": 700})
    assert video.bounding_box() == {"x": 0, "y": 0, "width": 1000, "height": 700}


def test_the_next_episode_counts_down(visit: Open) -> None:
    page = visit("profile=ada&postplayAt=1500&countdown=2&postplayShrink=0&introTo=0")
    card(page, "Trending now", "Far Orbit").click()
    button(page, "Episode 2: The Other Half").click()
    expect(page.get_by_role("region", name="Player: Far Orbit")).to_contain_text("Episode 2")
    page.evaluate(
        """() => {
          window.counted = [];
          new MutationObserver(() => {
            const count = document.querySelector('.countdown')?.textContent;
            if (count && count !== window.counted.at(-1)) window.counted.push(count);
          }).observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    expect(button(page, "Play next")).to_be_focused()
    next_up = page.get_by_role("region", name="Up next")
    expect(next_up).to_contain_text("Next episode in")
    expect(next_up).to_contain_text("Episode 3")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Watch credits"
    # Then it plays by itself.
    expect(next_up).to_have_count(0)
    expect(page.get_by_role("region", name="Player: Far Orbit")).to_contain_text("Episode 3")
    assert page.evaluate("window.counted").index("1") == 1
    expect(page.locator(".player")).to_have_count(1)


def nameless(page: Page) -> list[str]:
    """What the browser's own accessibility tree offers to be used without a name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    used = {"button", "link", "slider", "textbox", "checkbox", "menuitem", "tab", "searchbox"}
    found, bad = 0, []
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        focusable = any(
            entry["name"] == "focusable" and entry["value"].get("value")
            for entry in node.get("properties", [])
        )
        if node.get("ignored") or not (role in used or focusable) or role == "RootWebArea":
            continue
        found += 1
        if not node.get("name", {}).get("value", "").strip():
            bad.append(f"{role} {node.get('backendDOMNodeId')}")
    assert found, "nothing to use on this page"
    return bad


def test_everything_that_can_be_clicked_has_a_name(visit: Open) -> None:
    page = visit("controlsHide=60000&introFrom=0&postplayAt=30000")
    assert nameless(page) == []
    button(page, "Ada").click()
    expect(page.locator(".gate")).to_have_count(0)
    button(page, "News").click()
    assert nameless(page) == []
    page.keyboard.press("Escape")
    card(page, "Trending now", "Far Orbit").hover()
    page.wait_for_selector(".preview.settled")
    assert nameless(page) == []
    button(page, "More about Far Orbit").click()
    page.wait_for_selector(".detail-layer.settled")
    assert nameless(page) == []
    button(page, "Close").click()
    button(page, "Search").click()
    for query in ("city", "zz"):
        page.keyboard.type(query)
        expect(page.get_by_role("status")).to_contain_text(query)
        assert nameless(page) == []
    page.keyboard.press("Escape")
    play(page)
    page.mouse.move(600, 300)
    expect(button(page, "Skip intro")).to_be_visible()
    assert nameless(page) == []
    page.locator(".player-video").evaluate("video => { video.currentTime = 30 }")
    expect(button(page, "Play next")).to_be_visible()
    assert nameless(page) == []
    # What listens to clicks without a role is a film or what lies behind a window.
    source = "\n".join(file.read_text() for file in sorted(SITE.glob("*.js")))
    for element in re.findall(r'el\("(\w+)", \{(?:[^{}]|\{[^{}]*\})*?onclick', source):
        assert element in {"button", "div", "section"}


def test_nothing_moves_on_a_still_page(visit: Open) -> None:
    def moving(page: Page) -> list[str]:
        page.wait_for_timeout(200)
        return list(
            page.evaluate(
                """() => document.getAnimations()
                  .filter((a) => a.playState === 'running')
                  .map((a) => `${a.effect.target.className} ${a.animationName ?? ''}`)"""
            )
        )

    page = visit("")
    assert moving(page) == []
    button(page, "Ada").click()
    expect(page.locator(".gate")).to_have_count(0)
    assert moving(page) == []
    button(page, "Search").click()
    page.keyboard.type("city")
    expect(page.locator(".results .card").first).to_be_visible()
    page.wait_for_timeout(400)
    assert moving(page) == []
    expect(page.get_by_role("textbox")).to_have_css("caret-color", "rgba(0, 0, 0, 0)")
    page.keyboard.press("Escape")
    play(page)
    page.wait_for_timeout(300)
    assert moving(page) == []
    page.keyboard.press(" ")
    page.wait_for_timeout(700)  # the symbol in the middle has faded
    assert moving(page) == []
    still = page.screenshot()
    page.wait_for_timeout(300)
    assert page.screenshot() == still


def test_two_visits_look_the_same(visit: Open) -> None:
    one, other = (visit() for _ in range(2))
    assert one.screenshot() == other.screenshot()
    source = "\n".join(file.read_text() for file in SITE.rglob("*.js"))
    assert "Math.random" not in source
    assert not re.search(r"\bDate\b", source)
    assert not re.search(r"https?://(?!www\.w3\.org)", source)


def test_less_motion_where_it_is_asked_for(server: SiteServer, browser: Browser) -> None:
    page = browser.new_page(reduced_motion="reduce", viewport={"width": 1280, "height": 720})
    page.goto(f"{server.url}/index.html?billboardDelay=60000")
    button(page, "Ada").click()
    expect(page.locator(".gate")).to_have_count(0)
    button(page, "Next page of Trending now").click()
    expect(page.locator(".track").first).to_have_css("transition-duration", "0s")
    page.close()


def test_sizes_grow_with_the_window(visit: Open) -> None:
    page = visit()
    sizes = []
    for wide, cards in [(1280, 5), (1920, 6)]:
        page.set_viewport_size({"width": wide, "height": wide * 9 // 16})
        seen = page.locator("section[aria-label='Trending now'] .card[tabindex='0']")
        expect(seen).to_have_count(cards)
        expect(seen.last).to_be_in_viewport(ratio=1)
        box = button(page.locator(".billboard"), "Play").bounding_box()
        assert box is not None
        sizes.append(box["height"])
    assert sizes == [44, 60.5]


def test_a_page_with_two_videos(visit: Open) -> None:
    page = visit("delay=300&stop=900", path="two.html")
    left, right = page.locator("video").all()
    plays(page, ".left video")
    assert left.evaluate("video => video.src") != right.evaluate("video => video.src")
    boxes = [video.bounding_box() for video in (left, right)]
    assert [(box["width"], box["height"]) for box in boxes if box] == [(512, 288)] * 2
    page.wait_for_function("document.querySelector('.right video').currentTime > 0")
    page.wait_for_function("document.querySelector('.right video').paused")
    stands(page, ".right video")
    plays(page, ".left video")


def test_a_page_that_fades_from_dark_to_bright(visit: Open) -> None:
    page = visit("plain=1&delay=100&fade=150&hold=50&fades=3", path="fade.html")
    page.wait_for_selector("[data-faded='3']")
    expect(page.locator(".fade > div").last).to_have_css("opacity", "1")
    assert page.evaluate("document.getAnimations().length") == 0
    pictured = visit("delay=0&fade=100&fades=1", path="fade.html")
    pictured.wait_for_selector("[data-faded='1']")
    assert pictured.locator("img").count() == 2
