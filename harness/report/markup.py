"""How a page is put together so that no text in it can become markup or script.

Text goes through `escape`. Data for scripts is deflated JSON in base64, which has no `<`.
The page's policy (CSP) lets exactly the project's own script run, named by its hash, and
nothing be loaded but what lies beside the page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

escape = html.escape
_TICK = re.compile(r"\b[0-9]+\.\.[0-9]+\b|\btick [0-9]+\b")
_NUMBER = re.compile(r"[0-9]+")


@cache
def asset(name: str) -> str:
    """A script or style of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def packed(data: Any) -> str:
    """JSON, deflated, base64; `unpack` in common.js reads it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def data_block(name: str, content: str) -> str:
    """An inert script element. `content` must be base64."""
    return f'<script type="application/octet-stream" id="{name}">{content}</script>'


def page(title: str, styles: Sequence[str], scripts: Sequence[str], body: Iterable[str]) -> str:
    """A whole document. `body` is markup; `styles` and `scripts` are names of assets."""
    script = "\n".join(asset(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src 'self' file: blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{''.join(asset(name) for name in styles)}</style>"
        f"</head><body>{''.join(body)}<script>{script}</script></body></html>"
    )


def tick_links(text: str, address: str) -> str:
    """Markup of `text` in which `tick 12` and `12..34` lead to `address` with the first
    tick's number behind it. No address: no links."""
    if not address:
        return escape(text)
    parts, end = [], 0
    for found in _TICK.finditer(text):
        number = _NUMBER.search(found[0])
        assert number
        parts += [
            escape(text[end : found.start()]),
            f'<a href="{escape(address + number[0])}" target="viewer">{escape(found[0])}</a>',
        ]
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> str:
    """A table of text; `classes` are the rows' CSS classes."""
    parts = ["<table><thead><tr>"]
    parts += [f"<th>{escape(h)}</th>" for h in head]
    parts.append("</tr></thead><tbody>")
    for number, row in enumerate(rows):
        parts.append(f'<tr class="{classes[number]}">' if classes else "<tr>")
        parts += [f"<td>{escape(text)}</td>" for text in row]
        parts.append("</tr>")
    return "".join(parts) + "</tbody></table>"
