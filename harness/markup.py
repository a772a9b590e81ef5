"""Texts of scenarios and pages in reports: shown as they are, never taken as markup.

HTML is escaped by the standard library; this is for Markdown.
"""

from __future__ import annotations

import html
import re


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no HTML, emphasis, link, cell, heading or mention."""
    flat = html.escape(" ".join(text.split()), quote=False)
    flat = re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", flat)
    # An address would become a link, and a name a mention, without any mark around it.
    return flat.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")
