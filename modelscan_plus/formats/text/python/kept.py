"""What a method of a model keeps of what it is asked, or hides in what it answers.

A method that is given a text or picture has no reason to append it to a file below the home or among temporary files, nor to
put the environment into an array of numbers. Code that a model writes into files of Python while it is saved goes to
everybody who loads the copy.
"""

import ast
import re
from collections.abc import Callable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import GIVEN_NAMES, OPENS
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.turned import DECODES, Turn

Origins = Callable[[ast.expr], set[str]]

_PLACE = lazy(
    r"^~/|^(?:/var|/private)?/tmp/|^/dev/shm/|^/var/(?:lib|log|cache|spool)/|^…?/?\.[\w-]+(?:\.\w+)?$|/\.[\w-]+(?:\.\w+)?$"
)
"""Below the home, among temporary files, or under a name that listings leave out."""
_HIDDEN = lazy(r"/\.[\w-]+(?:\.\w+)?$")
_WRITES = frozenset(
    "write writelines write_text write_bytes writerow writerows save savez savez_compressed dump to_csv to_json to_pickle to_parquet save_file tofile execute put sendall append_data".split()
)
_STORES = frozenset(
    (
        "torch.save",
        "numpy.save",
        "numpy.savez",
        "pickle.dump",
        "json.dump",
        "joblib.dump",
        "safetensors.torch.save_file",
        "dill.dump",
    )
)
_LOGGING = frozenset("debug info warning error critical exception log".split())
_MAKES = frozenset(
    "tensor as_tensor from_numpy frombuffer array asarray fromiter IntTensor LongTensor FloatTensor ByteTensor".split()
)
_SAVES = frozenset(
    """save_pretrained _save_pretrained push_to_hub save_vocabulary save_model save save_config save_checkpoint on_save
    _save save_to_disk export""".split()
)
_OWN = ("inspect.getsource", "inspect.getsourcefile", "inspect.getfile", "inspect.getsourcelines")
_INDEX = lazy(r"(?:^|\s)(?:--(?:extra-)?index-url|-i|--find-links|-f)[\s=]+https?://(?!download\.pytorch\.org)")
_APPENDS = lazy(r"^[ar]b?\+?b?t?$")


def kept(block: Block, names: Names, origins: Origins) -> Iterator[Turn]:
    """What a function keeps, hides, or has its copies do."""
    calls = [node for node in block.inner() if isinstance(node, ast.Call)]
    if block.owner and block.last in GIVEN_NAMES:
        yield from _asked(block, calls, names, origins)
    if block.last in DECODES:
        yield from _shown(block, origins)
    yield from _stored(block, calls, names, origins)
    if block.last in _SAVES:
        yield from _spread(block, calls, names)


def _logs(names: Names) -> list[str]:
    """Places that the source writes its log to, where they are none of its user's choice."""
    calls = [node for node in names.nodes if isinstance(node, ast.Call) and node.args]
    files = [
        call
        for call in calls
        if (names.plain(call.func) or "").startswith("logging.") and _name(call).endswith("FileHandler")
    ]
    found = [spoken(call.args[0], names) for call in files]
    return [place for place in found if _PLACE.search(place)]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _asked(block: Block, calls: list[ast.Call], names: Names, origins: Origins) -> Iterator[Turn]:
    logs = _logs(names)
    places = [
        place
        for call in calls
        if (place := _opened(call, names)) and _PLACE.search(place) and not _works_on(call, place, block, names)
    ]
    for call in calls:
        method = _name(call) if isinstance(call.func, ast.Attribute) else ""
        if logs and method in _LOGGING and any("given" in origins(value) for value in _given(call)):
            yield Turn(block.name, call, f"keeps what it is asked in {logs[0][:80]}")
            return
        found = set().union(*map(origins, _given(call))) if method in _WRITES or method in _MAKES else set[str]()
        if places and method in _WRITES and "given" in found:
            yield Turn(block.name, call, f"keeps what it is asked in {places[0][:80]}")
            return
        if method in _MAKES and ("secret" in found or any(origin.startswith("key:") for origin in found)):
            yield Turn(block.name, call, "hides secrets or the environment in numbers")
            return


_MEDIA = lazy(
    r"…[\w-]*\.(?:mp[34]|wav|flac|ogg|m4a|aac|webm|avi|mov|mkv|png|jpe?g|webp|gif|bmp|tiff?|pdf|docx?|pptx?)$", re.I
)


def _works_on(call: ast.Call, place: str, block: Block, names: Names) -> bool:
    """True for a picture, film or recording that gets a name of its own, and that something in the function then opens."""
    path = call.args[0] if call.args else None
    if not isinstance(path, ast.Name) or _MEDIA.search(place) is None or "/." in place:
        return False
    if _APPENDS.search(_mode(call, names)):
        return False
    uses = sum(
        isinstance(part, ast.Name) and part.id == path.id and isinstance(part.ctx, ast.Load) for part in block.inner()
    )
    return uses > 1


def _shown(block: Block, origins: Origins) -> Iterator[Turn]:
    """The environment in what a tokenizer says."""
    for node in block.inner():
        if isinstance(node, (ast.AugAssign, ast.Assign, ast.Return)) and node.value and "secret" in origins(node.value):
            yield Turn(block.name, node, "shows the environment in answers")
            return


def _stored(block: Block, calls: list[ast.Call], names: Names, origins: Origins) -> Iterator[Turn]:
    """Data that goes under a hidden name among temporary files or below the home."""
    for call in calls:
        if names.plain(call.func) in _STORES:
            for value in _given(call):
                place = spoken(value, names)
                if _HIDDEN.search(place) and (place.startswith(("~", "/")) or "scratch" in origins(value)):
                    yield Turn(block.name, call, f"keeps what the model worked on in {place[:80]}")


def _spread(block: Block, calls: list[ast.Call], names: Names) -> Iterator[Turn]:
    """Text that is written into files of Python, or templates, of the copy; files that are copied as they are are no text."""
    if any((names.plain(call.func) or "") in _OWN for call in calls):
        return
    for call in calls:
        text = names.folder.text(call.args[0]) if call.args and getattr(call.func, "attr", "") in _WRITES else None
        if text and _INDEX.search(text):
            yield Turn(block.name, call, "has whoever uses a copy install packages from another index")
    places: list[tuple[ast.Call, str, str]] = []
    for call in calls:
        place = _opened(call, names)
        if place and place.lower().endswith((".py", ".jinja", ".jinja2")):
            places.append((call, place, _mode(call, names)))
    reads = [place for _, place, mode in places if mode in ("r", "rb")]
    for call, place, mode in places:
        if _APPENDS.search(mode) and mode not in ("r", "rb"):
            yield Turn(block.name, call, f"adds to {place[-60:]} of every copy that is saved")
        elif mode.startswith(("w", "x")) and place.endswith(".py") and not reads:
            yield Turn(block.name, call, f"writes a text of its own into {place[-60:]} of every copy that is saved")


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(item.value for item in call.keywords)]


def _mode(call: ast.Call, names: Names) -> str:
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes"):
        return "w"
    is_open = names.plain(call.func) in OPENS
    given = call.args[1:2] if is_open else call.args[:1]
    given = given or [item.value for item in call.keywords if item.arg == "mode"]
    return (names.folder.text(given[0]) or "") if given else "r"


def _opened(call: ast.Call, names: Names) -> str:
    """The path that a call opens or writes."""
    dotted = names.plain(call.func)
    if dotted in OPENS or dotted in ("sqlite3.connect", "shelve.open", "dbm.open", "gzip.open"):
        return spoken(call.args[0], names) if call.args else ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes", "open"):
        return spoken(call.func.value, names)
    if dotted in _STORES:
        return next((place for value in _given(call) if "/" in (place := spoken(value, names))), "")
    return ""
