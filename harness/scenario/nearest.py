"""Sentences that name what was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 12  # more names than that are a wall of text beside the one that was meant


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word most like `word`, if one is like it at all."""
    if len(word) > 100:  # a text, not a misspelt word; and comparing takes its length's square
        return None
    names = list(allowed)
    if len(names) > 500:  # no language's list of words
        return None
    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def unknown(what: str, word: str, allowed: Iterable[str]) -> str:
    """`unknown wsi 'virtul'; did you mean 'virtual'? Allowed: virtual, passthrough`

    Without the list where it is long and the nearest name says it.
    """
    names = list(allowed)
    near = nearest(word, names)
    if near and len(names) > FEW:
        return f"unknown {what} '{word}'; did you mean '{near}'?"
    question = f"; did you mean '{near}'? Allowed" if near else "; allowed"
    return f"unknown {what} '{word}'{question}: {', '.join(names)}"


def meant(word: str, known: Iterable[str], otherwise: str = "known") -> str:
    """`did you mean 'profile'?`, or the names that there are."""
    names = list(known)
    near = nearest(word, names)
    shown = ", ".join(names[: 2 * FEW]) + (", ..." if len(names) > 2 * FEW else "")
    return f"did you mean '{near}'?" if near else f"{otherwise}: {shown or 'none'}"
