"""What people who are neither staff nor programmers do, in a real browser; SCREENSHOTS=folder keeps pictures.

`open_page` fails a test at any complaint of the browser; axe-core looks for what keeps people out.
"""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from preferences.models import ModelPreference
from tests.browser import NARROW, WIDE, look
from tests.pages.conftest import LONG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {
    "models": "/models",
    "nothing-found": "/models?q=large&author=evil",
    "one": "/models/acme/large",
    "hostile": f"/models/{LONG}",
    "compare": f"/compare?id=acme/large&id=acme/small&id=mine&id={LONG}",
    "compare-none": "/compare",
    "changes": "/changes",
    "mine": "/me/models",
    "editor": "/me/models/mine",
    "new-model": "/me/models/new",
    "keys": "/me/keys",
    "new-key": "/me/keys/new",
    "settings": "/me/settings",
    "password": "/accounts/password",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_window_and_keeps_nobody_out(sign_in, alice, world, name):
    page = sign_in(alice, PAGES[name])
    page.click(".menu summary")
    look(page, f"{name}-menu")
    page.keyboard.press("Escape")
    look(page, name)


@pytest.mark.parametrize("path", ["/", "/models", "/models/acme/large"])
def test_a_page_keeps_nobody_out_who_is_not_signed_in(open_page, world, path):
    look(open_page(path), f"anonymous{path.replace('/', '-')}")


def test_who_was_signed_out_meanwhile_is_led_to_the_page_that_signs_in(sign_in, alice, world):
    page = sign_in(alice, "/models")
    Session.objects.all().delete()
    page.click("[id='switch-acme/large']")
    page.wait_for_url("**/accounts/login?next=/me/models")
    assert not ModelPreference.objects.exists()


def test_everything_is_there_without_script(sign_in, alice, world):
    page = sign_in(alice, "/models", java_script_enabled=False)
    page.fill("#search", "small")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.check("[name=capability][value=chat]")
    page.click("text=Apply")
    page.click("[id='switch-acme/small']")
    expect(page.locator("[id='switch-acme/small']")).to_have_attribute("aria-checked", "false")
    assert not ModelPreference.objects.get(user=alice).is_enabled
    assert "capability=chat" in page.url
    page.goto("/models")
    page.check("[aria-label='Compare Large']")
    page.check("[aria-label='Compare Small']")
    page.click("text=Compare them")
    expect(page.locator(".compared thead th")).to_have_count(2)
    # A model is searched for and picked in each form, and what was typed there stays.
    page.fill("#find-model", "mine")
    page.click("button[name=search]")
    page.check("#pick-mine")
    page.click(".asked > button")
    expect(page.locator(".compared thead th")).to_have_count(3)
    page.goto("/me/models/new")
    page.fill("#name", "Writer")
    page.fill("#find-model", "large")
    page.click("button[name=search]")
    expect(page.locator("#name")).to_have_value("Writer")
    page.check("[id='pick-acme/large']")
    page.fill("#id", "writer")
    page.click(".asked > button")
    expect(page.locator(".messages")).to_have_text("Saved: Writer.")


@pytest.mark.parametrize("path", ["/compare", "/me/settings", "/me/models/new", "/me/keys/new"])
def test_what_is_searched_for_in_a_form_is_found_while_it_is_typed(sign_in, alice, world, path):
    page = sign_in(alice, path)
    page.fill("#find-model", "acme/sm")
    expect(page.locator("[id='pick-acme/small']")).to_be_visible()
    page.check("[id='pick-acme/small']")
    page.fill("#find-model", "large")
    expect(page.locator("[id='pick-acme/large']")).to_be_visible()
    expect(page.locator("[id='pick-acme/small']")).to_be_checked()
    look(page, f"picks{path.replace('/', '-')}")


def test_with_script_nothing_is_left_to_apply_and_the_pages_stand_in_a_row(sign_in, alice, make_model):
    make_model("acme/gone", is_available=False)
    for number in range(51):
        make_model(f"acme/{number}", supports_tools=number == 7)
    page = sign_in(alice, "/models?capability=chat")
    expect(page.locator("#retired")).to_be_visible()
    expect(page.locator(".without-script")).to_be_hidden()
    tops = page.locator(".pages nav > *").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert max(tops) - min(tops) < 1
    # Every filter is in sight: none in a box that scrolls within the page.
    boxes = page.locator(".boxes")
    assert boxes.evaluate("box => box.scrollHeight <= box.clientHeight")


def test_in_a_narrow_window_the_filters_lead_to_what_they_find(sign_in, alice, world):
    page = sign_in(alice, "/models", size=NARROW)
    page.click("#filters > summary")
    page.check("#can-tools")
    page.click("text=See 3 models")
    expect(page.locator("#results")).to_be_in_viewport()
    expect(page.locator(".models tbody tr").first).to_be_in_viewport()
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    expect(page.locator("text=See 3 models")).to_be_hidden()


@pytest.mark.parametrize("path", ["/models", "/models/acme/large", "/me/keys/new"])
def test_in_a_narrow_window_a_finger_meets_what_is_small_elsewhere(sign_in, alice, world, path):
    page = sign_in(alice, path, size=NARROW)
    if path.endswith("new"):
        page.fill("#name", "editor")
        page.click("text=Make the key")
    expect(page.locator(".copy").first).to_be_visible()
    boxes = [
        box for one in page.locator(".copy:visible, .pick input, .switch:visible").all() if (box := one.bounding_box())
    ]
    assert min(min(box["width"], box["height"]) for box in boxes) >= 24


def test_a_theme_is_chosen_in_the_menu(sign_in, alice, world):
    page = sign_in(alice, "/models?q=large")
    page.click(".menu summary")
    page.click(".menu button >> text=Dark")
    expect(page).to_have_url(re.compile(r"/models\?q=large$"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 26)"
