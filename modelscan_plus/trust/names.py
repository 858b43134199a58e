"""How signature files are called, and whether one stands beside a target."""

import os

FOLDER_NAMES = ("model.sig", "model.sigstore.json", "model.sigstore", "claims.sigstore.json")
ENDINGS = (".sig", ".sigstore.json", ".sigstore")


def is_signature(path: str) -> bool:
    """True when the name is one under which signatures are kept."""
    return path.endswith(ENDINGS)


def beside(path: str) -> bool:
    """True when a signature stands in (not below) the folder, or beside the file: files are then hashed at once."""
    try:
        if os.path.isdir(path):
            with os.scandir(path) as items:
                return any(is_signature(item.name) for item in items)
        return any(os.path.lexists(path + ending) for ending in ENDINGS)
    except (OSError, ValueError):
        return False
