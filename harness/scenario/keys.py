"""Names of keys, as Playwright's keyboard takes them: `ArrowRight`, `a`, `Control+A`."""

from __future__ import annotations

from .nearest import nearest

MODIFIERS = ("Alt", "Control", "ControlOrMeta", "Meta", "Shift")
_NAMED = [
    "Escape",
    "Backspace",
    "Tab",
    "CapsLock",
    "Enter",
    "Space",
    "AltGraph",
    "ContextMenu",
    "PrintScreen",
    "ScrollLock",
    "Pause",
    "PageUp",
    "PageDown",
    "Insert",
    "Delete",
    "Home",
    "End",
    "ArrowLeft",
    "ArrowUp",
    "ArrowRight",
    "ArrowDown",
    "AudioVolumeMute",
    "AudioVolumeDown",
    "AudioVolumeUp",
    "MediaTrackNext",
    "MediaTrackPrevious",
    "MediaPlayPause",
    "Backquote",
    "Minus",
    "Equal",
    "Backslash",
    "BracketLeft",
    "BracketRight",
    "Semicolon",
    "Quote",
    "Comma",
    "Period",
    "Slash",
    "AltLeft",
    "AltRight",
    "ControlLeft",
    "ControlRight",
    "MetaLeft",
    "MetaRight",
    "ShiftLeft",
    "ShiftRight",
    "NumLock",
    "NumpadDivide",
    "NumpadMultiply",
    "NumpadSubtract",
    "NumpadAdd",
    "NumpadDecimal",
    "NumpadEnter",
]
# What a remote control and other programs call them; no spelling leads there.
_OTHER_NAMES = {
    "up": "ArrowUp",
    "down": "ArrowDown",
    "left": "ArrowLeft",
    "right": "ArrowRight",
    "ok": "Enter",
    "return": "Enter",
}
KEY_NAMES: frozenset[str] = frozenset(
    [
        *MODIFIERS,
        *_NAMED,
        *(f"F{n}" for n in range(1, 13)),
        *(f"Digit{n}" for n in range(10)),
        *(f"Numpad{n}" for n in range(10)),
        *(f"Key{chr(c)}" for c in range(ord("A"), ord("Z") + 1)),
    ]
)


def check_key(text: str) -> str:
    """`text` when it is a key or a chord. Raises ValueError with the nearest name."""
    # "Control++" is the plus key with Control held; splitting off the last key keeps it.
    head, plus, last = (text[:-2], "+", "+") if text.endswith("++") else text.rpartition("+")
    if text == "+":
        head, plus, last = "", "", "+"
    for modifier in head.split("+") if plus else []:
        if modifier not in MODIFIERS:
            near = nearest(modifier, MODIFIERS)
            hint = f"did you mean '{near}'?" if near else f"allowed: {', '.join(MODIFIERS)}"
            raise ValueError(f"'{text}' has the unknown modifier '{modifier}'; {hint}")
    if last in KEY_NAMES or (len(last) == 1 and " " <= last <= "~"):
        return text
    near = _OTHER_NAMES.get(last.lower()) or nearest(last, KEY_NAMES)
    hint = (
        f"did you mean '{near}'?"
        if near
        else "keys are named as in Playwright: ArrowRight, Enter, Escape, a, Control+A"
    )
    raise ValueError(f"unknown key '{last}'; {hint}")
