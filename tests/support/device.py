"""Frames in the memory of a GPU: a real one, or the CUDA double that plays one.

Which of them is what $UISPLICE_CUDA_LIBRARY says, as for the library (docs/nvenc.md).
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.native import native
from harness.pipeline import Pipeline

Frame = npt.NDArray[np.uint8]

_HOST, _DEVICE = 1, 2  # CU_MEMORYTYPE_*


class _Copy(ctypes.Structure):
    """CUDA_MEMCPY2D."""

    # A list, as ctypes reads it.
    _fields_ = [
        (f"{side}{name}", kind)
        for side in ("src", "dst")
        for name, kind in (
            ("XInBytes", ctypes.c_size_t),
            ("Y", ctypes.c_size_t),
            ("MemoryType", ctypes.c_int),
            ("Host", ctypes.c_void_p),
            ("Device", ctypes.c_uint64),
            ("Array", ctypes.c_void_p),
            ("Pitch", ctypes.c_size_t),
        )
    ] + [("WidthInBytes", ctypes.c_size_t), ("Height", ctypes.c_size_t)]


class Gpu:
    """A device's primary context; memory that was allocated goes with `close`."""

    def __init__(self, ordinal: int = 0) -> None:
        self._cuda = ctypes.CDLL(os.environ.get("UISPLICE_CUDA_LIBRARY") or "libcuda.so.1")
        self._memory: list[ctypes.c_uint64] = []
        self._device = ctypes.c_int()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(self._device), ordinal)
        self._context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)

    def _call(self, name: str, *arguments: Any) -> None:
        rc = getattr(self._cuda, name)(*arguments)
        assert rc == 0, f"{name} failed: {rc}"

    def _in_context(self, name: str, *arguments: Any) -> None:
        self._call("cuCtxPushCurrent_v2", self._context)
        try:
            self._call(name, *arguments)
        finally:
            self._call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def allocate(self, width: int, height: int) -> Any:
        """Memory for B,G,R,A pixels, as `uis_device_image`."""
        address, pitch = ctypes.c_uint64(), ctypes.c_size_t()
        self._in_context(
            "cuMemAllocPitch_v2",
            ctypes.byref(address),
            ctypes.byref(pitch),
            ctypes.c_size_t(width * 4),
            ctypes.c_size_t(height),
            16,
        )
        self._memory.append(address)
        ffi = native().ffi
        image = ffi.new("uis_device_image *")
        image.address, image.pitch = address.value, pitch.value
        image.width, image.height = width, height
        image.context = ffi.cast("void *", self._context.value)
        return image

    def _copy(self, image: Any, pointer: int, stride: int, *, up: bool) -> None:
        host, there = ("src", "dst") if up else ("dst", "src")
        copy = _Copy(WidthInBytes=image.width * 4, Height=image.height)
        for name, value in (
            (f"{host}MemoryType", _HOST),
            (f"{host}Host", pointer),
            (f"{host}Pitch", stride),
            (f"{there}MemoryType", _DEVICE),
            (f"{there}Device", image.address),
            (f"{there}Pitch", image.pitch),
        ):
            setattr(copy, name, value)
        self._in_context("cuMemcpy2D_v2", ctypes.byref(copy))
        self._in_context("cuStreamSynchronize", None)

    def upload(self, image: Any, frame: Frame) -> None:
        frame = np.ascontiguousarray(frame)
        self._copy(image, frame.ctypes.data, frame.strides[0], up=True)

    def download(self, image: Any, pointer: int, stride: int) -> None:
        self._copy(image, pointer, stride, up=False)

    def close(self) -> None:
        for address in self._memory:
            self._in_context("cuMemFree_v2", address)
        self._memory.clear()
        self._call("cuDevicePrimaryCtxRelease", self._device)


class DevicePipeline(Pipeline):
    """A pipeline whose frames are on a GPU, as a layer that captures there has them."""

    def __init__(self, gpu: Gpu, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._gpu = gpu
        self._places: list[Any] = []  # of the newest frame, and of the one before
        rc = self._native.lib.uis_pipeline_use_device(self._pointer, self._error, 512)
        assert rc == 0, self._native.text(self._error)

    def _image(self, frame: Frame) -> Any:
        if frame is self._before:
            place = self._places[1]
        else:
            if len(self._places) < 2:
                self._places.insert(0, self._gpu.allocate(frame.shape[1], frame.shape[0]))
            else:
                self._places.reverse()
            place = self._places[0]
            self._gpu.upload(place, frame)
        image = self._native.ffi.new("uis_image *")
        image.device = place[0]
        return image


class DeviceFrames:
    """Frames on a GPU for an encoder host, in a pool as the layer's, as `uis_device_frames`
    (`table`). What nobody has taken goes when there are more than `slots`; `broken`: copies to the
    host fail."""

    def __init__(self, gpu: Gpu, slots: int = 6) -> None:
        self._gpu, self._slots = gpu, slots
        self._ready: dict[int, Any] = {}
        self._taken: dict[int, Any] = {}
        self._free: list[Any] = []
        self._lock = threading.Lock()
        self.taken = self.downloaded = 0
        self.broken = False
        ffi = native().ffi
        self.table = ffi.new("uis_device_frames *")
        self._kept = (
            ffi.callback("int32_t(uint64_t, uis_taken_frame *)", self._take),
            ffi.callback("void(const uis_taken_frame *)", self._release),
            ffi.callback("int32_t(const uis_taken_frame *, uint8_t *, size_t)", self._download),
        )
        self.table.take, self.table.release, self.table.download = self._kept

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def held(self) -> int:
        """Frames that were taken and not released."""
        return len(self._taken)

    def add(self, sequence: int, frame: Frame) -> None:
        height, width = frame.shape[:2]
        with self._lock:
            fitting = [i for i in self._free if (i.width, i.height) == (width, height)]
            if len(self._ready) >= self._slots:
                self._free.append(self._ready.pop(min(self._ready)))
            image = fitting[0] if fitting else self._gpu.allocate(width, height)
            if fitting:
                self._free.remove(image)
            self._gpu.upload(image, frame)
            self._ready[sequence] = image

    def forget(self) -> None:
        """Everything that nobody has taken is overwritten."""
        with self._lock:
            self._free.extend(self._ready.values())
            self._ready.clear()

    def start_again(self) -> None:
        """As if nothing had been added or counted."""
        self.forget()
        self.taken = self.downloaded = 0

    def _take(self, sequence: int, out: Any) -> int:
        with self._lock:
            image = self._ready.pop(sequence, None)
            if image is None:
                return 0
            self._taken[sequence] = image
            self.taken += 1
        out.image = image[0]
        out.sequence = sequence
        return 1

    def _release(self, frame: Any) -> None:
        with self._lock:
            self._free.append(self._taken.pop(frame.sequence))

    def _download(self, frame: Any, pixels: Any, stride: int) -> int:
        ffi = native().ffi
        with self._lock:
            image = self._taken[frame.sequence]
            if self.broken:
                return -1
            self._gpu.download(image, int(ffi.cast("uintptr_t", pixels)), stride)
            self.downloaded += 1
        return 0
