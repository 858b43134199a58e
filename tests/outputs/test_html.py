"""The HTML report without a browser: escaping, policy, bounds."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import msgspec

from modelscan_plus.core.finding import HexWindow
from modelscan_plus.core.report import Decision, Run, from_json
from modelscan_plus.outputs.html import hex_rows, render
from tests.outputs import reports


class Elements(HTMLParser):
    """All elements with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_verdict_and_its_reason_come_first() -> None:
    for decision, word in (
        (Decision.ALLOWED, "Allowed"),
        (Decision.DENIED, "Denied"),
        (Decision.INCOMPLETE, "Incomplete"),
    ):
        page = render(reports.report(reports.finding(), decision=decision))
        body = page[page.index("<main>") :]
        assert (
            body.index(word)
            < body.index("Because of model.pkl")
            < body.index("What was not analysed")
            < body.index('id="findings"')
        )


def test_every_kind_of_evidence_is_shown() -> None:
    page = render(reports.every_kind())
    for text in ("from model.pkl import x", "REDUCE at byte 21", "a note", "a text", "left", "right", "no window"):
        assert text in page


def test_the_policy_names_exactly_the_style_and_the_script_of_the_page() -> None:
    page = render(reports.every_kind())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content.group(1).encode()).digest()).decode()
        assert f"{directive} &#39;sha256-{digest}&#39;" in policy.group(1)
    assert "default-src &#39;none&#39;" in policy.group(1)


def test_nothing_is_inline_and_nothing_is_fetched() -> None:
    for tag, attributes in Elements(render(reports.hostile())).found:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form") or attributes.get("id") == "filters"
        assert tag != "link"
        assert not any(name.startswith("on") or name in ("style", "src", "srcset") for name in attributes)
        if "href" in attributes:
            assert (attributes["href"] or "").startswith(("#", "https://"))


def test_hostile_strings_become_text() -> None:
    page = render(reports.hostile())
    assert "<script>document.title" not in page
    assert page.count("</script>") == 2
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "\\u202etxt.exe\\x1b[2J\\x00\\u2028" in page
    assert "{{ 7*7 }}" in page


def test_the_embedded_report_is_the_report() -> None:
    report = reports.hostile()
    page = render(report)
    embedded = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.DOTALL)
    assert embedded is not None
    assert from_json(embedded.group(1).encode()) == report
    assert json.loads(embedded.group(1))["verdict"]["decision"] == "denied"


def test_the_same_report_gives_the_same_page() -> None:
    assert render(reports.large(50)) == render(reports.large(50))
    assert render(reports.empty()) == render(reports.empty())


def test_a_large_report_stays_small_and_says_what_it_leaves_out() -> None:
    page = render(reports.large(5000))
    assert len(page) < 8_000_000
    assert page.count('class="finding"') == 5000
    assert "are shown without their evidence" in page
    assert "too large to be embedded" in page
    assert "are shown without their evidence" not in render(reports.large(100))


def test_an_empty_report_says_so() -> None:
    page = render(reports.empty())
    assert "There was nothing to scan." in page
    assert "Every byte" not in page


def test_ids_are_unique() -> None:
    ids = [attributes["id"] for _, attributes in Elements(render(reports.every_kind())).found if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_hex_rows_mark_what_is_meant() -> None:
    rows = list(hex_rows(HexWindow(offset=16, data=bytes(range(20)).hex(), mark_start=14, mark_length=4)))
    assert [row.offset for row in rows] == ["00000010", "00000020"]
    assert rows[0].runs[-1] == ("0e 0f ", True)
    assert rows[1].runs[0] == ("10 11 ", True)
    assert list(hex_rows(HexWindow(offset=0, data="zz"))) == []


def test_a_report_from_elsewhere_renders() -> None:
    unknown = msgspec.structs.replace(
        reports.finding(), rule="MSP1999", evidence=reports.pickle_evidence(program="p77")
    )
    page = render(msgspec.structs.replace(reports.report(unknown), run=Run()))
    assert "MSP1999" in page
    assert "no layer was active" in page
