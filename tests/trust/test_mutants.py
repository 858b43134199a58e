"""Every part of a bundle deleted, emptied, replaced and exchanged in turn: only what has no meaning may pass."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelscan_plus.trust.reasons import Rejected
from tests.trust.test_bundles import ARTIFACT, KINDS, MINE, STATEMENT, STRANGER, Json, verify

Path = tuple[str | int, ...]
VALUES: tuple[Any, ...] = ("", None, 0, "0", "1", [], {}, "AAAA", True, 10**30, -1, 1.5)

OPTIONAL = {
    "messageSignature.messageDigest",  # a hint; the file itself is compared
    "verificationMaterial.timestampVerificationData",  # where the log signed a time
    "verificationMaterial.timestampVerificationData.rfc3161Timestamps",
    "verificationMaterial.timestampVerificationData.rfc3161Timestamps.0",
    "verificationMaterial.tlogEntries.0.inclusionPromise",  # where an authority signed a time
}
"""Parts that may be absent when another proof says the same."""


def parts(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from parts(inner, (*path, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def mutants(bundle: Json, others: list[Json]) -> Iterator[tuple[Path, Json]]:
    """The path of a part, and the bundle with that part changed."""

    def changed(path: Path, value: Any) -> Json:
        copied = copy.deepcopy(bundle)
        at(copied, path[:-1])[path[-1]] = value
        return copied

    for path in parts(bundle):
        if not path:
            continue
        deleted = copy.deepcopy(bundle)
        del at(deleted, path[:-1])[path[-1]]
        yield path, deleted
        value = at(bundle, path)
        replacements = list(VALUES)
        for other in others:
            try:
                replacements.append(at(other, path))
            except (KeyError, IndexError):
                continue
        if isinstance(value, str):
            replacements += [f"{value} ", f" {value}", value.swapcase(), f"{value}A", f"{value}="]
        elif isinstance(value, list):
            replacements.append([*value, *value[:1]])
        elif isinstance(value, dict):
            replacements.append({**value, "zzz": 1})
        yield from ((path, changed(path, new)) for new in replacements if new != value or type(new) is not type(value))


@pytest.mark.parametrize("kind", ["v1-stamped", "v2-dsse", "v0.2"])
def test_every_part_of_a_bundle_counts(kind: str) -> None:
    wish = KINDS[kind]
    data = STATEMENT if wish.dsse else ARTIFACT
    bundle = MINE.bundle(data, wish)
    others = [STRANGER.bundle(data, wish), MINE.bundle(data + b" ", wish)]
    accepted, count = set(), 0
    for path, mutant in mutants(bundle, others):
        count += 1
        try:
            verify(json.dumps(mutant).encode())
        except Rejected as error:
            if "the verifier failed" in error.message:
                pytest.fail(f"{path}: {error.message}")
        else:
            accepted.add(".".join(map(str, path)))
    assert count > 400
    assert accepted <= OPTIONAL
