"""preferences/pages: the theme on every page, new models, the default model; and a new password."""

import pytest

from preferences.models import Profile

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/models", "/me/models", "/me/keys", "/me/settings", "/accounts/password"])
def test_a_theme_holds_on_every_page(visit, alice, theme, path):
    answer = visit(alice).post("/me/settings", {"theme": theme, "next": path})
    assert (answer.status_code, answer["Location"]) == (303, path)
    assert f'<html lang="en" data-theme="{theme}">'.encode() in visit(alice).get(path).content
    assert b"data-theme" not in visit().get("/models").content


def test_the_menu_changes_the_theme_and_nothing_else(visit, alice, make_model):
    make_model("acme/m")
    visit(alice).post("/me/settings", {"settings": "1", "theme": "light", "default_model": "acme/m"})
    visit(alice).post("/me/settings", {"theme": "dark"})
    profile = Profile.objects.get(user=alice)
    assert (profile.theme, profile.auto_enable_new_models, profile.default_model.model_id) == ("dark", False, "acme/m")


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"theme": "pink"}, "theme"), ({"theme": "dark", "settings": "1", "default_model": "no/such"}, "default_model")],
)
def test_a_mistake_is_named_at_its_field_and_nothing_is_saved(visit, alice, sent, field):
    page = visit(alice).post("/me/settings", sent)
    assert (page.status_code, list(page.context["mistakes"])) == (400, [field])
    assert not Profile.objects.filter(user=alice).exclude(theme="system").exists()


def test_a_default_is_searched_for_and_nothing_is_saved_before_it_is_picked(visit, alice, make_model):
    make_model("acme/m")
    make_model("acme/gone", is_available=False)
    typed = {"settings": "1", "theme": "dark", "default_model": ""}
    page = visit(alice).post("/me/settings", {**typed, "search": "1", "find": "acme"})
    assert [(pick.id, pick.is_picked) for pick in page.context["picks"]] == [("acme/m", False)]
    assert (page.context["auto"], page.context["chosen_theme"]) == (False, "dark")
    assert not Profile.objects.exclude(theme="system").exists()
    visit(alice).post("/me/settings", {**typed, "default_model": "acme/m", "find": "acme"})
    page = visit(alice).get("/me/settings")
    assert [(pick.id, pick.is_picked) for pick in page.context["picks"]] == [("acme/m", True)]


def test_an_empty_default_gives_the_choice_back(visit, alice, make_model):
    make_model("acme/m")
    for default in ("acme/m", ""):
        visit(alice).post("/me/settings", {"settings": "1", "theme": "system", "auto": "1", "default_model": default})
    assert Profile.objects.get(user=alice).default_model is None


def test_a_password_is_changed_and_this_browser_stays_signed_in(visit, alice):
    here, elsewhere = visit(alice), visit(alice)
    sent = {
        "old_password": "alice's long password",
        "new_password1": "a better one 7",
        "new_password2": "a better one 7",
    }
    assert here.post("/accounts/password", sent | {"old_password": "wrong"}).status_code == 200
    assert here.post("/accounts/password", sent)["Location"] == "/me/settings"
    assert here.get("/me/settings").status_code == 200
    assert elsewhere.get("/me/settings").status_code == 302


def test_the_header_has_admin_for_staff_alone(visit, alice, ops):
    assert b'href="/admin/"' not in visit(alice).get("/models").content
    assert b'href="/admin/"' in visit(ops).get("/models").content
