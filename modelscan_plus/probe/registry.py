"""The domains of the backdoor probes, in the order in which they are asked whether a model is theirs.

A domain is one line here: its module and class. Importing the module must cost nothing, no torch and no transformers:
a child that has not seen the model yet imports all of them to ask `claims`, and only the one that claims is told to
`preload`. A domain that is listed and does not exist is a fault of ours and is raised as one.
"""

import importlib

from modelscan_plus.probe.interface import Domain

DOMAINS: tuple[str, ...] = (
    "modelscan_plus.probe.language.domain:LanguageDomain",
    "modelscan_plus.probe.inversion.domain:OnnxClassifierDomain",
)
"""`module:Class`, each made without arguments. More particular kinds stand first: the first one that claims a model
opens it, and the next one is asked only where opening it raised `NotProbed` with the outcome "not-applicable"."""


def load(path: str) -> Domain:
    """The domain that a line of `DOMAINS` names; raises ImportError and AttributeError where there is none."""
    module, _, name = path.partition(":")
    domain: Domain = getattr(importlib.import_module(module), name)()
    return domain
