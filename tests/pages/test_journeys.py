"""What people come to the pages for, from the first key to the last, in a real browser and without a mouse.

Each journey is walked in one look, and all six looks occur; with LONG_TESTS=1 each is walked in all six.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from playwright.sync_api import Page, expect

from apikeys.models import ApiKey, ExportToken
from catalog.editing.history import Author, change_row
from catalog.models import AIModel, FieldChange
from preferences.models import ModelPreference, Profile
from tests.browser import LOOKS, choose, look, press, tab_to, type_in
from tests.pages.conftest import LONG
from tests.servers import Server
from tests.worlds import IS_LONG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ENTRY = "{http://www.w3.org/2005/Atom}entry"
# What moves under a reader who did nothing, and a hand at the mouse.
WATCH = """
new PerformanceObserver(list => {
    for (const entry of list.getEntries())
        if (!entry.hadRecentInput) jumped(entry.value, entry.sources.map(one => one.node?.outerHTML?.slice(0, 120)));
}).observe({type: "layout-shift", buffered: true});
addEventListener("pointerdown", () => console.error("A journey used the mouse."), true);
"""
_turns = cycle(LOOKS)


def journey(walked: Callable[..., None]) -> Any:
    """A test that is a function of the window's size and of whether it is dark."""
    looks = LOOKS if IS_LONG else [next(_turns)]
    ids = [f"{size[0]}-{'dark' if dark else 'light'}" for size, dark in looks]
    return pytest.mark.parametrize(("size", "dark"), looks, ids=ids)(walked)


@pytest.fixture
def walk(sign_in: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """`walk(alice, "/models", size, dark)`: that page, where a journey begins. Nothing may jump until its end."""
    jumps: list[tuple[float, list[str]]] = []

    def begin(user: Any, path: str, size: tuple[int, int], dark: bool, **options: Any) -> Page:
        page = sign_in(user, "/healthz", size, dark, **options)
        page.expose_function("jumped", lambda value, nodes: jumps.append((value, nodes)))
        page.add_init_script(WATCH)
        page.goto(path)
        return page

    yield begin
    assert sum(value for value, _ in jumps) < 0.02, jumps


def seen(size: tuple[int, int], dark: bool) -> list[Any]:
    """The looks of a page on the way: where each journey is walked in all of them, its own."""
    return [(size, dark)] if IS_LONG else LOOKS


def entries(feed: bytes) -> int:
    return len(ElementTree.fromstring(feed).findall(ENTRY))  # noqa: S314 -- Our own server wrote it.


def go(page: Page, selector: str) -> None:
    """Presses what leads to another page, and waits for that."""
    with page.expect_navigation():
        press(page, selector)


def follow(page: Page, text: str) -> None:
    """A link of the header."""
    go(page, f"nav[aria-label=Site] a >> text={text}")


def unfold(page: Page, selector: str) -> None:
    """What is folded in a narrow window, and open in a wide one."""
    if page.locator(f"{selector} > summary").is_visible() and not page.locator(selector).get_attribute("open"):
        press(page, f"{selector} > summary")


@journey
def test_a_model_is_found_by_three_filters_and_its_id_is_copied(walk, alice, world, size, dark):
    page = walk(alice, "/models", size, dark, permissions=["clipboard-read", "clipboard-write"])
    rows = page.locator(".models tbody tr")
    page.keyboard.press("/")
    page.keyboard.type("larg")
    expect(rows).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/models\?q=larg$"))
    expect(page.locator("#count")).to_have_text("3 models found")
    expect(page.locator("#search")).to_be_focused()
    unfold(page, "#filters")
    choose(page, "#by-author", "acme")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/models\?q=larg&author=acme$"))
    go(page, "text=Clear all")
    expect(rows).to_have_count(5)
    expect(page.locator("#search")).to_have_value("")
    unfold(page, "#filters")
    press(page, "#can-tools", "Space")
    expect(page.locator(".chips li")).to_have_count(2)
    choose(page, "#by-author", "acme")
    choose(page, "#by-min_context", "128000")
    expect(page.locator(".chips li")).to_have_count(4)
    expect(rows).to_have_count(1)
    press(page, "[aria-label='Copy acme/large']")
    expect(page.locator("[aria-label='Copy acme/large']")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "acme/large"


@journey
def test_a_model_is_switched_off_and_on_and_a_switch_is_undone(walk, alice, world, size, dark):
    page = walk(alice, "/models?q=large", size, dark)
    switch = page.locator("[id='switch-acme/large']")

    def is_on() -> bool:
        return ModelPreference.objects.get(user=alice, model__model_id="acme/large").is_enabled

    press(page, "[id='switch-acme/large']")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    expect(page).to_have_url(re.compile(r"/models\?q=large$"))
    assert not is_on()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    assert is_on()
    go(page, ".models tbody th > a[href$='acme/large']")
    go(page, "text=Switch it off for me")
    expect(page.locator(".verdict")).to_contain_text("You may use it once you switch it on")
    assert not is_on()
    follow(page, "My models")
    go(page, "[aria-label='Switch Large on']")
    expect(page.locator("[aria-labelledby=off]")).to_contain_text("Nothing.")
    assert is_on()


@journey
def test_a_model_is_made_the_default(walk, alice, world, size, dark):
    page = walk(alice, "/models/acme/large", size, dark)
    go(page, "text=Make it my default")
    expect(page.locator(".verdict")).to_contain_text("You may use it, and it is your default model.")
    follow(page, "My models")
    expect(page.locator("[aria-labelledby=default]")).to_contain_text("Large acme/large, because you chose it")
    assert Profile.objects.get(user=alice).default_model.model_id == "acme/large"


@journey
def test_three_are_compared_and_the_cost_of_a_thousand_calls_is_read(walk, alice, world, make_model, size, dark):
    prices = {"pricing": {"prompt": "0.000001", "completion": "0.000002"}, "prompt_price": 1.0}
    make_model("acme/medium", name="Medium", **prices)
    page = walk(alice, "/models", size, dark)
    press(page, "[aria-label='Compare Large']", "Space")
    # What is picked outlasts another search.
    page.keyboard.press("/")
    page.keyboard.type("medium")
    expect(page.locator(".models tbody tr")).to_have_count(1)
    press(page, "[aria-label='Compare Medium']", "Space")
    expect(page.locator(".compare-box span")).to_have_text("Large, Medium")
    page.keyboard.press("/")
    page.keyboard.type("small")
    expect(page.locator("[aria-label='Compare Small']")).to_be_visible()
    press(page, "[aria-label='Compare Small']", "Space")
    go(page, "text=Compare them")
    expect(page.locator(".compared thead a:not(.remove)")).to_have_text(["Large", "Medium", "Small"])
    expect(page.locator("[name=calls]")).to_have_value("1000")
    expect(page.locator(".compared .cost td")).to_have_text(["$7.50 dearest", "$2.00 cheapest", "–unknown"])
    type_in(page, "[name=calls]", "2000")
    page.keyboard.press("Enter")
    expect(page.locator(".compared .cost td").first).to_contain_text("$15.00")


@journey
def test_a_key_is_made_used_rotated_and_revoked(walk, server: Server, alice, world, size, dark):
    def call(token: str) -> tuple[int, list[str]]:
        answer = server.request("GET", "/v1/models", Authorization=f"Bearer {token}")
        return answer.status, [model["id"] for model in orjson.loads(answer.body).get("data", [])]

    page = walk(alice, "/models", size, dark)
    follow(page, "Keys")
    go(page, "text=New key")
    type_in(page, "#name", "editor")
    tab_to(page, "[name=mode]")
    while page.input_value("[name=mode]:checked") != "allow_list":
        page.keyboard.press("ArrowDown")
    type_in(page, "#patterns", "acme/s*\nacme/none")
    expect(page.locator("#reach")).to_contain_text(
        "Allows 2 of the 6 models that you see now. Matches nothing: acme/none."
    )
    page.keyboard.press("Control+a")
    page.keyboard.type("acme/s*")
    # What is ticked is counted with it, and outlasts another search.
    type_in(page, "#find-model", "large")
    press(page, "[id='pick-acme/large']", "Space")
    expect(page.locator("#reach")).to_contain_text("Allows 3 of the 6 models")
    type_in(page, "#find-model", "small")
    expect(page.locator("[id='pick-acme/small']")).to_be_visible()
    press(page, "[id='pick-acme/large']", "Space")
    expect(page.locator("#reach")).to_contain_text("Allows 2 of the 6 models")
    expect(page.locator("[id='pick-acme/large']")).to_be_focused()
    go(page, "text=Make the key")
    token = page.inner_text("code.secret")
    assert token.startswith("mdx_")
    assert call(token) == (200, ["acme/small", "acme/small:free"])
    look(page, "key-once", seen(size, dark))
    page.reload()
    expect(page.locator(".messages")).to_contain_text("Nothing was made again")
    assert token not in page.content()
    assert ApiKey.objects.filter(name="editor").count() == 1
    go(page, "[aria-label='Rotate or revoke editor']")
    look(page, "key", seen(size, dark))
    choose(page, "#overlap", "0")
    go(page, "button[name=rotate]")
    expect(page.locator("code.secret")).not_to_have_text(token)
    renewed = page.inner_text("code.secret")
    assert (call(token)[0], call(renewed)[0]) == (401, 200)
    go(page, "text=I have copied it")
    go(page, "[aria-label='Rotate or revoke editor']")
    press(page, "[name=sure]", "Space")
    go(page, "text=Revoke for ever")
    expect(page.locator(".messages")).to_have_text("Revoked: editor.")
    assert call(renewed)[0] == 401


@journey
def test_a_custom_model_is_built_shared_and_changed_by_two_at_once(walk, alice, bob, world, size, dark):
    page = walk(alice, "/me/models", size, dark, refused=409)
    go(page, "text=New custom model")
    for selector, text in {"#id": "writer", "#name": "Writer", "#find-model": "large"}.items():
        type_in(page, selector, text)
    press(page, "[id='pick-acme/large']", "Space")
    type_in(page, "#people", "bob")
    go(page, "text=Who will see it?")
    expect(page.locator("[role=status]")).to_contain_text("1 other will see it.")
    look(page, "editor-preview", seen(size, dark))
    go(page, ".asked > button")
    expect(page.locator(".messages")).to_have_text("Saved: Writer.")
    look(page, "mine-saved", seen(size, dark))
    writer = AIModel.objects.get(model_id="writer")
    assert writer.grants.get().user == bob
    # The form lets people read; an API call of the owner's lets them write.
    writer.grants.update(permission="write")
    other = walk(bob, "/me/models", size, dark)
    go(page, "[aria-label='Change Writer']")
    go(other, "[aria-label='Change Writer']")
    type_in(other, "#name", "Writer of Bob")
    go(other, ".asked > button")
    expect(other.locator(".messages")).to_have_text("Saved: Writer of Bob.")
    type_in(page, "#name", "Writer of Alice")
    go(page, ".asked > button")
    expect(page.locator("[role=alert]")).to_contain_text("Somebody changed it while you were editing.")
    expect(page.locator("[role=alert] :is(tbody th, td)")).to_have_text(["Name", "Writer of Bob", "Writer of Alice"])
    expect(page.locator("#name")).to_have_value("Writer of Alice")
    look(page, "editor-lost", seen(size, dark))
    go(page, ".asked > button")
    expect(page.locator(".messages")).to_have_text("Saved: Writer of Alice.")


@journey
def test_what_changed_for_me_is_read_and_followed_as_a_feed(walk, server: Server, alice, world, size, dark):
    large, other = AIModel.objects.get(model_id="acme/large"), AIModel.objects.get(model_id=LONG)
    for model in (large, other):
        before = {"prompt": "0.000002", "completion": "0.00001"}
        row = change_row(Author.sync(7, "openrouter"), model.model_id, "pricing", before, large.pricing, model=model)
        FieldChange.objects.bulk_create([row])
    ModelPreference.objects.create(user=alice, model=large, is_enabled=True)
    page = walk(alice, "/models", size, dark)
    follow(page, "What changed")
    expect(page.locator(".changes li")).to_have_count(2)
    go(page, "text=Only what I use")
    expect(page.locator(".changes li")).to_have_text(
        ["acme/large dearer Input per million: $2.50, it was $2.00 (+25 %)."]
    )
    look(page, "changes-mine", seen(size, dark))
    tab_to(page, "main a >> text=Feed")
    feed = page.request.get(page.evaluate("document.activeElement.href"))
    assert entries(feed.body()) == 1
    # A reader of feeds has no session: it gets an address of its own.
    go(page, "main a >> text=one of your keys")
    go(page, "[aria-label='Rotate or revoke notebook']")
    go(page, "text=Exports for tools that send no key")
    look(page, "exports-none", seen(size, dark))
    type_in(page, "#name", "news")
    go(page, "text=Make it")
    address = page.inner_text("code.secret")
    press(page, "summary >> text=LiteLLM")
    expect(page.locator("details[open] code")).to_contain_text(f"LITELLM_MODEL_COST_MAP_URL={address}/")
    press(page, "summary >> text=LiteLLM")
    press(page, "summary >> text=Feed readers")
    followed = page.inner_text("details[open] code")
    look(page, "export-once", seen(size, dark))
    feed = server.request("GET", followed.removeprefix(server.url))
    assert entries(feed.body) == 1
    go(page, "text=I have copied it")
    look(page, "exports", seen(size, dark))
    go(page, "[aria-label='Revoke news']")
    expect(page.locator(".messages")).to_contain_text("Revoked: news.")
    assert not ExportToken.objects.unrevoked().exists()
    feed = server.request("GET", followed.removeprefix(server.url))
    assert entries(feed.body) == 0


@journey
def test_it_is_told_why_a_model_is_not_there(walk, alice, bob, world, make_model, size, dark):
    make_model("acme/retired", name="Retired", is_available=False)
    make_model("acme/secret", granted_to=bob)
    page = walk(alice, "/models", size, dark, refused=404)
    page.keyboard.press("/")
    page.keyboard.type("retired")
    expect(page.locator(".empty")).to_contain_text("No model fits all of this.")
    look(page, "nothing-fits", seen(size, dark))
    go(page, ".empty a >> text=Show also what nobody offers now")
    expect(page.locator(".models tbody th")).to_contain_text("not offered now")
    go(page, ".models tbody th > a")
    expect(page.locator(".verdict")).to_contain_text("no provider offers it now")
    expect(page.locator(".verdict")).to_contain_text("ask your staff")
    look(page, "not-offered", seen(size, dark))
    follow(page, "Compare")
    type_in(page, "#find-model", "acme/secret")
    expect(page.locator("#picks")).to_have_text("No model that you see has these words.")
    page.keyboard.press("Enter")
    expect(page.locator("#picks")).to_have_text("No model that you see has these words.")
    page.goto("/compare?id=acme/secret")
    expect(page.locator("[role=alert]")).to_have_text("There is no such model, or you may not see it: acme/secret")
    for name in ("secret", "unknown"):
        page.goto(f"/models/acme/{name}")
        expect(page.locator(".lead")).to_have_text(
            "There is no model with this id, or you may not see it. Ask your staff."
        )
    look(page, "not-there", seen(size, dark))
