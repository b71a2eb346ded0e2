"""Every page of the admin, from its URL conf: axe-core finds nothing serious, and none scrolls sideways but in a box."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page
from waffle import get_waffle_flag_model

from catalog.dialects.registry import DIALECTS
from catalog.models import AIModel, FieldChange
from preferences.models import DefaultModel
from providers.models import Provider, ProviderModel, SyncRun
from tests.browser import NARROW, SMALL, WIDE, overflows
from tests.worlds import IS_LONG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "openrouter/some-author-of-models/a-very-long-name-of-a-model-2026-preview:free"
PASSWORD = "the long password of ops"
# Answers that are no pages, or that only a POST gets.
NO_PAGES = (
    "apikeys_apikey_matches", "providers_provider_test", "providers_providermodel_found", "providers_provider_sync", "providers_provider_dry_run",
    "providers_syncrun_decide",
)  # fmt: skip


@pytest.fixture
def rows(db: None, ops: Any, alice: Any, make_model: Callable[..., AIModel], make_key: Callable[..., Any]) -> None:
    """One of each kind at least, with long names, so that each page has something to show."""
    model = make_model(LONG, granted_to=alice, tags=["fast"], context_length=1_000_000, pinned_fields=["name"],
                       pricing={"prompt": "0.00000025", "completion": "0.00000125"}, prompt_price=0.25)  # fmt: skip
    make_model("preset", owner=alice, base_model=model)
    make_key(alice, name="of the notebook", expires_at=timezone.now() + timedelta(days=3))
    DefaultModel.objects.create(model=model)
    get_waffle_flag_model().objects.create(name="beta")
    for precedence, slug in enumerate(("one", "two"), 1):
        provider = Provider.objects.create(slug=slug, name=slug.title(), kind="compatible", precedence=precedence)
        ProviderModel.objects.create(provider=provider, upstream_id=LONG, listing="models", model=model,
                                     facts={"context_length": 10**precedence}, pricing=model.pricing)  # fmt: skip
        SyncRun.objects.create(provider=provider, state="held", message="1 of 1 models is gone.", sizes={"models": 1},
                               held={"removals": {"models": [LONG]}}, problems=[{"listing": "models", "index": 1,
                               "id": "x", "reason": "id is missing"}])  # fmt: skip
    FieldChange.objects.create(model=model, subject=LONG, field="name", old="a", new="b", source="person", actor="ops")


# Apps by the pages they have, so that each test ends in time on a busy machine.
PARTS = {
    "site": (),
    "catalog": ("catalog",),
    "people": ("auth", "axes", "waffle", "preferences"),
    "providers": ("providers",),
    "keys": ("apikeys",),
}


def addresses(request: Any, apps: tuple[str, ...]) -> Iterator[str]:
    """Each page of these apps that this person may open, with the key of a row where the route takes one."""
    for model, shown in admin.site._registry.items():
        if model._meta.app_label not in apps:
            continue
        row = shown.get_queryset(request).order_by("pk").first()
        for pattern in shown.urls:
            name, takes = pattern.name, pattern.pattern.converters
            if name is None or name.startswith(NO_PAGES):
                continue
            if name.endswith(f"{model._meta.model_name}_add") and not shown.has_add_permission(request):
                continue
            if name.endswith(f"{model._meta.model_name}_delete") and not shown.has_delete_permission(request, row):
                continue
            if not takes:
                yield reverse(f"admin:{name}")
            elif row is not None:
                yield reverse(f"admin:{name}", args=[row.pk])


def others(part: str) -> Iterator[str]:
    """Pages of the part that the URL conf alone does not show."""
    if part == "site":
        yield reverse("admin:log")
        yield from map(reverse, ("admin:index", "admin:password_change", "admin:password_change_done"))
        yield from (reverse("admin:app_list", args=[app]) for app in ("catalog", "providers"))
    if part == "catalog":
        page, user = reverse("admin:catalog_aimodel_view_as"), User.objects.get(username="alice").pk
        yield f"{page}?user={user}&show=unseen&model={LONG}"
        yield f"{page}?user={user}&dialect={quote(DIALECTS[0].label)}"


# What another size and scheme can change: the rest is of the page itself.
OF_THE_LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size", "meta-viewport"]


def complaints(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe-core calls serious or critical, by these rules or all, and whether the page is wider than the window."""
    # Without `preload`: it makes style elements of the sheets that others import, which the policy refuses.
    options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options | ({"runOnly": rules} if rules else {})).response["violations"]
    told = [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    page.set_viewport_size({"width": SMALL[0], "height": SMALL[1]})
    return told + ["wider than 320 pixels"] * overflows(page)


@pytest.fixture
def sign_in(open_page: Callable[..., Page], ops: Any) -> Callable[..., Page]:
    # The server knows the hashers of the settings alone; one round is enough for a test.
    ops.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1)
    ops.save()

    def open_(size: tuple[int, int], dark: bool) -> Page:
        page = open_page("/admin/login/", size, dark)
        page.set_default_timeout(60_000)
        page.fill("#id_username", ops.username)
        page.fill("#id_password", PASSWORD)
        page.click("[type=submit]")
        page.wait_for_selector("#decisions")
        return page

    return open_


def keep(page: Page, name: Path) -> None:
    """A picture of the page in each of four looks."""
    was_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled")
    page.emulate_media(color_scheme="dark" if was_dark else "light")


def look_at(page: Page, size: tuple[int, int], wanted: Iterable[str], rules: list[str] | None = None) -> str:
    """A line for each fault of these pages."""
    found = []
    for address in wanted:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        answer = page.goto(address)
        assert answer is not None
        # A page that sends elsewhere, such as to sign in, was not looked at.
        assert (answer.status, urlsplit(page.url).path) == (200, urlsplit(address).path)
        if folder := os.environ.get("SCREENSHOTS"):
            words = re.sub(r"\W+", "-", address).strip("-")[:80]
            keep(page, Path(folder) / words)
            page.set_viewport_size({"width": size[0], "height": size[1]})
        found += [f"{address} {told}" for told in complaints(page, rules)]
    return "\n".join(found)


@pytest.mark.parametrize("part", PARTS)
def test_no_page_has_a_serious_fault_or_is_wider_than_a_phone(sign_in, rf, ops, rows, part):
    request = rf.get("/admin/")
    request.user = ops
    page = sign_in(WIDE, dark=False)
    assert look_at(page, WIDE, [*others(part), *addresses(request, PARTS[part])]) == ""


@pytest.mark.parametrize("part", PARTS)
def test_the_pages_of_every_day_have_no_serious_fault_on_a_phone_in_the_dark(sign_in, rf, ops, rows, part):
    request = rf.get("/admin/")
    request.user = ops
    seldom = re.compile(r"/(history|delete|password)/|/(axes|waffle|preferences)/")
    wanted = [one for one in (*others(part), *addresses(request, PARTS[part])) if not seldom.search(one)]
    page = sign_in(NARROW, dark=True)
    assert look_at(page, NARROW, wanted, None if IS_LONG else OF_THE_LOOK) == ""


def test_the_pages_that_forms_lead_to_have_no_serious_fault(sign_in, rows):
    page, found = sign_in(WIDE, dark=False), []
    page.goto(reverse("admin:catalog_aimodel_changelist"))
    page.check("[name=_selected_action] >> nth=0")
    page.select_option("[name=action]", "deactivate")
    page.click("[name=index]")
    page.wait_for_selector(".loss")
    found += complaints(page)
    page.goto(reverse("admin:providers_providermodel_bulk"))
    page.check("[name=what][value=disable]")
    page.click("[name=preview]")
    page.wait_for_selector("[name=apply]")
    found += complaints(page)
    page.goto(reverse("admin:providers_syncrun_change", args=[SyncRun.objects.order_by("pk").last().pk]))
    page.click("[name=accept_all]")
    page.wait_for_selector("[name=confirmed]", state="attached")
    assert [*found, *complaints(page)] == []
