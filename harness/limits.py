"""Limits: what an expectation allows, written as a person would say it.

A limit is a number (`0`), a comparison (`<= 5`, `>= 90%`), an inclusive range
(`10%..30%`) or a value with a tolerance (`55% ± 8%`, also `55% +- 8%`). It is
parsed once for a quantity, which decides the units it may carry and the unit
of the values it is compared with:

| quantity | values are | units a limit may carry |
|---|---|---|
| share | fractions, 0 to 1 | `%`, required; a tolerance counts in points |
| count | whole numbers | none; a tolerance may be `%` of the value |
| bitrate | bit/s | `bit/s`, `kbit/s`, `Mbit/s`, required |
| size | bytes | `B`, `kB`, `MB`; a plain number is bytes |
| level | dB | `dB`, or none |
| time | seconds | `ms`, `s`, required |
| ratio | 0 to 1 | none |

Prefixes are decimal (1 kB = 1000 B). Numbers are computed in decimal and turned
into the nearest float last, so `55% ± 8%` ends exactly at 0.47 and 0.63.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum


class LimitError(ValueError):
    """A limit that cannot be read or can never hold; the message quotes it."""


class Quantity(Enum):
    """What is measured; decides units and the range a value can have."""

    SHARE = "share"
    COUNT = "count"
    BITRATE = "bitrate"
    SIZE = "size"
    LEVEL = "level"
    TIME = "time"
    RATIO = "ratio"


_UNITS: dict[Quantity, dict[str, Decimal]] = {
    Quantity.SHARE: {"%": Decimal("0.01")},
    Quantity.COUNT: {},
    Quantity.BITRATE: {
        "bit/s": Decimal(1),
        "kbit/s": Decimal(1000),
        "Mbit/s": Decimal(1_000_000),
    },
    Quantity.SIZE: {"B": Decimal(1), "kB": Decimal(1000), "MB": Decimal(1_000_000)},
    Quantity.LEVEL: {"dB": Decimal(1)},
    Quantity.TIME: {"ms": Decimal("0.001"), "s": Decimal(1)},
    Quantity.RATIO: {},
}
_NEEDS_UNIT = {
    Quantity.SHARE: ("%",),
    Quantity.BITRATE: ("Mbit/s",),
    Quantity.TIME: ("ms", "s"),
}
_SHOWN_IN = {
    Quantity.SHARE: "%",
    Quantity.BITRATE: "kbit/s",
    Quantity.SIZE: "B",
    Quantity.TIME: "ms",
}
_LARGEST = {Quantity.SHARE: Decimal(1), Quantity.RATIO: Decimal(1)}
_LARGEST_TEXT = {Quantity.SHARE: "100%", Quantity.RATIO: "1"}
_DIGITS = {Quantity.BITRATE: 3, Quantity.SIZE: 3, Quantity.RATIO: 4}
_NOUN = {
    Quantity.SHARE: "a share",
    Quantity.COUNT: "a count",
    Quantity.BITRATE: "a bitrate",
    Quantity.SIZE: "a size",
    Quantity.LEVEL: "a level in dB",
    Quantity.TIME: "a time",
    Quantity.RATIO: "a ratio",
}
FORMS = "a number, a comparison ('<= 5'), a range ('1..5') or a tolerance ('5 ± 1')"

_AMOUNT = r"(?P<{0}>[+-]?(?:\d[\d_]*(?:\.\d+)?|\.\d+))\s*(?P<{0}_unit>[^\s\d.±<>=+-][^\s±]*?)?"
_COMPARISON = re.compile(r"(?P<sign><=|>=|<|>)\s*" + _AMOUNT.format("a"))
_RANGE = re.compile(_AMOUNT.format("a") + r"\s*\.\.\s*" + _AMOUNT.format("b"))
_TOLERANCE = re.compile(_AMOUNT.format("a") + r"\s*(?:±|\+-|\+/-)\s*" + _AMOUNT.format("b"))
_NUMBER = re.compile(_AMOUNT.format("a"))


@dataclass(frozen=True)
class _Amount:
    """A number as written, and its unit ("" when it has none)."""

    number: Decimal
    unit: str

    def __str__(self) -> str:
        gap = "" if self.unit in ("", "%") else " "
        return f"{self.number:f}{gap}{self.unit}"


@dataclass(frozen=True)
class Limit:
    """An interval of allowed values, in the quantity's own unit (see the module).

    `low` is None when there is no lower bound, `high` when there is no upper
    one; `strict` says that the bounds themselves are not allowed (`<`, `>`).
    """

    quantity: Quantity
    low: float | None
    high: float | None
    strict: bool
    text: str
    unit: str

    @classmethod
    def parse(cls, text: str | int | float, quantity: Quantity) -> Limit:
        """Reads a limit. Raises LimitError with a sentence that quotes `text`."""
        return _Parser(str(text).strip(), quantity).limit()

    def accepts(self, value: float) -> bool:
        """True when `value` (in the quantity's unit) is allowed; NaN never is."""
        if math.isnan(value):
            return False
        margin = self.margin(value)
        return margin > 0 if self.strict else margin >= 0

    def margin(self, value: float) -> float:
        """Distance to the nearest bound, in the quantity's unit.

        Positive inside, negative outside (by how much it fails), 0 on a bound.
        NaN for NaN.
        """
        if math.isnan(value):
            return math.nan
        sides = []
        if self.low is not None:
            sides.append(value - self.low)
        if self.high is not None:
            sides.append(self.high - value)
        return min(sides)

    def format(self, value: float) -> str:
        """`value` (in the quantity's unit) as a person reads it, in this limit's unit.

        Takes more digits where rounding would make a failure look like a pass.
        """
        return self._shown(value, lambda rounded: self.accepts(rounded) == self.accepts(value))

    def format_margin(self, margin: float) -> str:
        """A margin (in the quantity's unit), with as many digits as it takes to tell it
        from 0; a positive one without a sign."""
        return self._shown(margin, lambda rounded: (rounded == 0) == (margin == 0))

    def _shown(self, value: float, enough: Callable[[float], bool]) -> str:
        if not math.isfinite(value):
            return f"{value:f}"
        unit = self.unit or _SHOWN_IN.get(self.quantity, "")
        scale = _UNITS[self.quantity].get(unit, Decimal(1))
        shown = Decimal(str(value)) / scale
        first = _DIGITS.get(self.quantity, 2)
        for digits in range(first, first + 5):
            rounded = round(shown, digits)
            if enough(float(rounded * scale)):
                break
        number = f"{rounded:f}"
        if "." in number:
            number = number.rstrip("0").rstrip(".")
        return str(_Amount(Decimal("0" if number == "-0" else number), unit))

    def __str__(self) -> str:
        return self.text


class _Parser:
    """Reads one limit; the text and the quantity go into every message."""

    def __init__(self, text: str, quantity: Quantity) -> None:
        self.text = text
        self.quantity = quantity
        self.units = _UNITS[quantity]

    def limit(self) -> Limit:
        if match := _COMPARISON.fullmatch(self.text):
            return self._comparison(match["sign"], self._amount(match, "a"))
        if match := _TOLERANCE.fullmatch(self.text):
            return self._tolerance(self._amount(match, "a"), self._amount(match, "b"))
        if match := _RANGE.fullmatch(self.text):
            return self._range(self._amount(match, "a"), self._amount(match, "b"))
        if match := _NUMBER.fullmatch(self.text):
            amount = self._amount(match, "a")
            value = self._value(amount)
            return self._built(value, value, str(amount), amount.unit)
        raise LimitError(f"'{self.text}' is not a limit; write {FORMS}{self._unit_hint()}")

    def _amount(self, match: re.Match[str], name: str) -> _Amount:
        return _Amount(Decimal(match[name].replace("_", "")), match[f"{name}_unit"] or "")

    def _comparison(self, sign: str, amount: _Amount) -> Limit:
        value = self._value(amount)
        low, high = (None, value) if sign.startswith("<") else (value, None)
        return self._built(low, high, f"{sign} {amount}", amount.unit, strict=len(sign) == 1)

    def _range(self, first: _Amount, last: _Amount) -> Limit:
        first = self._inherit(first, last)
        low, high = self._value(first), self._value(last)
        if low > high:
            raise LimitError(f"'{self.text}' is a range whose start lies above its end")
        return self._built(low, high, f"{first}..{last}", last.unit)

    def _tolerance(self, middle: _Amount, around: _Amount) -> Limit:
        if around.number < 0:
            raise LimitError(f"'{self.text}' has a negative tolerance")
        relative = around.unit == "%" and self.quantity in (
            Quantity.COUNT,
            Quantity.BITRATE,
            Quantity.SIZE,
            Quantity.TIME,
        )
        if relative:
            value = self._value(middle)
            slack = abs(value) * around.number / 100
        else:
            middle = self._inherit(middle, around)
            value = self._value(middle)
            slack = self._value(around)
        low, high = value - slack, value + slack
        if low < 0 and self.quantity is not Quantity.LEVEL:
            low = Decimal(0)
        largest = _LARGEST.get(self.quantity)
        if largest is not None:
            high = min(high, largest)
        return self._built(low, high, f"{middle} ± {around}", middle.unit)

    @staticmethod
    def _inherit(first: _Amount, last: _Amount) -> _Amount:
        """`1..2 MB` and `55 ± 8%`: the unit stands once, at the end."""
        return first if first.unit or not last.unit else _Amount(first.number, last.unit)

    def _value(self, amount: _Amount) -> Decimal:
        if not amount.unit:
            needed = _NEEDS_UNIT.get(self.quantity)
            if needed and amount.number != 0:
                wanted = " or ".join(f"'{_Amount(amount.number, unit)}'" for unit in needed)
                raise LimitError(
                    f"'{self.text}' has no unit; {_NOUN[self.quantity]} is written {wanted}"
                )
            return amount.number
        if amount.unit not in self.units:
            raise LimitError(
                f"'{self.text}' has the unit '{amount.unit}'; "
                f"{_NOUN[self.quantity]}{self._allowed_units(amount.unit)}"
            )
        return amount.number * self.units[amount.unit]

    def _allowed_units(self, unit: str) -> str:
        if not self.units:
            return " has none"
        text = " is in " + " or ".join(self.units)
        by_lower = {name.lower(): name for name in self.units}
        near = get_close_matches(unit.lower(), by_lower, n=1)
        return text + (f"; did you mean '{by_lower[near[0]]}'?" if near else "")

    def _unit_hint(self) -> str:
        return f", in {' or '.join(self.units)}" if self.units else ""

    def _built(
        self,
        low: Decimal | None,
        high: Decimal | None,
        text: str,
        unit: str,
        *,
        strict: bool = False,
    ) -> Limit:
        """Refuses what no value can meet."""
        smallest = None if self.quantity is Quantity.LEVEL else Decimal(0)
        largest = _LARGEST.get(self.quantity)
        for bound in (low, high):
            if bound is None:
                continue
            if smallest is not None and bound < smallest:
                raise LimitError(f"'{self.text}' is below 0: {_NOUN[self.quantity]} never is")
            if largest is not None and bound > largest:
                most = _LARGEST_TEXT[self.quantity]
                raise LimitError(f"'{self.text}' is above {most}: {_NOUN[self.quantity]} never is")
        if strict and (
            (high is not None and high == smallest) or (low is not None and low == largest)
        ):
            raise LimitError(f"'{self.text}' can never hold")
        return Limit(
            quantity=self.quantity,
            low=None if low is None else float(low),
            high=None if high is None else float(high),
            strict=strict,
            text=text,
            unit=unit,
        )
