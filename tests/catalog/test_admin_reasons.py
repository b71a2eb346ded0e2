"""A reason with an edit, in the log and in the history: catalog/admin/audited.py and the manager of FieldChange."""

import pytest

from catalog.models import AuditEntry, FieldChange
from providers.models import Provider, ProviderModel
from tests.admin_forms import fields_of
from tests.catalog.test_admin_log import acts, told

pytestmark = pytest.mark.django_db
WHY = "The card of its maker says 4096."


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def save(staff, page, form_id, **fields):
    form = fields_of(staff.get(page).content.decode(), form_id)
    return staff.post(page, {**form, "_reason": WHY, "_save": "Save", **fields})


def test_the_reason_of_an_edit_is_in_the_log_and_in_the_history_of_the_entry_alone(staff, api, make_model):
    model = make_model("acme/x", name="X", context_length=8192)
    page = f"/admin/catalog/aimodel/{model.pk}"
    assert save(staff, f"{page}/change/", "aimodel_form", context_length="4096").status_code == 302
    (act,) = acts(staff, kind="person")
    assert (told(act)[0], act.reason, act.more) == ("ops changed 1 field of acme/x", WHY, 0)
    assert told(act)[1] == ["acme/x context length: 8,192 to 4,096"]
    assert f"Reason: <q>{WHY}</q>" in staff.get(f"{page}/history/").content.decode()
    assert "card of its maker" not in api.get("/api/changes").content.decode()


def test_an_edit_of_nothing_or_without_a_reason_leaves_none(staff, make_model):
    page = f"/admin/catalog/aimodel/{make_model('acme/x', name='X').pk}/change/"
    save(staff, page, "aimodel_form")
    save(staff, page, "aimodel_form", hidden="on", _reason=" \x00")
    assert not FieldChange.objects.filter(field="reason").exists()


def test_a_reason_beside_the_confirmation_of_many_is_kept_with_each(staff, make_model):
    models = [make_model(f"acme/{name}") for name in "abc"]
    form = {"action": "tag", "_selected_action": [m.pk for m in models], "_asked": "1", "tags": "fast"}
    preview = staff.post("/admin/catalog/aimodel/", form)
    assert 'name="_reason"' in preview.content.decode()
    staff.post("/admin/catalog/aimodel/", {**form, "_confirmed": preview.context["preview"].seal, "_reason": WHY})
    assert {row.subject: row.new for row in FieldChange.objects.filter(field="reason")} == dict.fromkeys(
        ("acme/a", "acme/b", "acme/c"), WHY
    )
    (act,) = acts(staff, kind="person")
    assert (act.told, act.reason, len(act.lines)) == ("changed 3 fields of 3 models", WHY, 3)


def test_a_switch_of_many_offers_and_an_edit_beside_models_have_their_reasons(staff, alice):
    provider = Provider.objects.create(slug="p", name="P", kind="openai")
    ProviderModel.objects.create(provider=provider, upstream_id="x", listing="l")
    form = {"what": "disable", "pasted": ""}
    seal = staff.post("/admin/providers/providermodel/bulk", {**form, "preview": "1"}).context["seal"]
    sent = {**form, "apply": "1", "_seal": seal, "_reason": WHY}
    assert staff.post("/admin/providers/providermodel/bulk", sent).status_code == 302
    assert save(staff, f"/admin/auth/user/{alice.pk}/change/", "user_form", first_name="Al").status_code == 302
    assert [entry.changes["reason"] for entry in AuditEntry.objects.all()] == [[None, WHY]] * 2
    assert {act.reason for act in acts(staff)} == {WHY}
