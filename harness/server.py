"""Serves a scenario's site and its clips to the browser, on loopback only.

Clips are answered with byte ranges, without which a browser cannot seek in them. What a
page asks for and does not get is kept in `SiteServer.missing`, for the report.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from .errors import EnvironmentProblem
from .site_folder import file_at, leads_out

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST = "127.0.0.1"

# Spelled out, for a system's own table may lack some or call scripts text/plain, and Chrome
# then refuses to run them as modules.
MIME_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class SiteServer:
    """A site folder at `/` and clips at `/media/NAME.mp4`, while the context lasts.

    >>> with SiteServer(Path("scenarios/site"), {"bikes": Path("bikes.mp4")}) as server:
    ...     server.url  # 'http://127.0.0.1:41873'

    `site` may be None where a scenario opens a page elsewhere and needs only the clips.
    Raises `EnvironmentProblem` on entry where `port` is fixed and taken, or `site` is no
    folder.
    """

    def __init__(
        self, site: Path | None, media: Mapping[str, Path] | None = None, *, port: int = 0
    ) -> None:
        self._site = site.resolve() if site is not None else None
        self._media = {f"{name}.mp4": path.resolve() for name, path in (media or {}).items()}
        self._wanted_port = port
        self._missing: list[str] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SiteServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port listened on; only while the server runs."""
        if self._server is None:
            raise RuntimeError("the site server is not running")
        return int(self._server.port)

    @property
    def url(self) -> str:
        """The site's address without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    @property
    def missing(self) -> list[str]:
        """Paths that were asked for and not found, each once, in the order of asking."""
        with self._lock:
            return list(dict.fromkeys(self._missing))

    def start(self) -> None:
        """Binds the port and answers requests on a thread of its own."""
        if self._server is not None:
            raise RuntimeError("the site server is already running")
        if self._site is not None and not self._site.is_dir():
            raise EnvironmentProblem(
                f"the site folder {self._site} does not exist",
                "correct `site` in the scenario; it is relative to the scenario's file",
            )
        # Bound here, because werkzeug ends the whole process where a port is taken.
        with self._bind() as listener:
            self._server = make_server(
                HOST,
                listener.getsockname()[1],
                self._answer,
                threaded=True,
                request_handler=self._handler_type(),
                fd=listener.fileno(),
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="site-server",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and every open connection; does nothing where not running."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        server.shutdown()
        thread.join()
        server.server_close()
        # A browser keeps its connections open; their threads would wait for it.
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the browser was faster

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._wanted_port))
            listener.listen(64)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise EnvironmentProblem(
                    f"port {self._wanted_port} on {HOST} is in use",
                    "end the program that listens there, or let the server choose (port 0)",
                ) from error
            raise EnvironmentProblem(
                f"port {self._wanted_port} on {HOST} cannot be opened: {error.strerror}",
                "choose a port above 1023, or let the server choose (port 0)",
            ) from error
        return listener

    def _handler_type(self) -> type[WSGIRequestHandler]:
        lock, connections = self._lock, self._connections

        class Handler(WSGIRequestHandler):
            """Says nothing, and lists its connection while it is open."""

            def setup(self) -> None:
                super().setup()
                with lock:
                    connections.add(self.connection)

            def finish(self) -> None:
                with lock:
                    connections.discard(self.connection)
                try:
                    super().finish()
                except OSError:
                    self.close_connection = True  # the peer left in the middle of an answer

            def log(self, type: str, message: str, *args: Any) -> None:
                pass

        return Handler

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        response = self._respond(request)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        file = self._locate(request.path)
        if file is None:
            if request.path == "/favicon.ico":
                # Browsers ask by themselves; a page without an icon misses nothing.
                return Response(status=HTTPStatus.NO_CONTENT)
            with self._lock:
                self._missing.append(request.path)
            out = self._site is not None and leads_out(self._site, request.path)
            said = "is a link that leads out of the site" if out else "is not here"
            return Response(f"{request.path} {said}\n", HTTPStatus.NOT_FOUND, mimetype="text/plain")
        try:
            response = send_file(
                file,
                request.environ,
                mimetype=MIME_TYPES.get(file.suffix.lower(), "application/octet-stream"),
                conditional=True,
            )
        except RequestedRangeNotSatisfiable:
            return Response(
                status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                headers={"Content-Range": f"bytes */{file.stat().st_size}"},
            )
        if file.suffix.lower() == ".html":
            response.headers["Cache-Control"] = "no-store"
        return response

    def _locate(self, path: str) -> Path | None:
        """The file behind a request's path; None for what is not there or not to be seen."""
        relative = path.lstrip("/")
        folder, _, name = relative.partition("/")
        if folder == "media" and name in self._media:
            clip = self._media[name]
            return clip if clip.is_file() else None
        if self._site is None:
            return None
        if relative == "" or relative.endswith("/"):
            relative += "index.html"
        return file_at(self._site, relative)
