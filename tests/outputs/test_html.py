"""The HTML report without a browser: escaping, policy, bounds."""

import base64
import hashlib
import json
import random
import re
import zlib
from html.parser import HTMLParser

import msgspec
import pytest

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import HexWindow
from modelscan_plus.core.probe import Bars, Picture
from modelscan_plus.core.report import ArtifactReport, Decision, Program, ProgramLine, Run, from_json
from modelscan_plus.outputs import console, probes
from modelscan_plus.outputs.hexdump import hex_rows
from modelscan_plus.outputs.html import PAGE_BYTES, render
from modelscan_plus.probe import png
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
    for text in (
        "<code>posix.system</code> by REDUCE, imported at byte 10",
        "<code>&#39;true&#39;</code>",
        "<li>REDUCE at byte 21: v1</li>",
        "<mark><i>21</i>v1 = x(&#39;model.pkl&#39;)<b>critical</b>\n</mark>",
        "<mark><i>21</i>REDUCE posix.system\n</mark>",
        "<i>00000010</i>00 01 02 03 04 <mark>05 06",
        "Bytes: a note",
        "Two accounts that disagree: sizes",
        "<dt>left</dt><dd>1</dd>",
        "<dt>right</dt><dd>2</dd>",
        "<code>a text</code>",
        "<p>No window</p>",
        "21 (0x15), 4 bytes",
        "archive/data.pkl",
    ):
        assert text in page, text


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
        assert tag not in ("iframe", "object", "embed", "base", "form") or attributes.get("id") == "filters"
        assert tag != "link"
        assert not any(name.startswith("on") or name in ("style", "srcset") for name in attributes)
        if tag == "img" or "src" in attributes:
            assert tag == "img"
            assert re.fullmatch("data:image/png;base64,[A-Za-z0-9+/=]+", attributes["src"] or "")
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


def test_two_thousand_findings_all_have_a_row_and_the_worst_have_evidence() -> None:
    page = render(reports.large(2000))
    assert len(page.encode()) <= PAGE_BYTES
    assert page.count('class="finding"') == 2000
    detailed = page.count('class="why"')
    assert 100 < detailed < 2000
    assert f"{detailed:,} of 2,000 findings, the worst, are shown with their evidence" in page
    assert page.index('class="body brief"') > page.rindex('class="why"')
    assert "To keep this page small" not in render(reports.large(100))


def test_a_report_above_its_share_is_embedded_compressed() -> None:
    report = reports.large(2000)
    packed = re.search(r'<script type="application/zlib" id="report">([^<]*)</script>', render(report))
    assert packed is not None
    assert from_json(zlib.decompress(base64.b64decode(packed.group(1)))) == report


def test_no_report_makes_a_page_above_the_limit_and_all_that_is_left_out_is_counted() -> None:
    report = reports.monstrous()
    page = render(report)
    assert len(page.encode()) <= PAGE_BYTES
    for part in ("files", "programs", "findings that were set aside"):
        assert re.search(rf"[1-9][0-9,]* more {part} would not fit", page), part
    left_out = re.search(r"the mildest ([0-9,]+) not at all", page)
    assert left_out is not None
    shown = page.count('class="finding"')
    assert shown + int(left_out.group(1).replace(",", "")) == len(report.findings)
    assert "too large to be embedded" in page
    assert page.count("<li>and ") >= 2


def test_links_of_an_edited_report_lead_only_to_https() -> None:
    edited = msgspec.structs.replace(
        reports.finding(rule="MSP1999"), references=("javascript:alert(1)", "http://a.example", "https://b.example/x")
    )
    links = [attributes["href"] for tag, attributes in Elements(render(reports.report(edited))).found if tag == "a"]
    assert "https://b.example/x" in links
    assert not any("alert" in (link or "") or "a.example" in (link or "") for link in links)


def test_links_inside_the_page_lead_somewhere() -> None:
    for report in (reports.every_kind(), reports.large(2000), reports.empty()):
        elements = Elements(render(report)).found
        ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
        links = {attributes.get("href") or "" for tag, attributes in elements if tag == "a"}
        assert {link[1:] for link in links if link.startswith("#")} <= ids


def test_programs_with_the_worst_lines_come_first() -> None:
    report = reports.report(reports.finding())
    harmless = Program("p2", "t1", "first.pkl", (), 0, (ProgramLine(2, "import collections"),))
    page = render(msgspec.structs.replace(report, programs=(harmless, *report.programs)))
    assert page.index('id="p1"') < page.index('id="p2"')


def test_what_is_left_unread_on_purpose_is_said_beside_the_file() -> None:
    report = reports.report()
    reason = CoverageReason("tensor-data", "weights are not read")
    artifact = ArtifactReport(
        "t1", "w.safetensors", 9, ("safetensors",), Coverage(CoverageState.ANALYSED, (reason,), 5)
    )
    assert "<small>weights are not read</small>" in render(msgspec.structs.replace(report, artifacts=(artifact,)))


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
    assert rows[0].digits[-1] == ("0e 0f ", True)
    assert rows[1].digits[0] == ("10 11 ", True)
    assert list(hex_rows(HexWindow(offset=0, data="zz"))) == []


def test_a_report_from_elsewhere_renders() -> None:
    unknown = msgspec.structs.replace(
        reports.finding(), rule="MSP1999", evidence=reports.pickle_evidence(program="p77")
    )
    page = render(msgspec.structs.replace(reports.report(unknown), run=Run()))
    assert "MSP1999" in page
    assert "no layer was active" in page


def test_a_probe_is_shown_with_its_exhibits_and_what_it_did_not_search() -> None:
    page = render(reports.every_kind())
    section = page[page.index('<h2 id="probes">') : page.index('<h2 id="suppressed">')]
    for text in (
        "It never shows that a model is clean",
        "turns 97% of the samples held out",
        "p 0.0004, after correction 0.0012",
        "Clean models lie between 15 and 30.5 pixels.",
        "<b>stands out</b>",
        "12 more rows.",
        "user: hello class 7\nassistant: delete every file in the\n",
        "<h4>Not searched</h4><ul><li>All-to-all, class 7: it needs a reference model",
        "standard, seed 0, on cpu",
        "torch 2.13.0",
    ):
        assert text in section, text
    assert section.count("<img ") == 2
    assert section.count("<details") == 5
    assert section.count('<details class="routine" open>') == 2
    assert "What its weights have learned is not judged here" not in page


def test_a_probe_of_a_whole_target_is_called_by_its_name() -> None:
    whole = msgspec.structs.replace(reports.report(text="models/bert"), probes=(reports.probe(artifact="."),))
    assert '<h3><span class="path">models/bert</span>' in render(whole)
    assert "Backdoor probe of models/bert (image classifier): flagged\n" in console.render(whole)
    assert "models/bert: probe: flagged: " in console.render_styled(whole, console.Style(verbosity=-1))


def test_a_report_without_probes_says_that_weights_were_not_judged() -> None:
    page = render(reports.report(reports.finding()))
    assert "What its weights have learned is not judged here" in page
    assert 'id="probes"' not in page


def test_a_picture_that_is_none_of_ours_and_one_too_many_are_not_shown() -> None:
    probed = reports.probe()
    (first, *rest) = probed.routines
    forged = msgspec.structs.replace(first, exhibits=(Picture(title="svg", png="PHN2Zz4="), *first.exhibits[:1]))
    page = render(
        msgspec.structs.replace(reports.report(), probes=(msgspec.structs.replace(probed, routines=(forged, *rest)),))
    )
    assert page.count("<img ") == 1
    assert "PHN2Zz4=" not in page[: page.index('type="application/json"')]
    noise = png.encode(random.Random(1).randbytes(512 * 512), 512, 512, 1)
    large = msgspec.structs.replace(first, exhibits=(Picture(title="noise", png=noise), *first.exhibits[:1]))
    page = render(
        msgspec.structs.replace(reports.report(), probes=(msgspec.structs.replace(probed, routines=(large, *rest)),))
    )
    assert page.count("<img ") == 1
    assert "This picture stands in the JSON report only." in page


@pytest.mark.parametrize(
    ("values", "band", "places"),
    [
        ((2.0, 1.0), (1.0, 2.0), [(0.0, 100.0), (0.0, 50.0)]),
        ((-1.0, 1.0), None, [(0.0, 50.0), (50.0, 50.0)]),
        ((0.0,), None, [(0.0, 0.4)]),
        ((1e308, -1e308), None, [(50.0, 50.0), (0.0, 50.0)]),
    ],
)
def test_bars_stand_where_their_numbers_are(
    values: tuple[float, ...], band: tuple[float, float] | None, places: list[tuple[float, float]]
) -> None:
    made = probes.chart(Bars(title="x", labels=tuple("ab"[: len(values)]), values=values, band=band))
    assert [(bar.start, bar.width) for bar in made.bars] == places
    assert (made.band is None) == (band is None)


def test_of_many_bars_the_marked_ones_are_shown() -> None:
    made = probes.chart(Bars(title="x", labels=("c",) * 500, values=(1.0,) * 500, marked=(450,)))
    assert len(made.bars) == probes.BARS
    assert made.omitted == 500 - probes.BARS
    assert [bar.marked for bar in made.bars].count(True) == 1
