"""Colours that carry a meaning are told apart by colour-blind readers, and by their lightness.

Colour blindness as Machado, Oliveira and Fernandes (2009) simulate it, at full severity;
distances in CIE L*a*b* (1976), where about 2 is the least that is seen side by side.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest

from harness.report.markup import asset
from harness.report.report_page import _CLASS_COLOUR

Colour = npt.NDArray[np.float64]  # linear R, G, B, 0 to 1

APART = 15  # in L*a*b*: seen without looking for it

BLIND = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
_TO_XYZ = np.array(  # sRGB, white point D65
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(colour: str) -> Colour:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(colour: Colour) -> Colour:
    relative = _TO_XYZ @ np.clip(colour, 0, 1) / (0.95047, 1.0, 1.08883)
    x, y, z = np.where(relative > 216 / 24389, np.cbrt(relative), relative * 841 / 108 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def listed(script: str, name: str) -> list[str]:
    """The colours in a script's constant, an array of several lines."""
    found = re.search(rf"const {name} = \[\n(.*?)\n\];", script, re.S)
    assert found, name
    return re.findall(r"#[0-9a-f]{6}", found[1])


def one(name: str) -> str:
    found = re.search(rf'\b{name}: "(#[0-9a-f]{{6}})"', asset("common.js"))
    assert found, name
    return found[1]


CLASSES = re.findall("#[0-9a-f]{6}", re.findall(r"class: \[.*\]", asset("common.js"))[0])
SETS = {
    "classes and problems": [*CLASSES, one("problem")],
    "encode and splice": [one("encode"), one("splice")],
    "kinds of macroblocks": listed(asset("viewer.js"), "GROUPS"),
    "references": listed(asset("viewer.js"), "REFERENCES"),
}


@pytest.mark.parametrize("sight", BLIND)
@pytest.mark.parametrize("name", SETS)
def test_colours_are_told_apart(name: str, sight: str) -> None:
    seen = {colour: lab(BLIND[sight] @ linear(colour)) for colour in SETS[name]}
    assert len(seen) == len(SETS[name]) >= 2
    near = {
        pair: round(float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])), 1)
        for pair in itertools.combinations(seen, 2)
    }
    assert min(near.values()) >= APART, near


def test_the_classes_rise_in_lightness_and_the_legend_has_their_colours() -> None:
    lightness = [float(lab(linear(colour))[0]) for colour in CLASSES]
    assert len(CLASSES) == 3 and min(np.diff(lightness)) >= 8, lightness
    assert list(_CLASS_COLOUR.values()) == CLASSES
