"""What a page is given before it is opened: logins, network conditions."""

from __future__ import annotations

import json
from typing import Any, cast

from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from .errors import ScenarioError
from .scenario import Network, StorageState

__all__ = ["SITE", "NetworkShaper", "StorageState", "restore"]

SITE = "http://site"
"""Stands for the scenario's own server in a storage state: its port is another each time."""

# Runs before the page's own scripts, in every frame; entries of other origins are not touched.
_STORE = """
(origins => {
  for (const { origin, localStorage: items } of origins) {
    if (origin !== location.origin) continue;
    for (const { name, value } of items) {
      if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
    }
  }
})(%s);
"""


def restore(context: BrowserContext, state: StorageState, site_url: str) -> None:
    """Gives every page of `context` the state's cookies and local storage.

    `site_url` (without a slash at its end) replaces SITE. Local storage is set where a page
    of its origin is opened, and only what the page has not set itself.

    Raises ScenarioError for a cookie that Chrome refuses.
    """
    cookies: list[dict[str, Any]] = []
    for cookie in state.cookies:
        data = cookie.model_dump(exclude_none=True)
        url = data.get("url", "")
        if url == SITE or url.startswith(f"{SITE}/"):
            data["url"] = site_url + url.removeprefix(SITE)
        if data.get("domain") == "site":
            data["domain"] = "127.0.0.1"
        cookies.append(data)
    if cookies:
        try:
            context.add_cookies(cast(Any, cookies))
        except PlaywrightError as error:
            raise ScenarioError(
                f"the storage state's cookies do not hold: {error.message.splitlines()[0]}",
                "each cookie has a name, a value, and a url or a domain and path",
            ) from error
    origins = [
        {
            "origin": site_url if origin.origin.rstrip("/") == SITE else origin.origin,
            "localStorage": [item.model_dump() for item in origin.localStorage],
        }
        for origin in state.origins
    ]
    if origins:
        context.add_init_script(_STORE % json.dumps(origins))


class NetworkShaper:
    """Gives a page's requests network conditions; they hold until others are given."""

    def __init__(self, page: Page) -> None:
        # One session for all: Chrome drops a session's conditions when it is detached.
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Network.enable")

    def shape(self, network: Network) -> None:
        self._devtools.send(
            "Network.emulateNetworkConditions",
            {
                "offline": network.offline,
                "latency": network.latency * 1000,  # milliseconds
                "downloadThroughput": network.download / 8 if network.download else -1,
                "uploadThroughput": network.upload / 8 if network.upload else -1,
            },
        )
