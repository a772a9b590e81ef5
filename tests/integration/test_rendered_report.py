"""`make report` as people call it, and its page in a browser that reaches nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, FrameLocator, Locator, Page, sync_playwright
from support.seeds import SEEDS

from harness.allure_report import RESULTS_NAME
from harness.browser_program import find_browser

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def make(target: str, run: Path, reports: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target, f"RUN={run}", f"REPORTS={reports}"],
        cwd=REPOSITORY,
        env={k: v for k, v in os.environ.items() if "MAKE" not in k} | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )


def processor_time() -> float:
    """Seconds, of all programs that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def reports(seeded_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
    for _ in range(2):  # the second one has a history
        began = processor_time()
        done = make("report", seeded_run, reports)
        assert done.returncode == 0, done.stdout + done.stderr
        # What it costs: a clock on the wall would judge what else the machine does.
        assert processor_time() - began < 30
    return reports


class Watched:
    """A page, and what it did that a report must not do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _asked(self, request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob", "file"):
            self.wrong.append(f"request of {request.url}")


@pytest.fixture
def watched() -> Iterator[Watched]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()))
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        yield Watched(context.new_page())
        browser.close()


def press(what: Locator) -> None:
    """A click wherever it is by now: what is opened above it moves it from under a pointer."""
    what.first.wait_for()
    what.first.dispatch_event("click")


@pytest.mark.chrome
def test_the_page_shows_everything_offline(reports: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((reports / "allure" / "index.html").as_uri())
    leaves = page.get_by_test_id("tree-leaf-title")
    leaves.first.wait_for()
    assert set(leaves.all_inner_texts()) == {"A <b>bold</b> film [take=one]"}
    assert page.locator("b", has_text=re.compile("^bold$")).count() == 0

    page.get_by_text("broken.yaml").wait_for()
    press(leaves)
    page.get_by_text("cause: decode, structure, exactness").wait_for()
    assert page.get_by_text("broken.yaml: stream structure failed: ").first.is_visible()
    page.get_by_text("Category: Product: the stream does not decode").wait_for()
    description = page.frame_locator("iframe").first
    description.get_by_text(
        "<img src=x onerror=alert(1)> and ![one](https://evil.example/x.png)"
    ).wait_for()
    assert description.locator("img, h1").count() == 0

    press(page.get_by_text("Attachments", exact=False))
    for name in ("metrics", "report", "stream, remuxed for browsers"):
        press(page.get_by_text(name, exact=True))
    page.locator("video").first.wait_for()
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    frame = page.frame_locator("iframe").first
    frame.get_by_role("table").first.wait_for()
    assert frame.get_by_text("The stream is attached to the test").count() == 1
    for name in ("ticks", "Chrome and layer log", "stream"):
        # Words of an opened page's source are on this page, too, but not to be seen.
        found = page.get_by_text(name, exact=True).locator("visible=true")
        if found.count():
            press(found)
    page.wait_for_timeout(500)
    assert watched.wrong == []


@pytest.mark.chrome
def test_timeline_and_viewer_work_inside_the_page(reports: Path, watched: Watched) -> None:
    """Allure by itself shows pages that are attached without their scripts, in a slit."""
    page = watched.page

    def attached(name: str) -> FrameLocator:
        page.goto((reports / "allure" / "index.html").as_uri())
        press(page.get_by_test_id("tree-leaf-title"))
        press(page.get_by_text("Attachments", exact=False))
        press(page.get_by_text(name, exact=True))
        return page.frame_locator("[data-testid=html-attachment-preview] iframe")

    report = attached("report")
    report.locator("body[data-ready]").wait_for()
    report.locator(".failures a").first.click()
    assert report.locator("#timeline .detail").get_attribute("data-tick") == "12"

    # Allure opens again what was open before, and what lies below it moves under the pointer.
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    viewer = attached("stream, picture by picture")
    viewer.locator("body[data-ready][data-drawn='0']").wait_for()
    viewer.locator("button", has_text="next problem").click()
    viewer.locator("body[data-tick='12'][data-drawn='1']").wait_for()
    stage = viewer.locator(".stage").bounding_box()
    assert stage and stage["height"] > 300
    assert stage["width"] / stage["height"] == pytest.approx(352 / 256, rel=0.01)
    # It has an origin of its own: nothing that is attached reaches the report around it.
    (inside,) = (f for f in page.frames if f.url == "about:srcdoc" and f.locator(".stage").count())
    assert inside.evaluate("origin") == "null"
    with pytest.raises(Error, match="cross-origin"):
        inside.evaluate("parent.document.title")
    assert watched.wrong == []


@pytest.mark.chrome
def test_categories_and_the_pages_beside_the_tests(reports: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((reports / "allure" / "index.html").as_uri())
    press(page.get_by_test_id("nav-tab-categories"))
    for seed in SEEDS.values():
        if seed.cause is not None:
            page.get_by_text(seed.cause.category).first.wait_for()
    press(page.get_by_test_id("nav-tab-globalAttachments"))
    for name in ("summary.html", "trends.html"):
        page.get_by_text(name).first.wait_for()
    press(page.get_by_text("summary.html"))
    summary = page.frame_locator("[data-testid=html-attachment-preview] iframe")
    summary.get_by_role("heading", name="UI scenarios: 4 failed").wait_for()
    assert summary.locator("a").count() == 0, "nothing that it leads to is in this page"
    assert watched.wrong == []


def test_history_and_size(reports: Path) -> None:
    lines = (reports / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [len(json.loads(line)["testResults"]) for line in lines] == [len(SEEDS)] * 2
    assert (reports / "allure" / "index.html").stat().st_size < 10e6
    assert (reports / "summary.md").exists() and (reports / "trends.html").exists()


def test_the_gate_holds_product_and_environment_apart(
    seeded_run: Path,
    reports: Path,
    tmp_path: Path,
) -> None:
    done = make("gate", seeded_run, reports)
    assert (reports / "gate").is_dir(), "not where Allure puts it, in the checkout"
    assert not (REPOSITORY / "allure-report").exists()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert re.search(r"failed tests 4 exceeds.*the product", said), said
    assert re.search(r"failed tests 1 exceeds.*the environment", said), said
    fine = tmp_path / "run" / RESULTS_NAME
    fine.mkdir(parents=True)
    for path in (seeded_run / RESULTS_NAME).glob("*-result.json"):
        if json.loads(path.read_text(encoding="utf-8"))["status"] == "passed":
            shutil.copy(path, fine)
    done = make("gate", fine.parent, reports)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = fine.iterdir()
    path.unlink()
    assert make("gate", fine.parent, reports).returncode != 0, "nothing ran, so nothing is proven"
