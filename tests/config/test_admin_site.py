"""config/admin_site.py: no list of the admin answers questions about a secret, or searches for thousands of words."""

import pytest
from django.contrib import admin
from django.db.models import Field
from django.urls import reverse

from config.admin_site import _is_secret

pytestmark = pytest.mark.django_db


def secret_paths(model, depth=2):
    """Each way from the model to a field that holds a secret, across relations in both directions."""
    for field in model._meta.get_fields():
        if field.is_relation and field.related_model and depth:
            yield from (f"{field.name}__{rest}" for rest in secret_paths(field.related_model, depth - 1))
        elif isinstance(field, Field) and _is_secret(field.name):
            yield field.name


PATHS = [(model, path) for model in admin.site._registry for path in secret_paths(model)]


def test_the_fields_that_hold_secrets_are_known():
    ends = {path.rpartition("__")[2] for _, path in PATHS}
    assert ends >= {"password", "credential", "credential_hint", "secret_hash", "previous_hash", "hint"}
    assert len({model for model, _ in PATHS}) > 5


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_no_list_is_filtered_by_a_secret_its_hash_or_its_hint(client, ops, model):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert client.get(address).status_code == 200
    shown = admin.site._registry[model]
    for path in [path for found, path in PATHS if found is model]:
        for lookup in (path, f"{path}__startswith", f"{path}__regex", f"{path}__in"):
            assert not shown.lookup_allowed(lookup, "x", None), lookup
    for path in (
        "hint__startswith",
        "secret_hash__startswith",
        "credential__startswith",
        "password__startswith",
        "user__password__gt",
    ):
        assert client.get(address, {path: "a"}).status_code in (400, 302), path


@pytest.mark.parametrize(("words", "status"), [(20, 200), (21, 400), (3000, 400)])
def test_a_search_has_at_most_20_words(client, ops, words, status):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    searched = [model for model, shown in admin.site._registry.items() if shown.search_fields]
    for model in searched:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(address, {"q": " a" * words}).status_code == status, address
    picker = {"app_label": "catalog", "model_name": "accessgrant", "field_name": "user"}
    assert client.get(reverse("admin:autocomplete"), picker | {"term": " a" * words}).status_code == status
    assert len(searched) > 5


def test_a_refused_filter_is_a_line_of_the_log_without_a_traceback(client, ops, caplog):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:catalog_aimodel_changelist")
    assert client.get(address, {"owner__password__startswith": "a"}).status_code == 400
    assert [(line.levelname, line.exc_info) for line in caplog.records if line.levelname != "INFO"] == [
        ("WARNING", None)
    ]
