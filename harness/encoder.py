"""Which encoder codes a recording: what was asked for, and what this machine has."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .errors import EnvironmentProblem
from .native import native
from .recorder import RecorderSettings, native_config

_TEXT_SIZE = 512


@dataclass(frozen=True)
class ChosenEncoder:
    """`settings.encoder` is never "auto"; `name` is what the library says of itself: version
    and device, or the word "double" where a test's double of it answers; `warning` says why
    "auto" did not take NVENC."""

    settings: RecorderSettings
    name: str
    warning: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """For reports."""
        said = {"encoder": self.name}
        if self.settings.threads > 1:
            said["encoder threads"] = str(self.settings.threads)
        return said | {"encoder warning": self.warning} if self.warning else said


def choose_encoder(settings: RecorderSettings) -> ChosenEncoder:
    """Opens NVENC once where it is asked for, with the recording's own settings, so that what
    is missing is known before anything else starts.

    Raises:
        EnvironmentProblem: "nvenc" is demanded and not to be had.
    """
    x264 = f"libx264 {native().text(native().lib.uis_x264_version())}"
    if settings.encoder == "x264":
        return ChosenEncoder(settings, x264)
    nvenc = dataclasses.replace(settings, encoder="nvenc")
    try:
        return ChosenEncoder(nvenc, probe(nvenc))
    except EnvironmentProblem as error:
        if settings.encoder == "nvenc":
            raise
        return ChosenEncoder(
            dataclasses.replace(settings, encoder="x264"),
            x264,
            f"libx264 codes, because NVENC does not: {error.message}",
        )


def probe(settings: RecorderSettings) -> str:
    """What codes with these settings here.

    Raises:
        EnvironmentProblem: it does not open.
    """
    library = native()
    text = library.ffi.new("char[]", _TEXT_SIZE)
    if library.lib.uis_probe_encoder(native_config(settings), text, _TEXT_SIZE) != 0:
        raise EnvironmentProblem(
            library.text(text),
            "see docs/nvenc.md; `encoder: auto` takes libx264 where NVENC is not to be had",
        )
    return library.text(text)
