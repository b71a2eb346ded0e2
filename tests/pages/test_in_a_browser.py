"""The pages as a person meets them."""

import os
from pathlib import Path

import pytest

from tests.browser import NARROW, WIDE, overflows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {"home": "/", "docs": "/api/docs", "redoc": "/api/redoc", "login": "/accounts/login", "missing": "/no/such"}
READY = {"docs": ".opblock", "redoc": "h1"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("name", [name for name in PAGES if name != "missing"])
def test_a_page_shows_itself_without_a_complaint(open_page, name, size, dark):
    page = open_page(PAGES[name], size, dark)
    page.wait_for_selector(READY.get(name, "main"))
    page.wait_for_load_state("networkidle")
    if folder := os.environ.get("SCREENSHOTS"):
        words = f"{name}-{size[0]}-{'dark' if dark else 'light'}"
        page.screenshot(path=Path(folder) / f"{words}.png", full_page=name not in READY)
    assert not overflows(page)
