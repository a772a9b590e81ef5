"""The native library and the layer's files: where they lie, and their cffi binding.

The C headers are the one description of the interface: what stands between
their `cffi: begin` and `cffi: end` marks is parsed here, so Python cannot
drift from C.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
from pathlib import Path
from typing import Any

import cffi

from . import __version__
from .errors import EnvironmentProblem

LAYER_NAME = "VK_LAYER_UISPLICE_capture"
LAYER_LIBRARY = "libVkLayer_uisplice.so"
LIBRARY = "libuisplice.so"
LAYER_MANIFEST = "VkLayer_uisplice.json"

_BETWEEN_MARKS = re.compile(r"/\* cffi: begin \*/(.*?)/\* cffi: end \*/", re.S)


@functools.cache
def library_dir() -> Path:
    """The folder that holds the shared objects and the layer's manifest.

    Looked for in $UISPLICE_LIB_DIR, in the installed package, and where an
    editable install of a checkout puts them.

    Raises:
        EnvironmentProblem: nothing was built.
    """
    candidates = [Path(__file__).parent / "_lib"]
    try:
        located = importlib.metadata.distribution("uisplice").locate_file("harness/_lib")
        candidates.append(Path(str(located)))
    except importlib.metadata.PackageNotFoundError:
        pass
    if chosen := os.environ.get("UISPLICE_LIB_DIR"):
        candidates = [Path(chosen)]
    for folder in candidates:
        if (folder / LIBRARY).is_file():
            return folder
    raise EnvironmentProblem(
        f"the native library {LIBRARY} was not found in " + " or ".join(str(c) for c in candidates),
        "build and install the package: `make build` in a checkout, or `pip install .`",
    )


def layer_dir() -> Path:
    """The folder to put in VK_ADD_LAYER_PATH.

    Raises:
        EnvironmentProblem: the layer or its manifest is missing.
    """
    folder = library_dir()
    for name in (LAYER_LIBRARY, LAYER_MANIFEST):
        if not (folder / name).is_file():
            raise EnvironmentProblem(
                f"the Vulkan layer is incomplete: {folder / name} is missing",
                "build and install the package again: `make build`, or `pip install .`",
            )
    return folder


def _declarations(*headers: str) -> str:
    text = []
    for name in headers:
        source = (library_dir() / "include" / name).read_text(encoding="utf-8")
        text += _BETWEEN_MARKS.findall(source)
    # cffi takes `#define NAME number` but not a comment behind it.
    return re.sub(r"/\*.*?\*/", "", "\n".join(text), flags=re.S)


class Library:
    """A loaded shared object with its cffi types: `ffi` and `lib`."""

    def __init__(self, file_name: str, *headers: str) -> None:
        # Any: the types come from the headers at run time.
        self.ffi: Any = cffi.FFI()
        self.ffi.cdef(_declarations(*headers))
        path = library_dir() / file_name
        try:
            self.lib: Any = self.ffi.dlopen(str(path))
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot load {path}: {error}",
                "install what it links to (libx264, libyuv, libopenh264) with `make setup`",
            ) from error

    def text(self, pointer: Any) -> str:
        """A C string as str."""
        raw = self.ffi.string(pointer)
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw


@functools.cache
def native() -> Library:
    """The recorder's library.

    Raises:
        EnvironmentProblem: it cannot be loaded, or was built from another version than this.
    """
    library = Library(
        LIBRARY,
        "frame_ring.h",
        "dirty_map.h",
        "image.h",
        "recorder.h",
        "encode_host.h",
        "pipeline.h",
        "spool.h",
        "bitstream.h",
    )
    built_from = library.text(library.lib.uis_version())
    if built_from != __version__:
        raise EnvironmentProblem(
            f"{library_dir() / LIBRARY} was built from version {built_from}, "
            f"and this is version {__version__}",
            "build and install them together: `make build` in a checkout, or `pip install .`",
        )
    return library


@functools.cache
def openh264() -> Library:
    """The OpenH264 decoder's library."""
    return Library("libuisplice_openh264.so", "openh264_decoder.h")
