"""The site server, asked as a browser asks it."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import EnvironmentProblem
from harness.server import SiteServer

CLIP = bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "style").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>home</title>")
    (folder / "app.js").write_text("export const one = 1;\n")
    (folder / "style" / "base.css").write_text("body { margin: 0 }\n")
    (tmp_path / "secret.txt").write_text("not for the browser")
    (tmp_path / "clip.mp4").write_bytes(CLIP)
    return folder


@pytest.fixture
def server(site: Path) -> Iterator[SiteServer]:
    with SiteServer(site, {"clip": site.parent / "clip.mp4"}) as running:
        yield running


def ask(
    server: SiteServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_root_is_the_index_and_never_stored(server: SiteServer) -> None:
    status, headers, body = ask(server, "/?profile=ada")
    assert status == 200
    assert b"home" in body
    assert headers["content-type"].startswith("text/html")
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "mime"),
    [
        ("/app.js", "text/javascript"),
        ("/style/base.css", "text/css"),
        ("/media/clip.mp4", "video/mp4"),
    ],
)
def test_mime_types(server: SiteServer, path: str, mime: str) -> None:
    status, headers, _ = ask(server, path)
    assert status == 200
    assert headers["content-type"].split(";")[0] == mime


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=0-99", CLIP[:100], f"bytes 0-99/{len(CLIP)}"),
        ("bytes=10200-", CLIP[10200:], f"bytes 10200-{len(CLIP) - 1}/{len(CLIP)}"),
        ("bytes=-16", CLIP[-16:], f"bytes {len(CLIP) - 16}-{len(CLIP) - 1}/{len(CLIP)}"),
    ],
)
def test_clips_are_served_in_ranges(
    server: SiteServer, wanted: str, expected: bytes, content_range: str
) -> None:
    status, headers, body = ask(server, "/media/clip.mp4", Range=wanted)
    assert status == 206
    assert body == expected
    assert headers["content-range"] == content_range


def test_whole_clip_offers_ranges(server: SiteServer) -> None:
    status, headers, body = ask(server, "/media/clip.mp4")
    assert (status, body) == (200, CLIP)
    assert headers["accept-ranges"] == "bytes"


def test_range_beyond_the_end(server: SiteServer) -> None:
    status, _, _ = ask(server, "/media/clip.mp4", Range="bytes=99999-")
    assert status == 416


def test_head_has_no_body(server: SiteServer) -> None:
    status, headers, body = ask(server, "/media/clip.mp4", "HEAD")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str(len(CLIP))


def test_other_methods_are_refused(server: SiteServer) -> None:
    status, headers, _ = ask(server, "/", "POST")
    assert status == 405
    assert headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    [
        "/style/",
        "/style",
        "/media/",
        "/media/other.mp4",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/style/..%2f..%2fsecret.txt",
        "//secret.txt",
        "/link.txt",
        "/%00",
    ],
)
def test_nothing_outside_and_no_listing(server: SiteServer, site: Path, path: str) -> None:
    (site / "link.txt").symlink_to(site.parent / "secret.txt")
    status, _, body = ask(server, path)
    assert status == 404
    assert b"not for the browser" not in body


def test_missing_files_are_remembered_once(server: SiteServer) -> None:
    for path in ("/gone.png", "/app.js", "/gone.png", "/media/none.mp4"):
        ask(server, path)
    assert server.missing == ["/gone.png", "/media/none.mp4"]


def test_missing_icon_is_no_fault(server: SiteServer) -> None:
    status, _, _ = ask(server, "/favicon.ico")
    assert status == 204
    assert server.missing == []


def test_quiet(server: SiteServer, capfd: pytest.CaptureFixture[str]) -> None:
    ask(server, "/")
    ask(server, "/gone")
    assert capfd.readouterr() == ("", "")


def test_taken_port_is_an_environment_problem(site: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"port {port} .*in use") as caught:
            SiteServer(site, port=port).start()
    assert "port 0" in caught.value.remedy


def test_site_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="does not exist"):
        SiteServer(tmp_path / "none").start()


def test_clips_alone_need_no_site(site: Path) -> None:
    with SiteServer(None, {"clip": site.parent / "clip.mp4"}) as server:
        assert ask(server, "/media/clip.mp4")[0] == 200
        assert ask(server, "/")[0] == 404


def test_stop_leaves_no_port_and_no_thread(site: Path) -> None:
    before = set(threading.enumerate())
    server = SiteServer(site)
    with server:
        port = server.port
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        kept.request("GET", "/")
        kept.getresponse().read()  # keep-alive: the connection stays open
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before
    kept.close()
    with SiteServer(site, port=port) as again:  # the same port is free at once
        assert ask(again, "/")[0] == 200
    server.stop()  # a second stop does nothing
    with pytest.raises(RuntimeError):
        _ = server.url
