"""What staff do in the admin all day, in a real browser; `open_page` fails a test at any complaint of the browser.

Each page is looked at wide and narrow, light and dark. SCREENSHOTS=folder keeps a picture of each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Page, expect

from apikeys.models import ApiKey
from catalog.models import AIModel
from providers.models import Provider, ProviderModel, SyncRun
from providers.sync.run import sync
from tests.browser import NARROW, WIDE, overflows, tab_to
from tests.feeds import feed, record
from tests.servers import Server, running
from tests.upstreams import Upstream

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = [pytest.param(WIDE, False, id="wide-light"), pytest.param(NARROW, True, id="narrow-dark")]
PASSWORD = "the long password of ops"
NAMES = [f"acme/m{number}" for number in range(12)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def server(
    database_url: str, project_dir: Path, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> Iterator[Server]:
    address = f"{upstream.url}/api/v1"
    with running(
        tmp_path_factory.mktemp("admin") / "log",
        project_dir,
        DATABASE_URL=database_url,
        DATABASE_POOL_MAX_SIZE="4",
        OPENROUTER_BASE_URL=address,
        PROVIDER_ALLOWED_HOSTS=upstream.address,
    ) as started:
        yield started


@pytest.fixture
def listed(upstream: Upstream) -> Callable[..., None]:
    """`listed(NAMES, context_length=4096)`: what upstream answers from now on."""

    def serve(names: list[str], **fields: Any) -> None:
        upstream.serve("/api/v1/models", feed([record(name, **fields) for name in names]))
        upstream.serve("/api/v1/embeddings/models", feed([record("acme/embed", produces="embeddings")]))

    return serve


@pytest.fixture
def openrouter(db: None, settings: Any, upstream: Upstream, listed: Callable[..., None]) -> Provider:
    """Synced once."""
    settings.OPENROUTER_BASE_URL = f"{upstream.url}/api/v1"
    provider = Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter", precedence=50)
    listed(NAMES)
    assert sync(provider).state == "ok"
    return provider


@pytest.fixture
def ops(ops: Any) -> Any:
    # The server knows the hashers of the settings alone; one round is enough for a test.
    ops.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1)
    ops.save()
    return ops


@pytest.fixture
def sign_in(open_page: Callable[..., Page], ops: Any, openrouter: Provider) -> Callable[..., Page]:
    """`sign_in(NARROW, dark=True)`: the first page of the admin, as the staff member `ops`."""

    def open_(size: tuple[int, int] = WIDE, dark: bool = False) -> Page:
        page = open_page("/admin/", size, dark)
        page.set_default_timeout(15_000)
        page.fill("#id_username", "ops")
        page.fill("#id_password", PASSWORD)
        page.click("[type=submit]")
        expect(page.locator("#freshness")).to_contain_text("OpenRouter")
        return page

    return open_


# Tables and sections that begin at the window's right edge or beyond, where Django's boxes cut them off.
CUT_OFF = """() => [...document.querySelectorAll('#content table, #content section')]
    .filter(box => box.getBoundingClientRect().left > innerWidth - 48).map(box => box.innerText.slice(0, 80))"""


# How many lines the words of each cell take.
LINES = """cells => cells.map(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length;
})"""


def look(page: Page, name: str) -> None:
    """The page fits the window in each look; a wide table scrolls in a box of its own."""
    begun = page.viewport_size
    assert begun is not None
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        assert not overflows(page), f"{name} is wider than a window of {width} pixels"
        assert page.evaluate(CUT_OFF) == []
        if folder := os.environ.get("SCREENSHOTS"):
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.screenshot(
                    path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled"
                )
    page.set_viewport_size(begun)


def sync_now(page: Page, provider: Provider) -> None:
    """Presses the button and waits until the run has ended."""
    page.goto(f"/admin/providers/provider/{provider.pk}/change/")
    page.click("text=Sync now")
    expect(page.locator(".field-outcome")).to_contain_text(re.compile("ok|held", re.IGNORECASE), timeout=15_000)


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_a_field_is_found_edited_pinned_kept_over_a_sync_and_released(sign_in, openrouter, listed, size, dark):
    page = sign_in(size, dark)
    look(page, "index")
    page.goto("/admin/catalog/aimodel/")
    look(page, "models")
    page.fill("#searchbar", "M7 acme")
    page.keyboard.press("Enter")
    page.click("#result_list a:has-text('acme/m7')")
    page.fill("#id_context_length", "1234")
    page.click("[name=_continue] >> nth=0")
    expect(page.locator(".field-context_length .pin")).to_have_text("Pinned")
    listed(NAMES, context_length=4096)
    sync_now(page, openrouter)
    look(page, "run")
    page.goto(f"/admin/catalog/aimodel/{AIModel.objects.get(model_id='acme/m7').pk}/change/")
    look(page, "entry")
    beside = page.locator(".field-context_length .provenance")
    expect(beside).to_contain_text(re.compile(r"Yours\s*1,234\s*Upstream\s*4,096 \(openrouter"))
    beside.get_by_role("button").click()
    expect(page.locator("#id_context_length")).to_have_value("4096")
    expect(page.locator(".pin")).to_have_count(0)


def test_many_provider_models_are_switched_after_a_preview(sign_in, openrouter):
    page = sign_in(NARROW, dark=True)
    page.goto("/admin/providers/providermodel/")
    look(page, "offers")
    page.click("text=Enable or disable many")
    page.check("[name=what][value=disable]")
    page.click(".select2-selection")
    page.keyboard.type("acme/m1")
    page.click(".select2-results__option:has-text('acme/m10')")
    page.fill("#id_pasted", "acme/m0\nno/such")
    page.click("[name=preview]")
    expect(page.locator(".errorlist")).to_contain_text("no/such")
    page.fill("#id_pasted", "acme/m0")
    page.click("[name=preview]")
    expect(page.locator("[role=status]")).to_contain_text("11 would be disabled, 2 skipped, 13 checked")
    assert ProviderModel.objects.filter(active=False).count() == 0
    look(page, "bulk")
    page.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("11 updated, 2 skipped, 13 checked")
    left = ProviderModel.objects.filter(active=True).values_list("upstream_id", flat=True)
    assert set(left) == {"acme/m0", "acme/m10"}


def test_a_held_run_is_accepted_in_part_and_another_rejected(sign_in, openrouter, listed):
    page = sign_in()
    listed(NAMES[:2])
    sync_now(page, openrouter)
    expect(page.locator("h2:has-text('Held')")).to_contain_text("10 wait for a decision")
    look(page, "held")
    page.check("[name=id][value='acme/m5']")
    page.click("[name=accept_chosen]")
    page.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("Accepted: 1 retired")
    assert not AIModel.objects.get(model_id="acme/m5").is_available
    sync_now(page, openrouter)
    page.click("[name=reject]")
    expect(page.locator(".messagelist")).to_contain_text("Rejected")
    assert SyncRun.objects.order_by("pk").last().decision == "rejected"
    assert AIModel.objects.filter(is_available=True).count() == len(NAMES)
    look(page, "decided")


def test_a_held_run_is_accepted_whole_after_a_look_at_what_would_go(sign_in, openrouter, listed):
    page = sign_in()
    listed(NAMES[:2])
    sync_now(page, openrouter)
    expect(page.locator("section.held button").first).to_have_text("Accept the chosen")
    page.click("[name=accept_all]")
    expect(page.locator(".loss")).to_contain_text("10 models would no longer be available")
    look(page, "held-accept-all")
    assert AIModel.objects.filter(is_available=True).count() == len(NAMES) + 1
    page.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("Accepted: 10 retired")


def test_a_preview_of_another_form_is_not_applied(sign_in, openrouter):
    other = Provider.objects.create(slug="other", name="Other", kind="openai")
    page = sign_in()
    page.goto("/admin/providers/providermodel/bulk")
    page.check("[name=what][value=disable]")
    page.select_option("#id_provider", str(other.pk))
    page.click("[name=preview]")
    page.select_option("#id_provider", "")
    assert page.locator("[name=apply]").count() == 0
    page.click("[name=preview]")
    page.select_option("#id_provider", str(openrouter.pk))
    page.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("Nothing was changed")
    look(page, "bulk-refused")
    assert not ProviderModel.objects.filter(active=False).exists()


def test_grants_are_given_and_taken_on_a_page_of_their_own(sign_in, make_user):
    make_user("alice")
    model = AIModel.objects.get(model_id="acme/m0")
    page = sign_in()
    page.goto(f"/admin/catalog/aimodel/{model.pk}/change/")
    page.click("text=Give and take grants")
    look(page, "grants-none")
    page.click(".object-tools a:has-text('Add')")
    expect(page.locator("#id_model")).to_have_value("acme/m0")
    page.select_option("#id_principal_type", "user")
    page.click("#id_user + .select2 .select2-selection")
    page.click(".select2-results__option:has-text('alice')")
    look(page, "grant-form")
    page.click("[name=_save]")
    expect(page.locator(".loss")).to_contain_text("ops")
    look(page, "grant-narrows")
    page.click("[name=_narrow]")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    look(page, "grants")
    page.goto(f"/admin/catalog/aimodel/{model.pk}/change/")
    expect(page.locator("#grants")).to_contain_text("alice")
    look(page, "entry-with-grants")
    page.click("text=Give and take grants")
    page.click("#result_list tbody a")
    page.click(".deletelink")
    expect(page.locator(".loss")).to_contain_text("alice")
    look(page, "grant-taken")
    page.click("[name=_confirmed]")
    expect(page.locator("#content")).to_contain_text("0 grants")
    assert not model.grants.exists()


def test_releasing_a_pin_keeps_what_was_typed_and_not_saved(sign_in):
    model = AIModel.objects.get(model_id="acme/m0")
    page = sign_in()
    page.goto(f"/admin/catalog/aimodel/{model.pk}/change/")
    page.fill("#id_context_length", "1234")
    page.click("[name=_continue] >> nth=0")
    page.fill("#id_name", "Typed")
    page.click(".field-context_length .release")
    expect(page.locator("#content")).to_contain_text("Nothing was released")
    expect(page.locator("#id_name")).to_have_value("Typed")
    look(page, "release-refused")
    model.refresh_from_db()
    assert model.pinned_fields == ["context_length"]


def test_a_key_form_that_is_sent_twice_makes_one_key_and_shows_its_secret(sign_in, ops):
    page = sign_in()
    page.goto("/admin/apikeys/apikey/add/")
    page.click("#id_user + .select2 .select2-selection")
    page.click(".select2-results__option:has-text('ops')")
    page.fill("#id_name", "twice")
    page.dblclick("[name=_save]")
    expect(page.locator("#secret")).to_contain_text("mdx_")
    secret = page.inner_text("#secret")
    page.reload()
    expect(page.locator(".messagelist")).to_contain_text("Nothing was made again")
    assert secret not in page.content()
    assert ApiKey.objects.get().name == "twice"
    page.goto("/admin/apikeys/apikey/")
    page.check("[name=_selected_action]")
    page.select_option("[name=action]", "revoke")
    page.click("[name=index]")
    look(page, "revoke")
    page.click("[name=confirmed]")
    expect(page.locator(".messagelist")).to_contain_text("Keys revoked: 1")


def test_a_key_is_made_seen_once_and_looked_through(sign_in):
    page = sign_in(NARROW, dark=True)
    page.goto("/admin/apikeys/apikey/add/")
    look(page, "key-form")
    page.click("#id_user + .select2 .select2-selection")
    page.click(".select2-results__option:has-text('ops')")
    page.fill("#id_name", "of the notebook")
    page.select_option("#id_mode", "allow_list")
    page.fill("#id_patterns", "acme/m1*\nacme/none")
    expect(page.locator("#policy-told")).to_contain_text("Matches nothing: acme/none.")
    page.fill("#id_patterns", "acme/m1*")
    expect(page.locator("#policy-told")).to_have_text(
        re.compile(r"Allows 3 of the \d+ models that this user sees now\.")
    )
    page.click("[name=_save]")
    token = page.inner_text("#secret")
    look(page, "key-shown")
    page.click("text=To the key")
    assert token.startswith("mdx_")
    assert token not in page.content()
    look(page, "key")
    page.click("text=View as this key")
    expect(page.locator("#content tbody tr")).to_have_count(3)
    expect(page.locator("#content tbody")).to_contain_text("acme/m10")
    look(page, "view-as")
    page.click(".tabs a >> nth=3")
    expect(page.locator(".json-shown")).to_contain_text("acme/m11")
    look(page, "view-as-dialect")
    assert ApiKey.objects.get().name == "of the notebook"


def test_other_pages_of_the_admin_fit_the_window(sign_in, openrouter, listed):
    page = sign_in()
    offer = ProviderModel.objects.get(upstream_id="acme/m0")
    page.goto(f"/admin/providers/provider/{openrouter.pk}/change/")
    look(page, "provider")
    listed(NAMES, prompt="0.0000011")
    page.click("text=Dry run")
    expect(page.locator("#content")).to_contain_text("A sync now would end as ok")
    look(page, "dry-run")
    page.goto(f"/admin/providers/providermodel/{offer.pk}/change/")
    page.fill("#id_price_prompt", "5")
    page.click("[name=_continue]")
    expect(page.locator("#content")).to_contain_text("Set by hand")
    look(page, "offer")
    for name, path in {
        "disagreements": "/admin/providers/providermodel/conflicts",
        "history": f"/admin/catalog/aimodel/{offer.model_id}/history/",
        "access": f"/admin/catalog/aimodel/{offer.model_id}/access/",
        "providers": "/admin/providers/provider/",
        "runs": "/admin/providers/syncrun/",
        "keys": "/admin/apikeys/apikey/",
    }.items():
        page.goto(path)
        look(page, name)


def test_an_id_of_255_characters_fits_the_window(sign_in, make_model):
    model = make_model(f"acme/{'q' * 245}/a:b1")
    page = sign_in()
    of_it = f"/admin/catalog/aimodel/{model.pk}"
    page.goto(f"{of_it}/change/")
    page.fill("#id_name", "Long")
    page.click("[name=_continue] >> nth=0")
    expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
    look(page, "long")
    for path in (f"{of_it}/change/", f"{of_it}/history/", f"{of_it}/access/", f"/admin/log/?object={model.model_id}"):
        page.goto(path)
        look(page, "long")
    expect(page.locator(".timeline")).to_contain_text("name: a:b1 to Long")
    page.goto("/admin/catalog/aimodel/")
    assert set(page.locator("td.field-status").evaluate_all(LINES)) == {1}


def test_the_sections_of_an_entry_stay_in_sight_and_are_reached_by_one_click(sign_in):
    page = sign_in()
    page.goto(f"/admin/catalog/aimodel/{AIModel.objects.get(model_id='acme/m0').pk}/change/")
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        for name in ("Offers and prices", "What it can do"):
            page.click(f".sections a:has-text('{name}')")
            expect(page.locator(f"h2:has-text('{name.lower()}')")).to_be_in_viewport()
            expect(page.locator(".sections")).to_be_in_viewport(ratio=1)


def test_the_main_path_needs_no_mouse(open_page, ops, openrouter):
    page = open_page("/admin/catalog/aimodel/", NARROW, dark=True)
    page.set_default_timeout(15_000)
    page.wait_for_selector("#id_username:focus")
    page.keyboard.type("ops")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#searchbar")
    tab_to(page, "#searchbar")
    page.keyboard.type("m7")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=m7**")
    tab_to(page, "#result_list tbody a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_context_length")
    tab_to(page, "#id_context_length")
    page.keyboard.press("Control+a")
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("changed successfully")
    assert AIModel.objects.get(model_id="acme/m7").pinned_fields == ["context_length"]
    tab_to(page, "#result_list tbody a")
    page.keyboard.press("Enter")
    page.wait_for_selector(".field-context_length .pin")
    tab_to(page, ".field-context_length .release")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Handed back to sync: context length")
    expect(page.locator("#id_context_length")).to_have_value("8192")
