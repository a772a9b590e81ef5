"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Container, Sequence


def column_widths(table: Sequence[Sequence[str]]) -> list[int]:
    """What each column needs."""
    return [max(map(len, column)) for column in zip(*table, strict=True)]


def aligned(table: Sequence[Sequence[str]], right: Container[int] = ()) -> str:
    """The rows as lines with columns as wide as they need; those numbered in `right` are
    aligned there."""
    widths = column_widths(table)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
