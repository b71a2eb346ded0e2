"""catalog/validation/moments.py, through the API, the command and the admin: when a key ends."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from apikeys.models import ApiKey

pytestmark = pytest.mark.django_db

END_OF_2098 = datetime(2098, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def ways(api, client, alice, ops):
    """way -> a function that makes a key with this expiry, or returns what is said of the field."""
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")

    def by_api(text):
        answer = api.as_(alice).post("/api/keys", {"name": "a key", "expires_at": text})
        return answer.json().get("errors", {}).get("expires_at")

    def by_command(text):
        try:
            call_command("create_api_key", "alice", "--expires", text)
        except CommandError as error:
            return str(error)

    def by_admin(text):
        sent = {"user": alice.pk, "name": "a key", "mode": "all", "patterns": "", "is_active": "on"}
        sent |= {"scopes": ["models:read"], "expires_at": text}
        answer = client.post(reverse("admin:apikeys_apikey_add"), sent)
        form = (answer.context or {}).get("adminform")
        return form.form.errors.get("expires_at") if form else None

    return {"api": by_api, "command": by_command, "admin": by_admin}


@pytest.mark.parametrize("way", ["api", "command", "admin"])
@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2098-12-31", END_OF_2098),
        ("2098-12-31T08:30", datetime(2098, 12, 31, 8, 30, tzinfo=UTC)),
        ("9999-12-31", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_bare_date_is_the_end_of_that_day(ways, way, text, end):
    assert ways[way](text) is None
    assert ApiKey.objects.get().expires_at == end


@pytest.mark.parametrize("way", ["api", "command", "admin"])
def test_a_key_may_end_today(ways, way):
    assert ways[way](f"{timezone.now():%Y-%m-%d}") is None
    assert ApiKey.objects.get().expires_at - timezone.now() < timedelta(days=1)


@pytest.mark.parametrize("way", ["api", "command", "admin"])
@pytest.mark.parametrize(
    "text",
    [
        "2098-W05",
        "\u0662\u0660\u0669\u0668-12-31",
        "2098-12-31T0\u0668:30",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
        "0001-01-01",
        "2020-01-01",
        "10000-01-01",
        "2098-02-30",
    ],
)
def test_a_moment_that_cannot_be_is_an_error_of_its_field(ways, way, text):
    assert ways[way](text)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("text", ["9999999d", "99999999d", "999999999999d", "d", "2098-12-31T25:00"])
def test_days_that_lead_beyond_every_calendar_are_an_error(ways, text):
    assert "--expires is ISO 8601" in ways["command"](text)
    assert not ApiKey.objects.exists()
