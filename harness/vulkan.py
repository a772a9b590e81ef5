"""The Vulkan drivers of this machine, and its devices, asked of the loader.

`python -m harness.vulkan` prints them as JSON: drivers run inside the process that asks, and
one that crashes must not take its caller along.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cffi

from .errors import EnvironmentProblem

LOADER = "libvulkan.so.1"
_DRIVER_FOLDERS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")
_TIMEOUT = 30.0  # seconds; a driver that compiles at its first start takes a few

# Of vulkan_core.h only what is called. Of VkPhysicalDeviceProperties the fields up to the
# name are as there; what follows is larger than any driver fills, also inside
# VkPhysicalDeviceProperties2, where it comes last.
_DECLARATIONS = """
typedef struct VkInstanceCreateInfo {
    int32_t sType;
    const void *pNext;
    uint32_t flags;
    const void *pApplicationInfo;
    uint32_t enabledLayerCount;
    const char *const *ppEnabledLayerNames;
    uint32_t enabledExtensionCount;
    const char *const *ppEnabledExtensionNames;
} VkInstanceCreateInfo;
typedef struct VkPhysicalDeviceProperties {
    uint32_t apiVersion, driverVersion, vendorID, deviceID;
    int32_t deviceType;
    char deviceName[256];
    uint64_t rest[256];
} VkPhysicalDeviceProperties;
typedef struct VkApplicationInfo {
    int32_t sType;
    const void *pNext;
    const char *pApplicationName;
    uint32_t applicationVersion;
    const char *pEngineName;
    uint32_t engineVersion, apiVersion;
} VkApplicationInfo;
typedef struct VkPhysicalDeviceDriverProperties {
    int32_t sType;
    void *pNext;
    int32_t driverID;
    char driverName[256], driverInfo[256];
    uint8_t conformanceVersion[4];
} VkPhysicalDeviceDriverProperties;
typedef struct VkPhysicalDeviceProperties2 {
    int32_t sType;
    void *pNext;
    VkPhysicalDeviceProperties properties;
} VkPhysicalDeviceProperties2;
int32_t vkCreateInstance(const VkInstanceCreateInfo *, const void *, void **);
int32_t vkEnumeratePhysicalDevices(void *, uint32_t *, void **);
void vkGetPhysicalDeviceProperties2(void *, VkPhysicalDeviceProperties2 *);
void vkDestroyInstance(void *, const void *);
"""
_APPLICATION_INFO = 0  # VK_STRUCTURE_TYPE_APPLICATION_INFO
_CREATE_INFO = 1  # VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
_PROPERTIES_2 = 1000059001  # VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2
_DRIVER_PROPERTIES = 1000196000  # VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES
_VERSION_1_1 = 1 << 22 | 1 << 12  # VK_API_VERSION_1_1
_INCOMPLETE = 5  # VK_INCOMPLETE: more devices than there was room for


@dataclass(frozen=True)
class Device:
    """A physical device. `driver` is the name and version that its driver tells of itself
    (VkPhysicalDeviceDriverProperties), empty for one that is older than Vulkan 1.2."""

    name: str
    driver: str


def require_vulkan_driver(environment: Mapping[str, str] = os.environ) -> None:
    """Raises EnvironmentProblem where no Vulkan driver is installed."""
    named = environment.get("VK_DRIVER_FILES") or environment.get("VK_ICD_FILENAMES")
    if named:
        manifests = [Path(name) for name in named.split(os.pathsep) if name]
        found = [path for path in manifests if path.is_file()]
        where = f"$VK_DRIVER_FILES names {named}"
    else:
        found = [path for folder in _DRIVER_FOLDERS for path in Path(folder).glob("*.json")]
        where = f"no driver manifest in {', '.join(_DRIVER_FOLDERS)}"
    if not found:
        raise EnvironmentProblem(
            f"no Vulkan driver is installed: {where}",
            "install one: apt install mesa-vulkan-drivers (lavapipe runs without a GPU)",
        )


def driver_of(device: str) -> str:
    """Name and version of the driver of the device of that name, as reports show it; empty
    where nobody can tell. Asks once a process for each choice of drivers."""
    chosen = tuple(os.environ.get(name, "") for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"))
    return _drivers(chosen).get(device, "")


@functools.cache
def _drivers(_chosen: tuple[str, ...]) -> dict[str, str]:
    try:
        return {device.name: device.driver for device in devices()}
    except EnvironmentProblem:
        return {}


def devices() -> list[Device]:
    """All physical devices, found by a process of its own.

    Raises:
        EnvironmentProblem: no loader, no driver that works, or a driver that crashes.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentProblem(
            f"a Vulkan driver did not answer within {_TIMEOUT:g} s",
            "run vulkaninfo --summary; name a driver that works in $VK_DRIVER_FILES",
        ) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise EnvironmentProblem(
            f"Vulkan does not work: {last}",
            "install a driver: apt install mesa-vulkan-drivers (lavapipe runs without a GPU)",
        )
    # Layers and drivers may print lines of their own around it.
    said = next(line for line in done.stdout.splitlines() if line.startswith(("[{", "[]")))
    return [Device(**found) for found in json.loads(said)]


def _enumerate() -> list[Device]:
    """Raises OSError where there is no loader, RuntimeError where a call fails."""
    ffi: Any = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    vulkan: Any = ffi.dlopen(LOADER)
    instance = ffi.new("void **")
    application = ffi.new(
        "VkApplicationInfo *", {"sType": _APPLICATION_INFO, "apiVersion": _VERSION_1_1}
    )
    info = ffi.new(
        "VkInstanceCreateInfo *", {"sType": _CREATE_INFO, "pApplicationInfo": application}
    )
    result = vulkan.vkCreateInstance(info, ffi.NULL, instance)
    if result != 0:
        raise RuntimeError(f"vkCreateInstance answers {result}: no driver was found")
    try:
        count = ffi.new("uint32_t *", 16)
        handles = ffi.new("void *[16]")
        result = vulkan.vkEnumeratePhysicalDevices(instance[0], count, handles)
        if result not in (0, _INCOMPLETE):
            raise RuntimeError(f"vkEnumeratePhysicalDevices answers {result}")
        return [_describe(ffi, vulkan, handle) for handle in handles[0 : count[0]]]
    finally:
        vulkan.vkDestroyInstance(instance[0], ffi.NULL)


def _describe(ffi: Any, vulkan: Any, handle: Any) -> Device:
    # A driver that does not know the second structure leaves it as it is.
    driver = ffi.new("VkPhysicalDeviceDriverProperties *", {"sType": _DRIVER_PROPERTIES})
    properties = ffi.new("VkPhysicalDeviceProperties2 *", {"sType": _PROPERTIES_2, "pNext": driver})
    vulkan.vkGetPhysicalDeviceProperties2(handle, properties)
    name, *told = (
        ffi.string(text).decode("utf-8", "replace")
        for text in (properties.properties.deviceName, driver.driverName, driver.driverInfo)
    )
    return Device(name, " ".join(text for text in told if text))


if __name__ == "__main__":
    try:
        print(json.dumps([asdict(device) for device in _enumerate()]))
    except (OSError, RuntimeError) as problem:
        sys.exit(str(problem))
