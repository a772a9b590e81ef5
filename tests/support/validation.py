"""The Vulkan validation layer, behind ours, with synchronisation validation on."""

from __future__ import annotations

from pathlib import Path

from harness.native import LAYER_NAME, layer_dir

LAYER = "VK_LAYER_KHRONOS_validation"
# info as well as error: the layer then says that it is active, and with what.
SETTINGS = """khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,info
khronos_validation.log_filename = {log}
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
"""


def validation(folder: Path, *layers: str) -> dict[str, str]:
    """Environment that logs validation to `folder`. Layers from the application down;
    none given: our own, then validation."""
    (folder / "vk_layer_settings.txt").write_text(SETTINGS.format(log=folder / "validation.log"))
    return {
        "VK_ADD_LAYER_PATH": f"{layer_dir()}:/usr/share/vulkan/explicit_layer.d",
        "VK_INSTANCE_LAYERS": ":".join(layers or (LAYER_NAME, LAYER)),
        "VK_LAYER_SETTINGS_PATH": str(folder),
    }


def validation_log(folder: Path) -> list[str]:
    """The lines logged; fails where validation was not active."""
    log = (folder / "validation.log").read_text(errors="replace")
    assert "Khronos Validation Layer Active" in log, "or this test could not fail"
    assert "SYNCHRONIZATION_VALIDATION" in log
    return log.splitlines()
