"""The CUDA driver and its video decoder's capabilities, through the driver's own interface.

`python -m harness.gpu_check.cuda` prints what it found as JSON: a driver that crashes must
not take its caller along.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import cffi

CUDA_LIBRARY = "libcuda.so.1"
NVCUVID_LIBRARY = "libnvcuvid.so.1"
_COPIED = 1 << 20  # bytes that travel to the device and back

# From ffnvcodec's dynlink_cuda.h and dynlink_cuviddec.h, of which only this is called.
_DECLARATIONS = """
typedef int CUresult;
typedef int CUdevice;
typedef void *CUcontext;
typedef unsigned long long CUdeviceptr;
CUresult cuInit(unsigned int);
CUresult cuGetErrorName(CUresult, const char **);
CUresult cuDriverGetVersion(int *);
CUresult cuDeviceGetCount(int *);
CUresult cuDeviceGet(CUdevice *, int);
CUresult cuDeviceGetName(char *, int, CUdevice);
CUresult cuDeviceGetAttribute(int *, int, CUdevice);
CUresult cuDeviceTotalMem_v2(size_t *, CUdevice);
CUresult cuDevicePrimaryCtxRetain(CUcontext *, CUdevice);
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice);
CUresult cuCtxSetCurrent(CUcontext);
CUresult cuMemAlloc_v2(CUdeviceptr *, size_t);
CUresult cuMemFree_v2(CUdeviceptr);
CUresult cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
CUresult cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
"""
_DECODER = """
typedef struct CUVIDDECODECAPS {
    int eCodecType, eChromaFormat;
    unsigned int nBitDepthMinus8, reserved1[3];
    unsigned char bIsSupported, nNumNVDECs;
    unsigned short nOutputFormatMask;
    unsigned int nMaxWidth, nMaxHeight, nMaxMBCount;
    unsigned short nMinWidth, nMinHeight;
    unsigned char bIsHistogramSupported, nCounterBitDepth;
    unsigned short nMaxHistogramBins;
    unsigned int reserved3[10];
} CUVIDDECODECAPS;
int cuvidGetDecoderCaps(CUVIDDECODECAPS *);
"""
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_H264, _CHROMA_420 = 4, 1  # cudaVideoCodec_H264, cudaVideoChromaFormat_420


class CudaError(Exception):
    """A call into the driver was refused."""


def describe() -> dict[str, Any]:
    """The first device, a copy there and back, and what NVDEC can do with 8-bit H.264.

    Raises OSError where the driver's library is missing, CudaError where a call fails.
    """
    ffi: Any = cffi.FFI()
    ffi.cdef(_DECLARATIONS + _DECODER)
    cuda: Any = ffi.dlopen(CUDA_LIBRARY)

    def call(name: str, *arguments: Any) -> None:
        result = getattr(cuda, name)(*arguments)
        if result != 0:
            text = ffi.new("const char **")
            known = cuda.cuGetErrorName(result, text) == 0 and text[0] != ffi.NULL
            raise CudaError(f"{name}: {ffi.string(text[0]).decode() if known else result}")

    def asked(name: str, kind: str, *arguments: Any) -> Any:
        out = ffi.new(f"{kind} *")
        call(name, out, *arguments)
        return out[0]

    call("cuInit", 0)
    version = asked("cuDriverGetVersion", "int")
    count = asked("cuDeviceGetCount", "int")
    if count == 0:
        raise CudaError("cuDeviceGetCount: no device")
    device = asked("cuDeviceGet", "CUdevice", 0)
    name = ffi.new("char[256]")
    call("cuDeviceGetName", name, 256, device)
    major, minor = (
        asked("cuDeviceGetAttribute", "int", which, device)
        for which in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR)
    )
    found = {
        "version": f"{version // 1000}.{version % 1000 // 10}",
        "devices": count,
        "device": ffi.string(name).decode("utf-8", "replace"),
        "compute capability": f"{major}.{minor}",
        "memory MiB": asked("cuDeviceTotalMem_v2", "size_t", device) >> 20,
    }
    context = asked("cuDevicePrimaryCtxRetain", "CUcontext", device)
    try:
        call("cuCtxSetCurrent", context)
        sent, back = os.urandom(_COPIED), ffi.new("char[]", _COPIED)
        memory = asked("cuMemAlloc_v2", "CUdeviceptr", _COPIED)
        call("cuMemcpyHtoD_v2", memory, sent, _COPIED)
        call("cuMemcpyDtoH_v2", back, memory, _COPIED)
        call("cuMemFree_v2", memory)
        found["copies equal"] = bytes(ffi.buffer(back)) == sent
        found["nvdec"] = _decoder(ffi)
    finally:
        cuda.cuDevicePrimaryCtxRelease_v2(device)
    return found


def _decoder(ffi: Any) -> dict[str, Any]:
    """With a context current."""
    try:
        library = ffi.dlopen(NVCUVID_LIBRARY)
    except OSError as error:
        return {"error": str(error)}
    caps = ffi.new("CUVIDDECODECAPS *", {"eCodecType": _H264, "eChromaFormat": _CHROMA_420})
    result = library.cuvidGetDecoderCaps(caps)
    if result != 0:
        return {"error": f"cuvidGetDecoderCaps answers {result}"}
    if not caps.bIsSupported:
        return {"error": "the card's decoder does not take 8-bit H.264 4:2:0"}
    return {
        "engines": caps.nNumNVDECs,
        "largest": f"{caps.nMaxWidth}x{caps.nMaxHeight}",
        "smallest": f"{caps.nMinWidth}x{caps.nMinHeight}",
        "macroblocks": caps.nMaxMBCount,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(describe()))
    except (OSError, CudaError) as problem:
        sys.exit(str(problem).split(".  Additionally")[0])
