"""A form of the admin that makes something makes it once, however often it is sent: catalog/admin/once.py."""

import contextlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apikeys.models import ApiKey
from catalog.admin.once import MadeOnce
from catalog.editing import once
from catalog.models import AccessGrant, AIModel, SentForm, Tag
from tests.admin_forms import fields_of

pytestmark = pytest.mark.django_db


def _key_of(alice):
    """A key that works, made where it is asked for first."""
    row = {"user": alice, "name": "k", "hint": "h", "secret_hash": "x", "pepper_id": "p"}
    return ApiKey.objects.get_or_create(key_id="exported", defaults=row)[0]


# What a person types into the form of each model that can be made in the admin.
TYPED: dict[str, Any] = {
    "apikeys.apikey": lambda alice: {"user": alice.pk, "name": "k"},
    "apikeys.exporttoken": lambda alice: {"key": _key_of(alice).pk, "name": "aider"},
    "auth.group": lambda alice: {"name": "research"},
    "auth.user": lambda alice: {
        "username": "newcomer", "password1": "a long password 7", "password2": "a long password 7",
    },
    "catalog.accessgrant": lambda alice: {"model": "acme/m", "principal_type": "user", "user": alice.pk},
    "catalog.aimodel": lambda alice: {"model_id": "acme/new", "name": "New"},
    "catalog.custommodel": lambda alice: {
        "model_id": "preset", "name": "Preset", "owner": alice.pk, "base_model": AIModel.objects.get().pk,
    },
    "catalog.tag": lambda alice: {"name": "fast"},
    "preferences.defaultmodel": lambda alice: {"model": AIModel.objects.get().pk},
    "providers.provider": lambda alice: {"slug": "new", "name": "New", "kind": "openai", "precedence": 9},
    "waffle.flag": lambda alice: {"name": "beta"},
}  # fmt: skip


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def open_form(staff, alice, make_model):
    """`open_form(Tag)`: the address of the form for a new one, and the form as a browser would send it, filled in."""
    make_model("acme/m", restricted=True)

    def open_(model):
        label = model._meta.label_lower
        address = reverse(f"admin:{label.replace('.', '_')}_add")
        page = staff.get(address).content.decode()
        return address, {**fields_of(page, f"{model._meta.model_name}_form"), **TYPED[label](alice), "_save": "Save"}

    return open_


def makers(request):
    return {
        model._meta.label_lower: model
        for model, its_admin in admin.site._registry.items()
        if its_admin.has_add_permission(request)
    }


def test_every_form_that_makes_something_is_known_here(rf, ops):
    request = rf.get("/")
    request.user = ops
    assert sorted(makers(request)) == sorted(TYPED)


@pytest.mark.parametrize("label", sorted(TYPED))
def test_a_form_sent_twice_makes_one_and_leads_to_it(staff, open_form, label):
    model = next(model for model in admin.site._registry if model._meta.label_lower == label)
    before = set(model._default_manager.values_list("pk", flat=True))
    address, form = open_form(model)
    first = staff.post(address, form)
    assert first.status_code in (200, 302)
    made = set(model._default_manager.values_list("pk", flat=True)) - before
    assert len(made) == 1, first.context and first.context["adminform"].form.errors
    again = staff.post(address, form)
    assert set(model._default_manager.values_list("pk", flat=True)) - before == made
    assert again["Location"] == reverse(f"admin:{label.replace('.', '_')}_change", args=made)
    assert "This form was sent before" in staff.get(again["Location"]).content.decode()


def test_loading_the_page_with_a_secret_again_makes_no_key_and_shows_no_secret(staff, open_form):
    address, form = open_form(ApiKey)
    (secret,) = set(re.findall(r"mdx_[0-9A-Za-z]{61}", staff.post(address, form).content.decode()))
    again = staff.post(address, form, follow=True)
    assert again.status_code == 200
    assert "mdx_" + secret[4:] not in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_two_forms_of_the_same_content_make_two(staff, open_form):
    for _ in range(2):
        address, form = open_form(ApiKey)
        staff.post(address, form)
    assert ApiKey.objects.count() == 2


def test_a_form_that_was_refused_may_be_sent_again_once_it_is_right(staff, open_form):
    address, form = open_form(Tag)
    refused = staff.post(address, {**form, "name": ""}).content.decode()
    again = fields_of(refused, "tag_form")
    assert again["_once"] == form["_once"]
    assert staff.post(address, {**again, "name": "fast"}).status_code == 302
    assert Tag.objects.count() == 1


def test_a_grant_whose_narrowing_was_shown_and_not_confirmed_is_not_taken_for_sent(staff, open_form):
    AIModel.objects.update(restricted=False)
    address, form = open_form(AccessGrant)
    page = staff.post(address, form)
    assert (AccessGrant.objects.count(), SentForm.objects.count()) == (0, 0)
    sent = {**dict(page.context["fields"]), "_narrow": "1", "_seal": page.context["seal"]}
    for _ in range(2):
        assert staff.post(address, sent).status_code == 302
    assert AccessGrant.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_arrive_at_once_one_makes_a_key_and_the_other_leads_to_it(staff, open_form, monkeypatch):
    address, form = open_form(ApiKey)
    both_wrote, note = threading.Barrier(2), MadeOnce.log_addition

    def log_addition(self, request, obj, message):
        """Neither is noted before both have written; where writers wait for one another, the second never comes."""
        with contextlib.suppress(threading.BrokenBarrierError):
            both_wrote.wait(0.3)
        note(self, request, obj, message)

    monkeypatch.setattr(MadeOnce, "log_addition", log_addition)

    def send(_):
        client = Client()
        client.cookies = staff.cookies
        try:
            return client.post(address, form).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, range(2))) == [200, 302]
    assert (ApiKey.objects.count(), SentForm.objects.count()) == (1, 1)


def test_what_was_sent_long_ago_is_forgotten(staff, open_form):
    address, form = open_form(Tag)
    staff.post(address, form)
    SentForm.objects.update(at=timezone.now() - once.REMEMBERED - timedelta(days=1))
    address, form = open_form(Tag)
    staff.post(address, {**form, "name": "slow"})
    assert list(SentForm.objects.values_list("told", flat=True)) == ["slow"]


def test_another_persons_word_leads_nowhere(staff, client, open_form, make_user):
    address, form = open_form(Tag)
    staff.post(address, form)
    other = make_user("sam", is_staff=True, is_superuser=True)
    client.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(address, {**form, "name": "slow"}).status_code == 302
    assert Tag.objects.count() == 2
