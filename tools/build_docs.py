"""`make docs`: write the pages that are made from the registries. With --check, only say whether they are up to date.

docs/rules/<id>.md and docs/rules/README.md, docs/formats.md, docs/report.schema.json, docs/policy.schema.json.
"""

import json
import sys
from pathlib import Path

from modelscan_plus.core.report import json_schema
from modelscan_plus.outputs.pages import formats_page, rule_page
from modelscan_plus.policy.load import schema
from modelscan_plus.rules.registry import all_rules

DOCS = Path(__file__).parent.parent / "docs"
_FAMILIES = {
    "1": "Pickle", "2": "Archives and containers", "3": "Tensor files", "4": "Graphs", "5": "Repository files",
    "6": "Templates and tokenizers", "7": "Signatures and hashes", "8": "Backdoor probes", "9": "The scan itself",
}  # fmt: skip


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    made = {DOCS / "rules" / f"{rule.id}.md": rule_page(rule, markdown=True) for rule in all_rules().values()}
    made[DOCS / "rules" / "README.md"] = _index()
    made[DOCS / "formats.md"] = formats_page()
    made[DOCS / "report.schema.json"] = json.dumps(json_schema(), indent=2) + "\n"
    made[DOCS / "policy.schema.json"] = json.dumps(schema(), indent=2) + "\n"
    return made


def _index() -> str:
    lines = ["# Rules", "Made from the registry by `make docs`; `modelscan-plus explain RULE` shows the same offline."]
    for digit, title in _FAMILIES.items():
        rules = [rule for rule in all_rules().values() if rule.id[3] == digit]
        if rules:
            rows = ["| rule | severity | what it finds |", "|---|---|---|"]
            rows += [
                f"| [{rule.id}]({rule.id}.md) {rule.slug} | {rule.severity.value} | {rule.title} |" for rule in rules
            ]
            lines += [f"## {title}", "\n".join(rows)]
    return "\n\n".join(lines) + "\n"


def stale() -> list[Path]:
    """Pages that are missing or differ, and pages of rules that no longer exist."""
    made = pages()
    differing = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    return differing + [path for path in (DOCS / "rules").glob("*.md") if path not in made]


def main() -> int:
    """Exit status 1 when --check finds a page that is not up to date."""
    if "--check" in sys.argv[1:]:
        found = stale()
        for path in found:
            print(f"not up to date: {path.relative_to(DOCS.parent)}; run make docs")
        return 1 if found else 0
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(pages())} pages in {DOCS.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
