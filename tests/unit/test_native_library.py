"""The native library is of the package that loads it."""

from __future__ import annotations

import pytest

import harness.native
from harness.errors import EnvironmentProblem


def test_a_library_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch):
    load = harness.native.native.__wrapped__  # not the one that is loaded already
    load()
    monkeypatch.setattr(harness.native, "__version__", "0.0.9")
    with pytest.raises(
        EnvironmentProblem, match=r"built from version .*, and this is version 0\.0\.9"
    ):
        load()
