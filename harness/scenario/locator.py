"""Which element is meant: a selector, or what a person sees of it.

Everything here becomes one of Playwright's locators: `selector` is `page.locator`, the
others are `get_by_role`, `get_by_text` and their kin. A text between slashes is a
regular expression, as in JavaScript: `/^Preview of/i`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema, model_validator
from typing_extensions import Self

from .fields import Frozen, Text, flag, whole
from .nearest import nearest

# With no letters behind it but JavaScript's flags: /browse/home is a path.
_WRITTEN = re.compile(r"/(?P<pattern>.+)/(?P<flags>[dgimsuvy]*)", re.S)
_FLAGS = {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE}

# ARIA 1.2, section 5.4, without the abstract roles.
# fmt: off
ROLES = (
    "alert", "alertdialog", "application", "article", "banner", "blockquote", "button",
    "caption", "cell", "checkbox", "code", "columnheader", "combobox", "complementary",
    "contentinfo", "definition", "deletion", "dialog", "directory", "document", "emphasis",
    "feed", "figure", "form", "generic", "grid", "gridcell", "group", "heading", "img",
    "insertion", "link", "list", "listbox", "listitem", "log", "main", "marquee", "math",
    "menu", "menubar", "menuitem", "menuitemcheckbox", "menuitemradio", "meter", "navigation",
    "none", "note", "option", "paragraph", "presentation", "progressbar", "radio",
    "radiogroup", "region", "row", "rowgroup", "rowheader", "scrollbar", "search", "searchbox",
    "separator", "slider", "spinbutton", "status", "strong", "subscript", "superscript",
    "switch", "tab", "table", "tablist", "tabpanel", "term", "textbox", "time", "timer",
    "toolbar", "tooltip", "tree", "treegrid", "treeitem",
)
# fmt: on


def as_pattern(text: str) -> str | re.Pattern[str]:
    """`text`, or the expression that it is when it stands between slashes.

    Raises ValueError where that is no regular expression.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return text
    flags = 0
    for letter in match["flags"]:
        if letter not in _FLAGS:
            allowed = ", ".join(_FLAGS)
            raise ValueError(f"'{text}' has the flag '{letter}'; flags here are {allowed}")
        flags |= _FLAGS[letter]
    try:
        return re.compile(match["pattern"], flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from None


def _checked_pattern(text: Any) -> Any:
    if isinstance(text, str):
        as_pattern(text)
    return text


def _role(text: Any) -> Any:
    if isinstance(text, str) and text not in ROLES:
        near = nearest(text, ROLES)
        hint = f"; did you mean '{near}'?" if near else "; roles are those of ARIA 1.2, as 'button'"
        raise ValueError(f"unknown role '{text}'{hint}")
    return text


Pattern = Annotated[Text, BeforeValidator(_checked_pattern)]
Role = Annotated[Text, BeforeValidator(_role), WithJsonSchema({"type": "string", "enum": [*ROLES]})]
Index = Annotated[int, BeforeValidator(whole(0, 9999))]
Flag = Annotated[bool, BeforeValidator(flag)]


class LocatorFields(Frozen):
    """The ways to say which element; exactly one of `ways`, and how to narrow it.

    `name` (accessible name) narrows a role. `exact` matches whole texts in their case.
    `nth` (from 0) picks one of several. `frame` is the selector of an iframe to look in.
    """

    ways: ClassVar[tuple[str, ...]] = (
        "selector", "role", "text", "label", "placeholder", "alt", "title", "test_id",
    )  # fmt: skip
    narrowing: ClassVar[tuple[str, ...]] = ("name", "exact", "nth", "frame")
    required: ClassVar[bool] = True

    selector: Text | None = None
    role: Role | None = None
    name: Pattern | None = None
    text: Pattern | None = None
    label: Pattern | None = None
    placeholder: Pattern | None = None
    alt: Pattern | None = None
    title: Pattern | None = None
    test_id: Pattern | None = None
    exact: Flag = False
    nth: Index | None = None
    frame: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in self.ways if getattr(self, way) is not None]
        if len(given) > 1:
            raise ValueError(f"an element is found by '{given[0]}' or by '{given[1]}', not by both")
        if self.name is not None and self.role is None:
            raise ValueError(
                "an element's 'name' goes with its 'role', as in '{role: button, name: Play}'"
            )
        if not given and self.required:
            raise ValueError(f"an element is needed; give one of {', '.join(self.ways)}")
        if self.exact and (self.selector is not None or self.test_id is not None):
            raise ValueError(f"an element's '{given[0]}' says itself how exact it is; drop 'exact'")
        if self.exact and self.role is not None and self.name is None:
            raise ValueError("an element's 'exact' with a 'role' is about its 'name'; give that")
        return self

    @property
    def found(self) -> bool:
        """True when an element is named."""
        return any(getattr(self, way) is not None for way in self.ways)

    @property
    def spelled(self) -> str:
        """The element as a message names it: `'text=Play'`, `button 'Play'`."""
        if self.selector is not None:
            words = f"'{self.selector}'"
        elif self.role is not None:
            words = self.role if self.name is None else f"{self.role} '{self.name}'"
        else:
            way = next((way for way in self.ways if getattr(self, way) is not None), "")
            words = f"{way} '{getattr(self, way)}'" if way else "the page"
        return words if self.nth is None else f"{words} (nth {self.nth})"


class Locator(LocatorFields):
    """An element where a step or expectation names a further one; a text is its selector."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"selector": value} if isinstance(value, str) else value
