"""Programs of our own that run under the layer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INCLUDES = ("native/include", "native/src", "vulkan_layer/src")


@pytest.fixture(scope="session")
def compile_program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds tests/layer/NAME.c with the ring's protocol and `sources`, once a name."""
    built: dict[str, Path] = {}

    def build(
        name: str,
        *sources: str,
        libraries: tuple[str, ...] = ("vulkan",),
        options: tuple[str, ...] = (),
    ) -> Path:
        if name not in built:
            compiler = shutil.which("cc")
            assert compiler, "make setup installs a compiler"
            target = tmp_path_factory.mktemp("layer") / name
            files = [f"tests/layer/{name}.c", "native/src/frame_ring.c", *sources]
            subprocess.run(
                [
                    compiler,
                    "-std=c11",
                    "-O1",
                    *(f"-I{ROOT / folder}" for folder in INCLUDES),
                    *options,
                    *(str(ROOT / file) for file in files),
                    *(f"-l{library}" for library in (*libraries, "pthread")),
                    "-o",
                    str(target),
                ],
                check=True,
            )
            built[name] = target
        return built[name]

    return build
