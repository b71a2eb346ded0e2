"""A real browser whose every complaint fails the test: an error on its console, a violated policy, another host.

Chromium of the system, or $CHROMIUM; where there is none the tests are skipped and say so. The build without windows
is the first choice: it takes three quarters of the time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers import Server
from tests.worlds import IS_LONG

SMALL, NARROW, WIDE = (320, 640), (390, 844), (1280, 900)
LOOKS = [(size, dark) for size in (WIDE, NARROW, SMALL) for dark in (False, True)]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright's event loop runs in this thread, Django keeps other connections for it."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("There is no Chromium: install the package chromium, or name one in CHROMIUM.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django takes a thread with an event loop for an asynchronous caller.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        # Containers give no sandbox and little shared memory.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """`open_page("/", size=NARROW, dark=True)`: a page of a fresh browser profile, at that address of the server.

    `refused=404`: the one status of a refusal that is no complaint, as the test is about it.
    """
    complaints: list[str] = []
    opened = ExitStack()

    def open_(path: str, size: tuple[int, int] = WIDE, dark: bool = False, refused: int = 0, **options: Any) -> Page:
        def hear(kind: str, text: str) -> None:
            if kind in ("error", "warning") and f"responded with a status of {refused} " not in text:
                complaints.append(text)

        width, height = size
        context = chromium.new_context(
            base_url=server.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            **options,
        )
        opened.callback(context.close)
        page = context.new_page()
        # The browser reports a violated Content-Security-Policy as an error on the console.
        page.on("console", lambda message: hear(message.type, message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: request.url.startswith((server.url, "data:", "blob:")) or complaints.append(request.url),
        )
        page.goto(path)
        return page

    with opened:
        yield open_
    assert complaints == []


def overflows(page: Page) -> bool:
    """Whether the page is wider than the window, so that a reader must scroll sideways."""
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def look(page: Page, name: str, looks: Iterable[Any] = LOOKS) -> None:
    """In each size and scheme the page fits the window, and axe-core finds no violation; SCREENSHOTS=folder keeps it.

    That looks in `make test` at a wide light page and a narrow dark one, in `make test-long` at all six.
    """
    begun, was_dark = page.viewport_size, page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for size, dark in looks:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        scheme: Any = "dark" if dark else "light"
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert not overflows(page), f"{name} is wider than a window of {size[0]} pixels"
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{size[0]}-{scheme}.png", full_page=True)
        if not IS_LONG and (size, dark) not in ((WIDE, False), (NARROW, True)):
            continue
        found = Axe().run(page).response["violations"]
        assert [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found] == [], (name, size, scheme)
    page.emulate_media(color_scheme="dark" if was_dark else "light")
    page.set_viewport_size(begun)  # type: ignore[arg-type]


# Whether one of these has the focus; and what covers it there, as a bar that stays at the window's edge may do.
FOCUSED = """found => {
    const focused = document.activeElement;
    if (!found.includes(focused)) return null;
    const box = focused.getClientRects()[0];
    const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return focused.contains(above) ? "" : above?.outerHTML.slice(0, 200) ?? "out of the window";
}"""


def tab_to(page: Page, selector: str) -> None:
    """Presses the tab key until the element has the focus, as a person without a mouse does; it must be in view then."""
    wanted = page.locator(selector)
    expect(wanted.first).to_be_visible()
    for _ in range(250):
        page.keyboard.press("Tab")
        covered = wanted.evaluate_all(FOCUSED)
        if covered is not None:
            assert covered == "", f"{selector} has the focus, and is covered by {covered}"
            return
    raise AssertionError(f"The tab key does not reach {selector}.")


def press(page: Page, selector: str, key: str = "Enter") -> None:
    tab_to(page, selector)
    page.keyboard.press(key)


def type_in(page: Page, selector: str, text: str) -> None:
    """Over what stands there."""
    tab_to(page, selector)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def choose(page: Page, selector: str, value: str) -> None:
    """An option of a menu, by the arrow keys; whatever the page does at each step, the focus stays."""
    tab_to(page, selector)
    for key in ("Home", *["ArrowDown"] * 20):
        page.keyboard.press(key)
        expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
        expect(page.locator(selector)).to_be_focused()
        if page.input_value(selector) == value:
            return
    raise AssertionError(f"{selector} has no option {value}.")
