"""All rules, by family, and the digest that names this exact set of them."""

import functools
import hashlib
import importlib.resources
from types import ModuleType

import msgspec

from modelscan_plus.rules import (
    archives,
    compiled,
    config,
    coreml,
    engines,
    executorch,
    generation,
    gguf,
    graph_file_bombs,
    graph_file_dead,
    graph_file_external,
    graph_file_functions,
    graph_file_tensors,
    graph_file_text,
    graph_file_versions,
    graph_file_wire,
    graph_flow,
    graph_operators,
    graph_script,
    hdf5,
    hub,
    identity,
    integrity,
    locked,
    native,
    openvino,
    paddle,
    page_files,
    passed,
    paths,
    pdf,
    pickle,
    probes,
    programs,
    python_code,
    python_rules,
    reach,
    scripts,
    serialized,
    signatures,
    skops,
    templates,
    tensorflow,
    tensors,
    tflite,
    tree_names,
    twins,
    verdicts,
    vocabularies,
    weight_index,
)
from modelscan_plus.rules.interface import Rule

FAMILIES: tuple[ModuleType, ...] = (
    pickle,
    programs,
    archives,
    identity,
    tensors,
    hdf5,
    pdf,
    gguf,
    signatures,
    integrity,
    weight_index,
    locked,
    native,
    tree_names,
    twins,
    hub,
    passed,
    paths,
    verdicts,
    engines,
    graph_file_wire,
    graph_file_external,
    graph_file_tensors,
    graph_file_text,
    graph_operators,
    graph_file_functions,
    graph_file_bombs,
    graph_file_dead,
    graph_file_versions,
    graph_flow,
    python_code,
    python_rules,
    reach,
    compiled,
    scripts,
    config,
    generation,
    skops,
    serialized,
    vocabularies,
    templates,
    graph_script,
    tensorflow,
    tflite,
    coreml,
    openvino,
    executorch,
    paddle,
    page_files,
    probes,
)


@functools.cache
def all_rules() -> dict[str, Rule]:
    """Every rule by id, in order of id."""
    rules = {value.id: value for family in FAMILIES for value in vars(family).values() if isinstance(value, Rule)}
    return dict(sorted(rules.items()))


@functools.cache
def ruleset_digest() -> str:
    """ "sha256:…" over the declarations and the data tables of all rules."""
    digest = hashlib.sha256(msgspec.json.encode(list(all_rules().values())))
    data = importlib.resources.files("modelscan_plus.rules") / "data"
    for table in sorted(data.iterdir(), key=lambda entry: entry.name):
        if table.is_file() and not table.name.endswith(".py"):
            digest.update(table.name.encode() + b"\0" + table.read_bytes())
    return "sha256:" + digest.hexdigest()


def find_rule(given: str) -> Rule | None:
    """The rule with this id or slug, in any case; None when there is none."""
    wanted = given.strip().casefold()
    return next((rule for rule in all_rules().values() if wanted in (rule.id.casefold(), rule.slug)), None)
