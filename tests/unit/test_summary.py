"""The one-page summary: what it says, and that no text of a scenario becomes markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from harness.errors import HarnessError
from harness.summary import summarize, to_html, to_markdown, write_summary

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "| a | b |",
    "`code` **bold** _it_ ~~gone~~ # head",
    "&lt;b&gt; &amp;",
    "- item\n- item\n\n# head\n<b>x</b>",
    "https://evil.example www.evil.example @someone",
    "\\<b>\\",
    "</title></style></table>",
]


def metrics(title: str, **outcome: Any) -> dict[str, Any]:
    return {
        "scenario": title,
        "fps": 24,
        "total": {
            "shares": {"unchanged": 20.0, "video_only": 55.0, "changed": 25.0},
            "bitrate": 1_500_000.0,
            "psnr_y": None,
        },
        "frames": {"dropped": 0},
        "environment": {"browser": "Chrome/156", "qp": "23", "system": title},
        "outcome": {"passed": True, "problems": [], "headroom": None, **outcome},
        "expectations": [],
        "checks": [],
    }


def recorded(folder: Path, name: str, data: dict[str, Any]) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "metrics.json").write_text(json.dumps(data), encoding="utf-8")
    (folder / name / "report.html").write_text("x")


def failing(title: str, text: str) -> dict[str, Any]:
    data = metrics(title, passed=False, headroom=text)
    data["expectations"] = [
        {
            "where": text,
            "name": "page",
            "limit": text,
            "measured": text,
            "look": text,
            "status": "failed",
        }
    ]
    data["checks"] = [{"name": "exact in FFmpeg", "status": "not run", "summary": text}]
    return data


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def tags(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Tags()
    parser.feed(page)
    return parser.found


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_shown_not_interpreted(tmp_path: Path, text: str) -> None:
    recorded(tmp_path / "good", "one", failing("name", "text"))
    recorded(tmp_path / "bad", "one", failing(text, text))
    plain, hostile = summarize(tmp_path / "good"), summarize(tmp_path / "bad")
    assert tags(to_html(hostile, tmp_path)) == tags(to_html(plain, tmp_path))
    renderer = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable("strikethrough")
    rendered = [renderer.render(to_markdown(summary)) for summary in (plain, hostile)]
    assert tags(rendered[1]) == tags(rendered[0])
    # GitHub makes links and mentions of bare texts.
    markdown = to_markdown(hostile)
    assert not {"://", "www.", "@"} & {part for part in ("://", "www.", "@") if part in markdown}
    # And it is the text that is shown.
    shown = " ".join(text.split())
    assert shown in _text(rendered[1])


def _text(page: str) -> str:
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[method-assign]
    parser.feed(page)
    return "".join(parts)


def test_what_it_says(tmp_path: Path) -> None:
    recorded(tmp_path, "fine", metrics("Fine"))
    wrong = failing("Wrong", "")
    wrong["expectations"][0] |= {
        "where": "Browse",
        "name": "shares.changed",
        "limit": "<= 30%",
        "measured": "41%",
        "look": "most at ticks 4..9",
    }
    wrong["outcome"]["headroom"] = "this machine does not keep up"
    wrong["outcome"]["filed_under"] = ["Product: class shares", "Product: times"]
    recorded(tmp_path, "wrong", wrong)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "metrics.json").write_text('{"scenario": ')
    summary = summarize(tmp_path)
    assert summary.verdict == "1 failed, 1 broken, 1 passed" and not summary.passed
    assert [row.title for row in summary.rows] == ["Wrong", "killed", "Fine"]
    assert summary.rows[2].cells == ("20.0", "55.0", "25.0", "1.50", "not measured", "0")
    page = to_markdown(summary, "https://ci.example/r?a=1&b=2")
    assert page.startswith("## ❌ UI scenarios: 1 failed, 1 broken, 1 passed\n")
    assert "[full report](<https://ci.example/r?a=1&b=2>)" in page
    plain = page.replace("\\", "")
    assert plain.index("- Product: class shares: 1\n") < plain.index(
        "- **Wrong: Product: class shares; Product: times**\n"
        "  - Browse: shares.changed &lt;= 30%: measured 41% (most at ticks 4..9)\n"
    )
    assert "  - this machine does not keep up\n" in plain
    # What failed comes first, then what was measured.
    assert plain.index("- **killed**") < plain.index("| | scenario")
    assert 'href="wrong/report.html"' in to_html(summary, tmp_path)
    assert 'href="../wrong/report.html"' in to_html(summary, tmp_path / "sub")


def test_which_run_it_was_and_where_the_other_pages_are(tmp_path: Path) -> None:
    recorded(tmp_path, "one-a", metrics("Twice"))
    recorded(tmp_path, "one-b", metrics("Twice"))
    results = tmp_path / "allure-results"
    results.mkdir()
    labels = [{"name": "tag", "value": "scenario"}]
    for number, start in enumerate((1_764_126_000_000, 1_764_126_600_000)):
        result = {"name": "x", "status": "passed", "labels": labels}
        times = {"start": start, "stop": start + 60_000}
        (results / f"{number}-result.json").write_text(json.dumps(result | times))
    (results / "environment.properties").write_text("browser = x\ncommit = 12ab <b>\n")
    summary = summarize(tmp_path)
    assert summary.made == "commit 12ab <b>, 2025-11-26 03:00 to 03:11 UTC"
    assert "commit 12ab &lt;b&gt;, 2025" in to_markdown(summary).replace("\\", "")
    assert [row.title for row in summary.rows] == ["Twice (one-a)", "Twice (one-b)"]
    assert summary.reasons == []
    assert "full report" not in to_html(summary, tmp_path)
    (tmp_path / "allure").mkdir()
    (tmp_path / "allure" / "index.html").write_text("x")
    assert '<a href="allure/index.html">full report</a>' in to_html(summary, tmp_path)


def test_a_cause_that_only_the_result_knows(tmp_path: Path) -> None:
    data = metrics("Slow", passed=False, filed_under=["Product: times"])
    recorded(tmp_path, "slow", data)
    assert summarize(tmp_path).reasons == ["Product: times: 1"]
    (tmp_path / "allure-results").mkdir()
    labels = [("tag", "scenario"), ("cause", "baseline"), ("cause", "of another version")]
    result = {
        "name": "Slow",
        "status": "failed",
        "statusDetails": {"message": "slow.yaml: worse", "trace": "evidence: out/slow"},
        "labels": [{"name": name, "value": value} for name, value in labels],
    }
    (tmp_path / "allure-results" / "1-result.json").write_text(json.dumps(result))
    assert summarize(tmp_path).reasons == ["Product: worse than the baseline: 1"]


def result_of(folder: Path, name: str, status: str, message: str, trace: str = "") -> None:
    """One of Allure's, of a scenario."""
    (folder / "allure-results").mkdir(exist_ok=True)
    result = {
        "name": name,
        "status": status,
        "statusDetails": {"message": message, "trace": trace},
        "labels": [{"name": "tag", "value": "scenario"}],
    }
    (folder / "allure-results" / f"{name}-result.json").write_text(json.dumps(result))


def test_what_failed_behind_the_recording_is_not_told_as_passed(tmp_path: Path) -> None:
    """All that the recording itself was judged by passed; then came a baseline, or pytest."""
    recorded(tmp_path, "worse-1", metrics("Worse"))
    recorded(tmp_path, "mended-1", metrics("Mended"))
    recorded(tmp_path, "fine-1", metrics("Fine"))
    said = "worse.yaml: worse than its baseline"
    result_of(tmp_path, "Worse", "failed", f"{said}\n\nbitrate", "evidence: out/worse-1")
    result_of(tmp_path, "Mended", "failed", "[XPASS(strict)] a bug of the site")
    result_of(tmp_path, "Fine", "passed", "")
    summary = summarize(tmp_path)
    assert summary.verdict == "2 failed, 1 passed" and not summary.passed
    assert [(row.title, row.failures) for row in summary.wrong] == [
        ("Mended", ("[XPASS(strict)] a bug of the site",)),
        ("Worse", (said,)),
    ]


def test_an_environment_that_differs_is_told_with_all_it_was(tmp_path: Path) -> None:
    """As Allure tells it, not as the last recording had it."""
    for name in ("a", "b", "c"):
        data = metrics(name)
        data["environment"] = {"encode": "layer" if name == "b" else "recorder", "wsi": ""}
        recorded(tmp_path, name, data)
    assert summarize(tmp_path).environment == {"encode": "recorder; layer", "wsi": ""}
    assert "encode recorder; layer" in to_markdown(summarize(tmp_path))


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    data = failing("Many", "x")
    data["checks"] *= 60
    recorded(tmp_path, "many", data)
    page = to_markdown(summarize(tmp_path))
    assert page.count("  - exact in FFmpeg") == 39
    assert "- and 21 more; the report has them all" in page


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="is no folder"):
        summarize(tmp_path / "none")
    with pytest.raises(HarnessError, match="holds no metrics"):
        summarize(tmp_path)
    recorded(tmp_path, "fine", metrics("Fine"))
    with pytest.raises(HarnessError, match="is no address"):
        write_summary(tmp_path, tmp_path, "javascript:alert(1)")
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        write_summary(tmp_path, tmp_path / "file")
