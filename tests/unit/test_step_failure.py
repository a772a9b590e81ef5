"""What is said of a step that failed."""

from __future__ import annotations

import pytest

from harness.step_failure import by_its_text


@pytest.mark.parametrize("selector", ["Open", "Trending now", "Who's watching"])
def test_a_text_that_is_taken_for_css_is_told_how_to_be_found(selector: str) -> None:
    remedy = by_its_text(selector)
    assert remedy is not None
    assert remedy.endswith(f'"text={selector}"')


@pytest.mark.parametrize(
    "selector",
    ["video", "#open", ".player", "text=Open", "role=button[name='Open']", "h2 >> nth=0", None],
)
def test_what_can_only_be_a_selector_keeps_the_general_advice(selector: str | None) -> None:
    assert by_its_text(selector) is None
