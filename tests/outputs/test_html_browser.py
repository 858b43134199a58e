"""The HTML report in a real browser: inert, usable by keyboard, accessible, wide and narrow."""

import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelscan_plus.core.report import Report, from_json
from modelscan_plus.outputs.html import render
from tests.outputs import reports

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system")
Page = playwright_api.Page
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: object, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def open_(report: Report, *, scheme: str = "light", width: int = 1200, fragment: str = "") -> Page:
        path = tmp_path / "report.html"
        path.write_text(render(report), "utf-8")
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[attr-defined]
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("dialog", lambda dialog: (page.problems.append("dialog"), dialog.dismiss()))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_
    for context in contexts:
        context.close()


def shown(page: Page) -> int:
    return int(page.evaluate("[...document.querySelectorAll('.finding')].filter(row => !row.hidden).length"))


def test_hostile_strings_do_nothing(open_page: Open) -> None:
    class Trap(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            calls.append(self.request.recv(100))

    calls: list[bytes] = []
    with socketserver.TCPServer(("127.0.0.1", 0), Trap) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(reports.hostile(server.server_address[1]))
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        page.mouse.move(300, 500)
        page.wait_for_timeout(300)
        server.shutdown()
    assert calls == []
    assert page.problems == []
    assert page.title().startswith("Denied")


def test_the_policy_stops_what_escaping_would_have_missed(browser: object, tmp_path: Path) -> None:
    planted = render(reports.every_kind()).replace("<main>", "<main><script>document.title='owned'</script>")
    (tmp_path / "planted.html").write_text(planted, "utf-8")
    page = browser.new_page()  # type: ignore[attr-defined]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "planted.html").as_uri())
    assert page.title() != "owned"
    assert any("Content Security Policy" in text for text in said)
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 360)])
def test_axe_finds_no_violation(open_page: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(reports.every_kind(), scheme=scheme, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.wait_for_timeout(200)
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:2]) for each in found] == []


def test_two_thousand_findings_are_filtered_and_sorted(open_page: Open) -> None:
    page = open_page(reports.large(2000))
    assert shown(page) == 2000
    page.fill("#q", "module1777")
    assert shown(page) == 1
    assert "1 of 2,000" in page.inner_text("#count")
    page.click("#clear")
    page.select_option("#severity", "high")
    high = shown(page)
    assert 0 < high < 2000
    page.select_option("#rule", "MSP1003")
    assert 0 < shown(page) < high
    page.click("#clear")
    page.select_option("#file", label="file-3.pkl (286)")
    assert shown(page) == 286
    assert page.problems == []


def test_columns_sort_both_ways(open_page: Open) -> None:
    page = open_page(reports.large(60))

    def column(selector: str) -> list[str]:
        return list(page.locator(f".finding {selector}").all_text_contents())

    worst_first = column(".chip")
    page.get_by_role("button", name="File").click()
    files = [place.split(" ")[0] for place in column(".where")]
    assert files == sorted(files)
    assert "by file" in page.inner_text("#count")
    page.get_by_role("button", name="File").click()
    files = [place.split(" ")[0] for place in column(".where")]
    assert files == sorted(files, reverse=True)
    page.get_by_role("button", name="Rule").click()
    assert column(".rule") == sorted(column(".rule"))
    page.get_by_role("button", name="Finding").click()
    assert column(".what") == sorted(column(".what"))
    page.get_by_role("button", name="Severity").click()
    assert column(".chip") == worst_first


def test_evidence_that_the_page_had_no_room_for_comes_from_the_embedded_report(open_page: Open) -> None:
    page = open_page(reports.large(2000), fragment="#f2000")
    page.wait_for_selector("#f2000 pre code:not(:empty)")
    assert "module2000.call" in page.inner_text("#f2000 pre")
    assert page.problems == []


def test_deep_links_open_a_finding_and_its_program(open_page: Open) -> None:
    page = open_page(reports.large(300), fragment="#f200")
    assert page.evaluate("document.getElementById('f200').open")
    assert page.evaluate("document.getElementById('f200').getBoundingClientRect().top < innerHeight")
    page.evaluate("location.hash = 'p1'")
    page.wait_for_function("document.getElementById('p1').open")


def test_a_deep_link_lifts_the_filter_that_hides_its_finding(open_page: Open) -> None:
    page = open_page(reports.large(30))
    page.fill("#q", "module3.")
    assert shown(page) == 1
    page.evaluate("location.hash = 'f20'")
    page.wait_for_function("document.getElementById('f20').open")
    assert shown(page) == 30


def test_opening_a_finding_makes_its_link(open_page: Open) -> None:
    page = open_page(reports.large(5))
    page.locator("#f3 summary").click()
    page.wait_for_function("location.hash === '#f3'")


def test_the_keyboard_suffices(open_page: Open) -> None:
    page = open_page(reports.large(20))
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelectorAll('.finding')[1].open")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("module3.")
    assert shown(page) == 1
    page.keyboard.press("Escape")
    assert shown(page) == 20


def test_arrows_walk_between_rows_that_are_shown(open_page: Open) -> None:
    page = open_page(reports.large(20))
    page.select_option("#rule", "MSP1003")
    page.locator("#f2 summary").focus()
    for key, expected in (("ArrowDown", "f4"), ("ArrowDown", "f6"), ("ArrowUp", "f4"), ("k", "f2"), ("k", "f2")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.parentElement.id") == expected


@pytest.mark.parametrize("width", [360, 700, 1200])
def test_the_page_is_never_wider_than_the_window(open_page: Open, width: int) -> None:
    page = open_page(reports.hostile(), width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_button_turns_the_page(open_page: Open) -> None:
    page = open_page(reports.every_kind(), scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_without_scripts_everything_is_there(browser: object, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(render(reports.every_kind()), "utf-8")
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.locator(".finding summary").first.click()
    assert page.locator(".finding .why").first.is_visible()
    assert page.locator(".finding pre.hex").first.is_visible()
    assert page.locator("#filters, #heads, button >> visible=true").count() == 0
    context.close()


def test_digests_can_be_copied(open_page: Open) -> None:
    page = open_page(reports.every_kind())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#f1 summary").click()
    for place, expected in (("#f1 .facts", f"{1:032x}"), (".glance", "sha256:" + "1" * 64), ("td.sum", "ab" * 32)):
        page.locator(f"{place} button.copy").first.click()
        page.locator(f"{place} button.copy", has_text="Copied").first.wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == expected


@pytest.mark.parametrize("report", [reports.hostile(), reports.large(2000)], ids=["plain", "compressed"])
def test_the_download_is_the_report(open_page: Open, tmp_path: Path, report: Report) -> None:
    page = open_page(report)
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "saved.json")
    assert from_json((tmp_path / "saved.json").read_bytes()) == report


def test_print_shows_what_is_closed_on_the_screen(open_page: Open) -> None:
    page = open_page(reports.every_kind(), scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("[...document.querySelectorAll('.finding .why')].every(each => each.checkVisibility())")
    assert page.evaluate("document.querySelectorAll('.finding[open]').length") == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#filters, #heads, button >> visible=true").count() == 0


def test_printing_opens_and_closes_again(open_page: Open) -> None:
    page = open_page(reports.every_kind())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('.finding:not([open])').length") == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('.finding[open]').length") == 0
    assert page.evaluate("location.hash") == ""


def test_the_picture_of_a_graph_is_drawn_and_its_labels_stay_in_their_boxes(open_page: Open, tmp_path: Path) -> None:
    from fixtures.make.graph_flow import SAMPLES
    from modelscan_plus import scan

    (tmp_path / "models").mkdir()
    for sample in SAMPLES:
        if sample.path.startswith("hostile/"):
            (tmp_path / "models" / Path(sample.path).name).write_bytes(sample.build())
    page = open_page(scan(tmp_path / "models"))
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.locator("svg.graph").count() >= 8
    outside = page.evaluate(
        """() => [...document.querySelectorAll('svg.graph g')].filter(part => {
            const box = part.querySelector('rect').getBoundingClientRect();
            return [...part.querySelectorAll('text')].some(text => {
                const label = text.getBoundingClientRect();
                return label.left < box.left || label.right > box.right || label.bottom > box.bottom + 1;
            });
        }).length"""
    )
    assert outside == 0
    assert page.problems == []
