"""modelscan-plus decides whether a model may come in, without running any of it.

report = modelscan_plus.scan("model.pt")            # -> Report, never raises on hostile bytes
modelscan_plus.require_allowed("model.pt")          # raises NotAllowed before a load
"""

from typing import TYPE_CHECKING, Any

from modelscan_plus.core.version import VERSION

if TYPE_CHECKING:
    from modelscan_plus.core.errors import NotAllowed as NotAllowed
    from modelscan_plus.core.errors import UsageError as UsageError
    from modelscan_plus.core.report import Decision as Decision
    from modelscan_plus.core.report import Report as Report
    from modelscan_plus.pipeline import require_allowed as require_allowed
    from modelscan_plus.pipeline import scan as scan

__version__ = VERSION
__all__ = ["Decision", "NotAllowed", "Report", "UsageError", "require_allowed", "scan"]

_HOMES = {
    "Decision": "core.report",
    "NotAllowed": "core.errors",
    "Report": "core.report",
    "UsageError": "core.errors",
    "require_allowed": "pipeline",
    "scan": "pipeline",
}


def __getattr__(name: str) -> Any:
    # Public names load on first use, so that `modelscan-plus --version` imports click alone.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
