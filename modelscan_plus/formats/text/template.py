"""Chat templates as files of their own, or handed on by GGUF files and JSON configurations."""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import TemplateSummary
from modelscan_plus.formats.text import roles
from modelscan_plus.formats.text.jinja.analyse import analyse
from modelscan_plus.formats.text.jinja.parse import LARGEST

ESCAPING = lazy(
    r"\{[{%][^\n]{0,2000}?__(?:globals|subclasses|builtins|import|mro|getattribute|reduce|reduce_ex|bases?)__[^\n]{0,2000}?[}%]\}"
)
"""An expression of Jinja on its way to Python's internals, in settings and prompts that something may fill in."""


class TemplateFormat(Format):
    """Jinja chat templates."""

    name = "chat-template"
    title = "Chat template (Jinja)"
    extensions = (".jinja", ".j2", ".jinja2")
    executable = True
    description = (
        "Parsed by Jinja's own parser, never compiled or rendered, with the tags that transformers adds. On the tree "
        "constants are folded (`~`, `+`, join, replace, format, slices, variables set once), attributes that lead to "
        "Python's internals are found in whatever way they are written, and text is told apart that is written always, "
        "or only when a message holds a trigger. Also read from GGUF files (all template keys), tokenizer and "
        "processor configurations. Not seen: triggers that are compared with something that is not in it. "
        "Loaders: transformers, llama-cpp-python, vLLM, TGI and everything that chats."
    )

    def claims(self, view: View) -> bool:
        artifact = view.artifact
        if artifact.payload or not roles.is_text(view.head, artifact.name):
            return False
        return roles.role(artifact.name, view.head, nested=artifact.depth > 0) == "template"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        if size > 4 * LARGEST:
            reason = CoverageReason("template-too-large", f"a template of {size:,} bytes is not read", executable=True)
            yield Parsed(regions=whole, gaps=(reason,))
            return
        text = roles.decode(artifact.source.pread(0, size)).removeprefix("\ufeff")
        facts = analyse(text, budget)
        gaps: tuple[CoverageReason, ...] = ()
        if facts.error:
            deep = facts.error.startswith("nested too deeply")
            gaps = (CoverageReason("template-syntax", f"the template cannot be parsed: {facts.error}", deep),)
        summary = TemplateSummary(facts.sha256, facts.length, not facts.error)
        yield Parsed((facts,), whole, gaps=gaps, summaries=(summary,))
