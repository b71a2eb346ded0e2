"""What people who are neither staff nor programmers do, in a real browser; SCREENSHOTS=folder keeps pictures.

`open_page` fails a test at any complaint of the browser; axe-core looks for what keeps people out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from apikeys.models import ApiKey, ExportToken
from catalog.models import AIModel
from preferences.models import ModelPreference
from tests.browser import NARROW, SMALL, WIDE, overflows
from tests.servers import Server
from tests.worlds import IS_LONG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "evil/" + "x" * 250
HOSTILE = '<script>alert("name")</script>' + "W" * 200


@pytest.fixture
def sign_in(open_page: Callable[..., Page], server: Server) -> Callable[..., Page]:
    """`sign_in(alice, "/models", NARROW)`: that page, for a person who has signed in before."""

    def open_(user: Any, path: str, size: tuple[int, int] = WIDE, dark: bool = False, **options: Any) -> Page:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        page = open_page("/healthz", size, dark, **options)
        page.set_default_timeout(15_000)
        cookie = {"name": "sessionid", "value": str(session.session_key), "url": server.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        page.goto(path)
        return page

    return open_


@pytest.fixture
def world(alice: Any, bob: Any, make_model: Callable[..., AIModel], make_key: Any) -> None:
    """Something of each kind, hostile text and an id of 255 characters among it."""
    prices = {"pricing": {"prompt": "0.0000025", "completion": "0.00001"}, "prompt_price": 2.5}
    large = make_model("acme/large", name="Large", context_length=200_000, supports_tools=True, **prices)
    make_model("acme/small", name="Small", context_length=8_000, recommended=True, tags=["fast"])
    make_model("acme/small:free", name="Small, free")
    make_model(LONG, name=HOSTILE, description="<img src=x onerror=alert(1)>" * 20, context_length=2**31 - 1)
    make_model("mine", owner=alice, base_model=large, params={"temperature": 0.2})
    make_model("bobs", owner=bob, base_model=large, granted_to=alice)
    make_key(alice, name="notebook", allow=["acme/*"], per_minute=20)


def look(page: Page, name: str) -> None:
    """In each size and scheme the page fits the window, and axe-core finds no violation.

    That looks in `make test` at a wide light page and a narrow dark one, in `make test-long` at all six.
    """
    begun = page.viewport_size
    for width, height in (WIDE, NARROW, SMALL):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            assert not overflows(page), f"{name} is wider than a window of {width} pixels"
            if folder := os.environ.get("SCREENSHOTS"):
                page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
            if not IS_LONG and (width, scheme) not in ((WIDE[0], "light"), (NARROW[0], "dark")):
                continue
            found = Axe().run(page).response["violations"]
            assert [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found] == [], (name, width, scheme)
    page.set_viewport_size(begun)  # type: ignore[arg-type]


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


def test_one_searches_as_one_types_and_the_address_keeps_it(sign_in, alice, world):
    page = sign_in(alice, "/models")
    page.keyboard.press("/")
    page.keyboard.type("larg")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/models\?q=larg$"))
    expect(page.locator("#count")).to_have_text("3 models found")
    assert page.evaluate("document.activeElement.id") == "search"
    page.select_option("#by-author", "acme")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/models\?q=larg&author=acme$"))
    page.click("text=Clear all")
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("#search")).to_have_value("")


def test_a_switch_in_the_row_is_used_by_keyboard_and_keeps_the_focus(sign_in, alice, world):
    page = sign_in(alice, "/models?q=large")
    button = page.locator("[id='switch-acme/large']")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-checked", "false")
    expect(button).to_be_focused()
    assert not ModelPreference.objects.get(user=alice, model__model_id="acme/large").is_enabled
    expect(page).to_have_url(re.compile(r"/models\?q=large$"))


def test_who_was_signed_out_meanwhile_is_led_to_the_page_that_signs_in(sign_in, alice, world):
    page = sign_in(alice, "/models")
    Session.objects.all().delete()
    page.click("[id='switch-acme/large']")
    page.wait_for_url("**/accounts/login?next=/me/models")
    assert not ModelPreference.objects.exists()


def test_what_is_picked_to_compare_outlasts_another_search(sign_in, alice, world):
    page = sign_in(alice, "/models", NARROW)
    page.check("[aria-label='Compare Large']")
    page.fill("#search", "small")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.check("[aria-label='Compare Small']")
    expect(page.locator(".compare-box span")).to_have_text("Large, Small")
    page.click("text=Compare them")
    expect(page.locator(".compared thead a >> text=Large")).to_be_visible()
    expect(page.locator(".compared thead a >> text=Small")).to_be_visible()


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


def test_an_id_is_copied(sign_in, alice, world):
    page = sign_in(alice, "/models/acme/large", permissions=["clipboard-read", "clipboard-write"])
    page.click("[aria-label='Copy acme/large']")
    expect(page.locator("[aria-label='Copy acme/large']")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "acme/large"


def test_a_key_is_made_with_a_live_count_and_shown_once(sign_in, alice, world):
    page = sign_in(alice, "/me/keys/new", NARROW, dark=True)
    page.fill("#name", "editor")
    page.check("[name=mode][value=allow_list]")
    page.fill("#patterns", "acme/s*\nacme/none")
    expect(page.locator("#reach")).to_contain_text(
        "Allows 2 of the 6 models that you see now. Matches nothing: acme/none."
    )
    page.fill("#patterns", "acme/s*")
    page.click("text=Make the key")
    token = page.inner_text("code.secret")
    assert token.startswith("mdx_")
    look(page, "key-once")
    page.reload()
    expect(page.locator(".messages")).to_contain_text("Nothing was made again")
    assert token not in page.content()
    assert ApiKey.objects.filter(name="editor").count() == 1
    page.click("[aria-label='Rotate or revoke editor']")
    look(page, "key")
    page.get_by_role("button", name="Rotate").click()
    expect(page.locator("code.secret")).not_to_have_text(token)


def test_an_export_is_made_shown_once_and_revoked(sign_in, alice, world):
    page = sign_in(alice, f"/me/keys/{ApiKey.objects.get(user=alice).key_id}", NARROW)
    page.click("text=Exports for tools that send no key")
    look(page, "exports-none")
    page.fill("#name", "opencode")
    page.click("text=Make it")
    address = page.inner_text("code.secret")
    page.click("summary >> text=LiteLLM")
    expect(page.locator("details[open] code")).to_contain_text(f"LITELLM_MODEL_COST_MAP_URL={address}/")
    look(page, "export-once")
    page.click("text=I have copied it")
    look(page, "exports")
    page.click("[aria-label='Revoke opencode']")
    expect(page.locator(".messages")).to_contain_text("Revoked: opencode.")
    assert not ExportToken.objects.unrevoked().exists()


def test_a_custom_model_is_made_and_shared(sign_in, alice, bob, world):
    page = sign_in(alice, "/me/models/new")
    page.fill("#id", "writer")
    page.fill("#name", "Writer")
    page.fill("#base_model_id", "acme/large")
    page.fill("#people", "bob")
    page.click("text=Who will see it?")
    expect(page.locator("[role=status]")).to_contain_text("1 other will see it.")
    look(page, "editor-preview")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messages")).to_have_text("Saved: Writer.")
    look(page, "mine-saved")
    assert AIModel.objects.get(model_id="writer").grants.get().user == bob


def test_a_theme_is_chosen_in_the_menu(sign_in, alice, world):
    page = sign_in(alice, "/models?q=large")
    page.click(".menu summary")
    page.click(".menu button >> text=Dark")
    expect(page).to_have_url(re.compile(r"/models\?q=large$"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 26)"
