"""Sentences that name what was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word most like `word`, if one is like it at all."""
    by_lower = {name.lower(): name for name in allowed}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def unknown(what: str, word: str, allowed: Iterable[str]) -> str:
    """`unknown step 'clik'; did you mean 'click'? Allowed: ...`"""
    names = list(allowed)
    near = nearest(word, names)
    question = f"; did you mean '{near}'? Allowed" if near else "; allowed"
    return f"unknown {what} '{word}'{question}: {', '.join(names)}"
