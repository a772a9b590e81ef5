"""A site's folder as its server sees it: which file answers a path, and what no path reaches.

Symbolic links are followed as far as they stay inside the folder. One that leads out is as good
as missing for the server, so that a page can read nothing else of the machine; a scenario whose
site has one is refused before anything starts.
"""

from __future__ import annotations

import os
from pathlib import Path

from werkzeug.security import safe_join

MOST_ENTRIES = 20_000  # of a folder that are looked at for links


def file_at(site: Path, path: str) -> Path | None:
    """The file behind a decoded path of the site; None for what is not there, and for what
    lies outside. `site` is resolved, as `Path.resolve` does."""
    joined = _joined(site, path)
    if joined is None:
        return None
    file = _resolved(joined)
    if file is None or not _inside(site, file):
        return None
    try:
        return file if file.is_file() else None
    except OSError:  # in a folder that may not be read
        return None


def leads_out(site: Path, path: str) -> bool:
    """True where a link on the way to this path leads out of the site."""
    joined = _joined(site, path)
    file = _resolved(joined) if joined is not None else None
    return file is not None and not _inside(site, file)


def links_out(site: Path, most: int = MOST_ENTRIES) -> tuple[str, ...]:
    """The links that lead out, by their paths from the site, in order; of a folder with more
    than `most` entries only the first ones met. Never raises."""
    found: list[str] = []
    waiting = [site]
    while waiting and most > 0:
        try:
            entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
        except OSError:  # what cannot be read cannot be served either
            continue
        most -= len(entries)
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                target = _resolved(path)
                if target is not None and not _inside(site, target):
                    found.append(str(path.relative_to(site)))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
    return tuple(sorted(found))


def _joined(site: Path, path: str) -> Path | None:
    """None for a path whose own words lead out."""
    if "\0" in path:
        return None
    joined = safe_join(str(site), path.lstrip("/"))
    return Path(joined) if joined is not None else None


def _inside(site: Path, file: Path) -> bool:
    return file.is_relative_to(site)


def _resolved(path: Path) -> Path | None:
    """None for a name that is too long, and for a link that leads to itself."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return None
