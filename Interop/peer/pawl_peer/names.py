"""Names, paths, and which paths may not stand together (§12)."""

import re
import unicodedata

from .errors import Failure, require

MAXIMUM_NAME_BYTES = 128
MAXIMUM_PATH_BYTES = 1_024
MAXIMUM_COMPONENT_BYTES = 255
MAXIMUM_COMPONENTS = 64
MAXIMUM_FOLDERS = 100_000
_FORBIDDEN = re.compile("[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_DOTLESS_I = "\u0131"

# Unicode's Default_Ignorable_Code_Point, which Python's unicodedata does not have.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def is_nfc(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text)


def is_artifact_name(name: str) -> bool:
    return (
        is_nfc(name)
        and 1 <= len(name.encode()) <= MAXIMUM_NAME_BYTES
        and name[0] not in "-."
        and not any(character in "/\\@" for character in name)
        and _FORBIDDEN.search(name) is None
    )


def is_path(path: str) -> bool:
    components = path.split("/")
    return (
        is_nfc(path)
        and len(path.encode()) <= MAXIMUM_PATH_BYTES
        and len(components) <= MAXIMUM_COMPONENTS
        and "\\" not in path
        and _FORBIDDEN.search(path) is None
        and all(_is_component(component) for component in components)
    )


def _is_component(component: str) -> bool:
    return 1 <= len(component.encode()) <= MAXIMUM_COMPONENT_BYTES and component not in (".", "..") and not fold(component).startswith(".pawl-")


def fold(text: str) -> str:
    """What a file system that ignores case may take for the same name."""
    text = _IGNORABLE.sub("", unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", "".join(map(_fold_character, text)))


def _fold_character(character: str) -> str:
    if character == _DOTLESS_I:
        return character
    # Character by character, so that no mapping looks at its neighbours (a final sigma would).
    for mapping in (str.lower, str.upper, str.lower):
        character = "".join(map(mapping, character))
    return character


def check_paths(files: list[str], empty: list[str] | None = None) -> None:
    """No two of them collide on any file system, and in the empty folders is nothing."""
    empty = empty or []
    paths = files + empty
    require(len(set(paths)) == len(paths), Failure.CONTENT, "the same path twice")
    spelled: dict[tuple[str, str], str] = {}  # (folder, folded component) → component
    folders: set[str] = set()
    for path in paths:
        folder = ""
        *parents, _ = components = path.split("/")
        for component in components:
            spelling = spelled.setdefault((folder, fold(component)), component)
            require(spelling == component, Failure.CONTENT, "two paths differ only in case or in what cannot be seen")
            folder += component + "/"
        folder = ""
        for component in parents:
            folder += component + "/"
            folders.add(folder)
    require(not any(path + "/" in folders for path in paths), Failure.CONTENT, "a path is a file, or an empty folder, and holds something")
    require(len(folders) + len(empty) <= MAXIMUM_FOLDERS, Failure.LIMIT, "too many folders")
