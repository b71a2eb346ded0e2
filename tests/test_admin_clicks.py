"""The jobs of every day in the admin, each with its number of clicks from the first page; typing is none. In half of the
looks a hand has no mouse: it comes to everything by Tab.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apikeys.models import ApiKey
from catalog.models import AIModel
from providers.models import Provider, ProviderModel
from providers.sync.run import sync
from tests.browser import NARROW, WIDE
from tests.test_admin_in_a_browser import NAMES, listed, openrouter, ops, server, sign_in, upstream

__all__ = ["listed", "openrouter", "ops", "server", "sign_in", "upstream"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Hand:
    """Clicks for a person, and counts it; whatever else the page is asked is keys and looks."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, selector: str) -> None:
        self.clicks += 1
        self.page.click(selector)

    def choose(self, selector: str, label: str) -> None:
        """By the label or the value."""
        self.clicks += 1
        self.page.select_option(selector, label)

    def fill(self, selector: str, text: str) -> None:
        self.page.fill(selector, text)

    def pick(self, selector: str, text: str) -> None:
        """By keys, in a field that searches as one types."""
        self.page.focus(selector)
        self.page.keyboard.press("Enter")
        # What is typed before it has opened goes nowhere.
        self.page.wait_for_selector(".select2-container--open .select2-search__field:focus")
        self.page.keyboard.type(text)
        self.page.wait_for_selector(f".select2-results__option--highlighted:has-text('{text}')")
        self.page.keyboard.press("Enter")


class Keys(Hand):
    """The same with the keyboard alone: a click is Enter or the space bar on what Tab has come to."""

    def click(self, selector: str) -> None:
        self.clicks += 1
        found = self.page.locator(selector).first
        found.wait_for()
        if found.get_attribute("type") == "radio":
            # Tab comes to the chosen one of them, or to the first; the arrows go on.
            group = f"[name={found.get_attribute('name')}]"
            chosen = f"{group}:checked"
            self._come_to(chosen if self.page.locator(chosen).count() else group)
            self.page.keyboard.press("Space")
            for _ in range(10):
                if found.is_checked():
                    return
                self.page.keyboard.press("ArrowDown")
            raise AssertionError(f"No arrow chooses {selector}.")
        self._come_to(selector)
        self.page.keyboard.press("Space" if found.get_attribute("type") == "checkbox" else "Enter")

    def choose(self, selector: str, label: str) -> None:
        self.clicks += 1
        options = self.page.locator(f"{selector} option")
        text = next(
            one.inner_text() for one in options.all() if label in (one.inner_text(), one.get_attribute("value"))
        )
        self._come_to(selector)
        self.page.keyboard.type(text)
        expect(self.page.locator(f"{selector} option:checked")).to_have_text(text)

    def fill(self, selector: str, text: str) -> None:
        self._come_to(selector)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def pick(self, selector: str, text: str) -> None:
        self._come_to(selector)
        super().pick(selector, text)

    def _come_to(self, selector: str) -> None:
        found = self.page.locator(selector).first
        found.wait_for()
        has_focus = "found => (found.closest('a, button') || found) === document.activeElement"
        for _ in range(400):
            if found.evaluate(has_focus):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not come to {selector}.")


@pytest.fixture(
    params=[
        pytest.param((Hand, WIDE, False), id="wide-light"),
        pytest.param((Hand, NARROW, True), id="narrow-dark"),
        pytest.param((Keys, WIDE, True), id="wide-dark-keys"),
        pytest.param((Keys, NARROW, False), id="narrow-light-keys"),
    ]
)
def hand(request: pytest.FixtureRequest, sign_in: Callable[..., Page]) -> Hand:
    kind, width, is_dark = request.param
    return kind(sign_in(width, is_dark))


def test_a_context_length_is_corrected_survives_a_sync_and_is_handed_back_in_6(hand, openrouter, listed):
    page = hand.page
    hand.click("#content a:has-text('AI models')")
    hand.fill("#searchbar", "acme/m7")
    page.press("#searchbar", "Enter")
    hand.click("#result_list a:has-text('acme/m7')")
    assert page.locator("[name=_save] >> nth=0").get_attribute("tabindex") == "-1"
    hand.fill("#id_context_length", "1234")
    hand.click("[name=_continue] >> nth=-1")
    expect(page.locator(".field-context_length .pin")).to_have_text("Pinned")
    listed(NAMES, context_length=4096)
    sync(openrouter)
    page.reload()
    expect(page.locator("#id_context_length")).to_have_value("1234")
    hand.click(".field-context_length .release")
    expect(page.locator("#id_context_length")).to_have_value("4096")
    assert hand.clicks <= 6


def test_all_but_three_models_of_a_provider_are_disabled_in_6(hand, openrouter):
    page = hand.page
    hand.click("#content a:has-text('Provider models')")
    hand.click("text=Enable or disable many")
    hand.click("[name=what][value=disable]")
    hand.choose("#id_provider", "openrouter")
    hand.fill("#id_pasted", "\n".join(NAMES[:3]))
    hand.click("[name=preview]")
    expect(page.locator("[role=status]")).to_contain_text("10 would be disabled")
    expect(page.locator(".loss")).to_contain_text("would lose a model that they see")
    hand.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("10 updated")
    assert set(ProviderModel.objects.filter(active=True).values_list("upstream_id", flat=True)) == set(NAMES[:3])
    assert hand.clicks <= 6


def test_a_key_for_the_models_of_one_author_is_made_in_6(hand, ops):
    page = hand.page
    hand.click("#content .model-apikey .addlink")
    hand.pick("#id_user + .select2 .select2-selection", "ops")
    hand.fill("#id_name", "team")
    hand.choose("#id_mode", "only these")
    hand.fill("#id_patterns", "acme/*")
    expect(page.locator("#policy-told")).to_contain_text(re.compile(r"Allows 13 of the 13 models"))
    hand.click("[name=_save]")
    expect(page.locator("#secret")).to_contain_text("mdx_")
    assert ApiKey.objects.get().name == "team"
    assert hand.clicks <= 6


def test_why_bob_does_not_see_a_model_is_found_and_mended_in_3(hand, make_user):
    bob, model = make_user("bob"), AIModel.objects.get(model_id="acme/m0")
    model.grants.create(principal_type="user", user=make_user("alice"), permission="read")
    page = hand.page
    hand.click("text=see why they do not see a model")
    hand.pick("#id_user + .select2 .select2-selection", "bob")
    hand.fill("#id_model", "acme/m0")
    page.press("#id_model", "Enter")
    expect(page.locator(".deciding")).to_contain_text("User bob does not see it: The entry is only for those granted")
    hand.click("text=Grant it to bob")
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")
    assert model.grants.filter(user=bob).exists()
    page.goto(f"{reverse('admin:catalog_aimodel_view_as')}?user={bob.pk}&model=acme/m0")
    expect(page.locator(".deciding")).to_contain_text("User bob sees it and may use it.")
    assert hand.clicks <= 3


def test_part_of_a_held_run_is_accepted_in_5(hand, openrouter, listed):
    listed(NAMES[:2])
    assert sync(openrouter).state == "held"
    page = hand.page
    page.reload()
    hand.click("#decisions .card:has-text('held') a")
    for name in NAMES[5:7]:
        hand.click(f"[name=id][value='{name}']")
    expect(page.locator("#held-chosen")).to_contain_text("2")
    hand.click("[name=accept_chosen]")
    expect(page.locator(".loss")).to_contain_text("2 models would no longer be available to anybody")
    hand.click("[name=apply]")
    expect(page.locator(".messagelist")).to_contain_text("Accepted: 2 retired")
    gone = ProviderModel.objects.filter(is_listed=False)
    assert set(gone.values_list("upstream_id", flat=True)) == set(NAMES[5:7])
    assert hand.clicks <= 5


def test_a_vllm_server_is_added_and_synced_in_6(hand, upstream):
    upstream.serve(
        "/v1/models", {"object": "list", "data": [{"id": "qwen/local", "object": "model", "owned_by": "vllm"}]}
    )
    page = hand.page
    hand.click("#content .model-provider .addlink")
    hand.fill("#id_slug", "gpu")
    hand.fill("#id_name", "The server below the stairs")
    hand.choose("#id_kind", "compatible")
    hand.fill("#id_base_url", f"{upstream.url}/v1")
    hand.click("[name=_continue] >> nth=0")
    hand.click("text=Sync now")
    expect(page.locator(".field-outcome")).to_contain_text(re.compile("ok", re.IGNORECASE), timeout=15_000)
    assert Provider.objects.get(slug="gpu").offers.get().upstream_id == "qwen/local"
    assert hand.clicks <= 6


def test_two_prices_are_seen_side_by_side_and_with_their_history_in_3(hand, openrouter, listed):
    other = Provider.objects.create(slug="other", name="Other", kind="compatible")
    model = AIModel.objects.get(model_id="acme/m0")
    ProviderModel.objects.create(
        provider=other, upstream_id="m0", listing="models", model=model, pricing={"prompt": "0.000004"}
    )
    listed(NAMES, prompt="0.00000105")
    sync(openrouter)
    page = hand.page
    hand.click("#content a:has-text('AI models')")
    hand.fill("#searchbar", "acme/m0")
    page.press("#searchbar", "Enter")
    hand.click("#result_list a:has-text('acme/m0')")
    expect(page.locator("#sources tr:has-text('prompt price')")).to_contain_text(re.compile(r"\$1\.05.*\$4\.00"))
    hand.click(".object-tools .historylink")
    expect(page.locator(".timeline")).to_contain_text("prompt $1.00 to $1.05 (+5 %)")
    assert hand.clicks <= 3
