"""catalog/admin/sign_ins.py: who signed in is read, not written, and who is locked out is let in again."""

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.urls import reverse

from catalog.models import AuditEntry
from tests.catalog.test_admin_permissions import permit

pytestmark = pytest.mark.django_db
LIST = "/admin/axes/accessattempt/"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def attempt(db):
    return AccessAttempt.objects.create(
        username="bob",
        ip_address="10.0.0.1",
        user_agent="Firefox",
        path_info="/accounts/login/",
        failures_since_start=10,
    )


@pytest.mark.parametrize("model", [AccessAttempt, AccessFailureLog, AccessLog])
def test_nobody_adds_changes_or_deletes_what_happened(rf, ops, model):
    shown, request = admin.site._registry[model], rf.get("/")
    request.user = ops
    assert shown.has_view_permission(request)
    assert not any(getattr(shown, f"has_{verb}_permission")(request) for verb in ("add", "change", "delete"))


def test_who_is_locked_out_is_told_and_unlocked_and_that_is_logged(staff, attempt, settings):
    page = staff.get(LIST).content.decode()
    until = attempt.attempt_time + settings.AXES_COOLOFF_TIME
    assert f"locked out until {until:%H:%M}" in page
    assert "Access attempt" not in page
    staff.post(LIST, {"action": "unlock", "_selected_action": [attempt.pk]})
    assert not AccessAttempt.objects.exists()
    assert AuditEntry.objects.get().done == "unlocked"
    assert "unlocked <strong>bob from 10.0.0.1" in staff.get("/admin/log/?kind=accessattempt").content.decode()


def test_one_who_may_only_read_unlocks_nobody(client, make_user, attempt):
    reader = make_user("reader", is_staff=True)
    permit(reader, "view_accessattempt")
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    assert "bob" in client.get(LIST).content.decode()
    client.post(LIST, {"action": "unlock", "_selected_action": [attempt.pk]})
    assert AccessAttempt.objects.get() == attempt


def test_the_record_of_a_sign_in_is_worded_for_people(staff, attempt):
    page = staff.get(reverse("admin:axes_accessattempt_change", args=[attempt.pk])).content.decode()
    assert "<title>bob from 10.0.0.1, " in page
    assert all(f"{label}:" in page for label in ("User name", "Address", "Browser", "Wrong passwords", "State"))
    assert 'name="_save"' not in page
