"""Logins: cookies and local storage in the form that Playwright writes."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ScenarioError

_REMEDY = "Playwright's context.storage_state(path=...) writes one"


class NamedValue(BaseModel):
    """An entry of a page's local storage."""

    model_config = ConfigDict(extra="forbid")
    name: str
    value: str


class Origin(BaseModel):
    """The local storage of one origin, such as `https://example.com`."""

    model_config = ConfigDict(extra="ignore")  # newer Playwright writes indexedDB as well
    origin: str
    localStorage: list[NamedValue] = []


class Cookie(BaseModel):
    """A cookie, with whatever Playwright's `add_cookies` takes."""

    model_config = ConfigDict(extra="allow")
    name: str
    value: str
    domain: str | None = None
    url: str | None = None


class StorageState(BaseModel):
    """Cookies and local storage, in the form of Playwright's `context.storage_state()`."""

    model_config = ConfigDict(extra="ignore")
    cookies: list[Cookie] = []
    origins: list[Origin] = []

    @classmethod
    def read(cls, path: Path) -> StorageState:
        """Raises ScenarioError where the file cannot be read or is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ScenarioError(f"'{path.name}': {error.strerror}", _REMEDY) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            reason = {
                "missing": f"'{place}' is missing",
                "json_invalid": first["msg"].removeprefix("Invalid JSON: "),
            }.get(first["type"], f"{place}: {first['msg']}" if place else first["msg"])
            raise ScenarioError(f"'{path.name}' is no storage state: {reason}", _REMEDY) from None
