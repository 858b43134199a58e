"""What Core ML's files state, free of judgement."""

from modelscan_plus.core.facts import Facts


class CoreMLFacts(Facts, frozen=True):
    """One model."""

    classes: tuple[tuple[str, str], ...] = ()
    """What names a class ("layer", "model" or "operation") and the name of the class, each once."""
    linked: tuple[str, ...] = ()
    """Files and folders of linked models."""
    blobs: tuple[str, ...] = ()
    """Files of weights, as written."""
    wrong: tuple[str, ...] = ()


class WeightsFacts(Facts, frozen=True):
    """One file of weights."""

    wrong: tuple[str, ...] = ()
    """Blobs that cannot be, in words."""
