"""The Vulkan devices of this machine, asked of the loader.

`python -m harness.vulkan` prints one name a line: drivers run inside the process that asks,
and one that crashes must not take its caller along.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import cffi

from .errors import EnvironmentProblem

LOADER = "libvulkan.so.1"
_TIMEOUT = 30.0  # seconds; a driver that compiles at its first start takes a few

# Of vulkan_core.h only what is called. Of VkPhysicalDeviceProperties the fields up to the
# name are as there; what follows is larger than any driver fills.
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
int32_t vkCreateInstance(const VkInstanceCreateInfo *, const void *, void **);
int32_t vkEnumeratePhysicalDevices(void *, uint32_t *, void **);
void vkGetPhysicalDeviceProperties(void *, VkPhysicalDeviceProperties *);
void vkDestroyInstance(void *, const void *);
"""
_CREATE_INFO = 1  # VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
_INCOMPLETE = 5  # VK_INCOMPLETE: more devices than there was room for


def device_names() -> list[str]:
    """The names of all physical devices, found by a process of its own.

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
    return done.stdout.splitlines()


def _enumerate() -> list[str]:
    """Raises OSError where there is no loader, RuntimeError where a call fails."""
    ffi: Any = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    vulkan: Any = ffi.dlopen(LOADER)
    instance = ffi.new("void **")
    info = ffi.new("VkInstanceCreateInfo *", {"sType": _CREATE_INFO})
    result = vulkan.vkCreateInstance(info, ffi.NULL, instance)
    if result != 0:
        raise RuntimeError(f"vkCreateInstance answers {result}: no driver was found")
    try:
        count = ffi.new("uint32_t *", 16)
        devices = ffi.new("void *[16]")
        result = vulkan.vkEnumeratePhysicalDevices(instance[0], count, devices)
        if result not in (0, _INCOMPLETE):
            raise RuntimeError(f"vkEnumeratePhysicalDevices answers {result}")
        names = []
        for device in devices[0 : count[0]]:
            properties = ffi.new("VkPhysicalDeviceProperties *")
            vulkan.vkGetPhysicalDeviceProperties(device, properties)
            names.append(ffi.string(properties.deviceName).decode("utf-8", "replace"))
        return names
    finally:
        vulkan.vkDestroyInstance(instance[0], ffi.NULL)


if __name__ == "__main__":
    try:
        print("\n".join(_enumerate()))
    except (OSError, RuntimeError) as problem:
        sys.exit(str(problem))
