"""Addresses a scenario opens: a path on its site, or a URL."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

SCHEMES = ("http", "https", "file")


def is_url(address: str) -> bool:
    """False for a path on the scenario's site."""
    return bool(urlsplit(address).scheme)


def path_of(address: str) -> str:
    """The path of an address on the site as a browser asks for it: decoded, without query and
    leading slash, and never above the site."""
    return unquote(urlsplit(urljoin("http://site/", address)).path).lstrip("/")


def check_address(address: str) -> str:
    """`address` when it may be opened. Raises ValueError otherwise."""
    try:
        scheme = urlsplit(address).scheme
    except ValueError as error:
        raise ValueError(f"'{address}' is not an address: {error}") from None
    if scheme and scheme not in SCHEMES:
        raise ValueError(
            f"'{address}' has the scheme '{scheme}:'; open takes a path on the site, "
            "or an http://, https:// or file:// URL"
        )
    return address
