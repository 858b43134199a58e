"""The HTML report in a real browser: inert, usable by keyboard, accessible, wide and narrow."""

import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelscan_plus.core.report import Report
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(open_page: Open, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(reports.every_kind(), scheme=scheme)
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
    page.select_option("#order", "file")
    files = page.evaluate("[...document.querySelectorAll('.finding')].map(row => row.dataset.file)")
    assert files == sorted(files)
    assert page.problems == []


def test_deep_links_open_a_finding_and_its_program(open_page: Open) -> None:
    page = open_page(reports.large(300), fragment="#f200")
    assert page.evaluate("document.getElementById('f200').open")
    assert page.evaluate("document.getElementById('f200').getBoundingClientRect().top < innerHeight")
    page.evaluate("location.hash = 'p1'")
    page.wait_for_function("document.getElementById('p1').open")


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
    assert not page.locator("#filters").is_visible()
    context.close()


def test_the_download_is_the_report(open_page: Open, tmp_path: Path) -> None:
    page = open_page(reports.hostile())
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "saved.json")
    assert b'"decision": "denied"' in (tmp_path / "saved.json").read_bytes()


def test_it_prints_with_its_details(open_page: Open) -> None:
    page = open_page(reports.every_kind())
    page.emulate_media(media="print")
    assert len(page.pdf()) > 10_000
    assert not page.locator("#filters").is_visible()
