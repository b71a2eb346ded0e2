"""A real browser whose every complaint fails the test: an error on its console, a violated policy, another host.

Chromium of the system, or $CHROMIUM; where there is none the tests are skipped and say so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import Server

SMALL, NARROW, WIDE = (320, 640), (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright's event loop runs in this thread, Django keeps other connections for it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
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
    """`open_page("/", size=NARROW, dark=True)`: a page of a fresh browser profile, at that address of the server."""
    complaints: list[str] = []
    opened = ExitStack()

    def open_(path: str, size: tuple[int, int] = WIDE, dark: bool = False, **options: Any) -> Page:
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
        page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
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
