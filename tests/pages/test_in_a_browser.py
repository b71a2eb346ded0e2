"""The pages as a person meets them."""

import os
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.browser import NARROW, WIDE, overflows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {"home": "/", "docs": "/api/docs", "redoc": "/api/redoc", "login": "/accounts/login", "missing": "/no/such"}
READY = {"docs": ".opblock", "redoc": "h1"}


# The readers of the document are heavy; each is opened twice.
@pytest.mark.parametrize(
    ("name", "size", "dark"),
    [(name, size, dark) for name in ("home", "login") for size in (NARROW, WIDE) for dark in (False, True)]
    + [(name, size, dark) for name in READY for size, dark in ((NARROW, True), (WIDE, False))],
)
def test_a_page_shows_itself_without_a_complaint(open_page, name, size, dark):
    page = open_page(PAGES[name], size, dark)
    page.wait_for_selector(READY.get(name, "main"))
    page.wait_for_load_state("networkidle")
    if folder := os.environ.get("SCREENSHOTS"):
        words = f"{name}-{size[0]}-{'dark' if dark else 'light'}"
        page.screenshot(path=Path(folder) / f"{words}.png", full_page=name not in READY)
    assert not overflows(page)


def test_an_operation_can_be_tried_in_the_docs(open_page):
    page = open_page("/api/docs")
    page.click("#operations-operations-health .opblock-summary-control")
    page.click("#operations-operations-health .try-out__btn")
    page.click("#operations-operations-health .execute")
    assert page.wait_for_selector(
        "#operations-operations-health .live-responses-table .response-col_status"
    ).is_visible()
    assert '"status": "ok"' in page.inner_text("#operations-operations-health .live-responses-table")


def test_one_signs_in_and_out_with_the_keyboard_alone(open_page, make_user):
    dora = make_user("dora")
    # The server knows the hashers of the settings alone; one round is enough for a test.
    dora.password = PBKDF2PasswordHasher().encode("dora's long password", "salt", 1)
    dora.save()
    page = open_page("/accounts/login?next=/")
    page.wait_for_selector("#id_username:focus")
    page.keyboard.type("dora")
    page.keyboard.press("Tab")
    page.keyboard.type("not her password")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    # The page puts the cursor into the first field when it has loaded.
    page.wait_for_load_state()
    page.fill("#id_username", "")
    page.keyboard.type("dora")
    page.keyboard.press("Tab")
    page.keyboard.type("dora's long password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    assert page.inner_text(".who") == "dora"
    page.focus(".menu summary")
    page.keyboard.press("Enter")
    page.focus("text=Sign out")
    page.keyboard.press("Enter")
    assert page.wait_for_selector("text=Sign in").is_visible()


def test_the_first_page_tells_how_fresh_each_source_is(open_page, make_model, make_run):
    make_model("acme/large")
    make_run("Acme & <Sons>", "failed", hours=30)
    page = open_page("/", NARROW)
    assert "1\u00a0day ago" in page.inner_text("table")
    assert "failed; what was read before still stands" in page.inner_text("table")
    assert "Acme & <Sons>" in page.inner_text("table")
