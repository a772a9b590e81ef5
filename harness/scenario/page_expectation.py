"""What the page itself must show, in the words of Playwright's `expect`."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema, model_validator
from typing_extensions import Self

from .fields import MisplacedValue, Name
from .locator import LocatorFields, as_pattern
from .nearest import unknown

# Words of `to`: Playwright's method, and what `value` has to be.
ELEMENT_WORDS: dict[str, tuple[str, str]] = {
    "be visible": ("to_be_visible", ""),
    "be hidden": ("to_be_hidden", ""),
    "be attached": ("to_be_attached", ""),
    "be enabled": ("to_be_enabled", ""),
    "be disabled": ("to_be_disabled", ""),
    "be editable": ("to_be_editable", ""),
    "be checked": ("to_be_checked", ""),
    "be focused": ("to_be_focused", ""),
    "be empty": ("to_be_empty", ""),
    "be in viewport": ("to_be_in_viewport", ""),
    "have text": ("to_have_text", "text"),
    "contain text": ("to_contain_text", "text"),
    "have value": ("to_have_value", "text"),
    "have class": ("to_have_class", "text"),
    "have id": ("to_have_id", "text"),
    "have role": ("to_have_role", "text"),
    "have accessible name": ("to_have_accessible_name", "text"),
    "have count": ("to_have_count", "number"),
    "have attribute": ("to_have_attribute", "text"),
    "have css": ("to_have_css", "text"),
}
PAGE_WORDS: dict[str, tuple[str, str]] = {
    "have page title": ("to_have_title", "text"),
    "have url": ("to_have_url", "text"),
}
WORDS = {**ELEMENT_WORDS, **PAGE_WORDS}
_OF = {"have attribute": "attribute", "have css": "property"}


def _words(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    plain = " ".join(text.split())
    if plain.removeprefix("not ") not in WORDS:
        raise ValueError(unknown("expectation", plain.removeprefix("not "), WORDS))
    return plain


To = Annotated[
    str,
    BeforeValidator(_words),
    WithJsonSchema({"type": "string", "enum": [*WORDS, *(f"not {words}" for words in WORDS)]}),
]


class PageExpectation(LocatorFields):
    """One expectation of an element or of the page.

    `to` says what it must do (`not ` before it turns it round), `value` with what: a text,
    a /regular expression/ or a number. `of` names the attribute or CSS property.
    """

    required: ClassVar[bool] = False

    to: To = "be visible"
    value: Name | None = None
    of: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"selector": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        words = self.words
        if words in PAGE_WORDS and self.found:
            raise MisplacedValue(("to",), f"'{words}' is about the page; name no element")
        if words not in PAGE_WORDS and not self.found:
            ways = ", ".join(self.ways)
            raise ValueError(f"an expectation to '{words}' needs an element; give one of {ways}")
        kind = WORDS[words][1]
        if kind and self.value is None:
            raise MisplacedValue(("to",), f"'{words}' needs a 'value'")
        if not kind and self.value is not None:
            raise MisplacedValue(("value",), f"'{words}' takes no value")
        if kind == "number" and re.fullmatch(r"\d{1,6}", self.value or "") is None:
            raise MisplacedValue(("value",), f"'{words}' takes a whole number, not '{self.value}'")
        if kind == "text":
            try:
                as_pattern(self.value or "")
            except ValueError as error:
                raise MisplacedValue(("value",), str(error)) from None
        if (words in _OF) != (self.of is not None):
            if words in _OF:
                raise MisplacedValue(("to",), f"'{words}' needs the {_OF[words]}'s name in 'of'")
            raise MisplacedValue(("of",), f"'{words}' takes no 'of'")
        return self

    @property
    def words(self) -> str:
        """`to` without its `not`."""
        return self.to.removeprefix("not ")

    @property
    def negated(self) -> bool:
        return self.to.startswith("not ")

    @property
    def subject(self) -> str:
        """The expectation as a report names it: `button 'Play' be visible`."""
        parts = [self.spelled, self.to, f"'{self.of}'" if self.of else "", self.value or ""]
        return " ".join(part for part in parts if part)
