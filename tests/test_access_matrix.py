"""Who may call what: every route and method of the URL conf, by every kind of caller.

A new route needs rows in ROWS, or a test fails; those of the dialects follow from their registry. A row is one request;
its statuses stand in the order of CALLERS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from apikeys import tokens
from apikeys.models import ExportToken
from catalog.dialects import registry
from catalog.models import ModelImage
from tests.export_tokens import export_token

pytestmark = pytest.mark.django_db

CALLERS = ("anonymous", "user", "key", "restricted", "expired", "inactive", "staff", "superuser")

# restricted: a key that may name acme/small alone; inactive: the key of a user who was deactivated; staff: without any
# permission. The user, whose keys the first two are, owns the custom model `mine` and the key KEY_ID.
EVERYBODY = (200, 200, 200, 200, 401, 401, 200, 200)
SIGNED_IN = (401, 200, 200, 200, 401, 401, 200, 200)
MADE_IN_SESSION = (401, 201, 403, 403, 401, 401, 201, 201)
# By id: what the restricted key may not name, and what nobody was granted, are not there.
OPEN_MODEL = (200, 200, 200, 404, 401, 401, 200, 200)
NOBODYS = (404, 404, 404, 404, 401, 401, 404, 404)
SIGNED_IN_OPEN = (401, 200, 200, 404, 401, 401, 200, 200)
SIGNED_IN_NOBODYS = (401, 404, 404, 404, 401, 401, 404, 404)
# Staff who may see nothing in the admin learn nothing here.
EXPLAINED_TO_STAFF = (401, 404, 404, 404, 401, 401, 404, 200)
OWN = (401, 200, 200, 404, 401, 401, 404, 404)
OWNERS_SESSION = (401, 200, 403, 403, 401, 401, 404, 404)
GONE_IN_SESSION = (401, 204, 403, 403, 401, 401, 404, 404)
# Pages are for people who have signed in: a key opens none.
PAGE = (302, 200, 302, 302, 302, 302, 200, 200)
FORM_DONE = (302, 303, 302, 302, 302, 302, 303, 303)
FORM_REFUSED = (302, 400, 302, 302, 302, 302, 400, 400)
OWN_PAGE = (302, 200, 302, 302, 302, 302, 404, 404)
FORM_REFUSED_OWN = (302, 400, 302, 302, 302, 302, 404, 404)
# A form that was made of no state that there is.
OWN_FORM_STALE = (302, 409, 302, 302, 302, 302, 404, 404)
# Nothing is asked of those who only look whether we are there.
UNASKED = (200,) * 8


# A token of the key KEY_ID in the address is all that an export asks for.
EXPORTED, UNKNOWN = export_token(1), export_token(2)

KEY = "api/keys/<str:key_id>"
KEY_ID = "4Xq0sWm3TzBk"
CUSTOM = "api/models/custom/<str:model_id>"
FEED = "export/<str:token>/changes.atom"
SWITCH = {"model_id": "acme/large", "is_enabled": False}
SECRET_SWITCH = {"model_id": "acme/secret", "is_enabled": True}
NEW_CUSTOM = {"id": "mine-too", "name": "New", "base_model_id": "acme/large"}

Row = tuple[str, str, str, Any, tuple[int, ...]]
# (method, route, path or "" where it is the route, body, statuses)
ROWS: tuple[Row, ...] = (
    ("GET", "", "", None, UNASKED),
    ("GET", "healthz", "", None, UNASKED),
    ("GET", "readyz", "", None, UNASKED),
    # Only for METRICS_TOKEN, which is none of these.
    ("GET", "metrics", "", None, (404,) * 8),
    ("GET", "api/schema", "", None, EVERYBODY),
    ("GET", "api/docs", "", None, EVERYBODY),
    ("GET", "api/redoc", "", None, EVERYBODY),
    ("GET", "accounts/login", "", None, (200, 302, 200, 200, 200, 200, 302, 302)),
    ("POST", "accounts/login", "", None, (200, 302, 200, 200, 200, 200, 302, 302)),
    ("GET", "accounts/password", "", None, PAGE),
    ("POST", "accounts/password", "", None, PAGE),
    # Only where single sign-on, or a server that takes mail, is configured.
    ("GET", "accounts/sso", "", None, (404,) * 8),
    ("GET", "accounts/sso/callback", "", None, (404,) * 8),
    ("GET", "accounts/password/reset", "", None, (404,) * 8),
    ("POST", "accounts/password/reset", "", None, (404,) * 8),
    ("GET", "accounts/password/reset/<uidb64>/<token>", "accounts/password/reset/MQ/x", None, (404,) * 8),
    ("POST", "accounts/password/reset/<uidb64>/<token>", "accounts/password/reset/MQ/x", None, (404,) * 8),
    ("GET", "models", "", None, UNASKED),
    ("GET", "models/<path:model_id>", "models/acme/large", None, UNASKED),
    ("GET", "models/<path:model_id>", "models/acme/secret", None, (404,) * 8),
    ("GET", "compare", "", None, UNASKED),
    ("GET", "changes", "", None, UNASKED),
    ("GET", "changes.atom", "", None, UNASKED),
    ("GET", "me/models", "", None, PAGE),
    ("POST", "me/models", "", None, FORM_DONE),
    ("GET", "me/models/new", "", None, PAGE),
    ("POST", "me/models/new", "", None, FORM_REFUSED),
    ("GET", "me/models/<str:model_id>", "me/models/mine", None, OWN_PAGE),
    ("POST", "me/models/<str:model_id>", "me/models/mine", None, FORM_REFUSED_OWN),
    ("GET", "me/settings", "", None, PAGE),
    ("POST", "me/settings", "", None, FORM_DONE),
    ("GET", "me/keys", "", None, PAGE),
    ("GET", "me/keys/new", "", None, PAGE),
    ("POST", "me/keys/new", "", None, FORM_REFUSED),
    ("GET", "me/keys/<str:key_id>", f"me/keys/{KEY_ID}", None, OWN_PAGE),
    ("POST", "me/keys/<str:key_id>", f"me/keys/{KEY_ID}", None, OWN_FORM_STALE),
    ("GET", "me/keys/<str:key_id>/exports", f"me/keys/{KEY_ID}/exports", None, OWN_PAGE),
    ("POST", "me/keys/<str:key_id>/exports", f"me/keys/{KEY_ID}/exports", None, FORM_REFUSED_OWN),
    ("POST", "accounts/logout", "", None, (302,) * 8),
    ("GET", "favicon.ico", "", None, (302,) * 8),
    ("GET", "api/models", "", None, EVERYBODY),
    ("PATCH", "api/models", "", SWITCH, SIGNED_IN_OPEN),
    ("PATCH", "api/models", "", SECRET_SWITCH, SIGNED_IN_NOBODYS),
    ("GET", "api/settings", "", None, SIGNED_IN),
    ("PATCH", "api/settings", "", {"theme": "dark"}, SIGNED_IN),
    ("GET", "api/models/list", "", None, SIGNED_IN),
    ("GET", "api/models/tags", "", None, EVERYBODY),
    ("GET", "api/changes", "", None, EVERYBODY),
    ("GET", "api/models/access", "api/models/access?model_id=acme/large", None, SIGNED_IN_OPEN),
    ("GET", "api/models/access", "api/models/access?model_id=acme/secret", None, EXPLAINED_TO_STAFF),
    ("GET", "api/models/<path:model_id>", "api/models/acme/large", None, OPEN_MODEL),
    ("GET", "api/models/<path:model_id>", "api/models/acme/secret", None, NOBODYS),
    ("POST", "api/models/custom", "", NEW_CUSTOM, MADE_IN_SESSION),
    ("GET", CUSTOM, "api/models/custom/mine", None, OWN),
    ("PATCH", CUSTOM, "api/models/custom/mine", {"name": "Mine"}, OWNERS_SESSION),
    ("DELETE", CUSTOM, "api/models/custom/mine", None, GONE_IN_SESSION),
    ("PUT", f"{CUSTOM}/access", "api/models/custom/mine/access", {"access_grants": []}, OWNERS_SESSION),
    ("GET", f"{CUSTOM}/image", "api/models/custom/mine/image", None, (404, 200, 200, 404, 401, 401, 404, 404)),
    ("GET", "api/models/openrouter", "", None, SIGNED_IN),
    ("GET", "api/models/openrouter/embeddings", "", None, SIGNED_IN),
    ("GET", "api/models/ollama", "", None, SIGNED_IN),
    ("GET", "api/models/openai", "", None, SIGNED_IN),
    ("GET", "v1/models/", "", None, SIGNED_IN),
    ("POST", "ollama/api/show", "", {"model": "acme/large"}, SIGNED_IN_OPEN),
    ("POST", "ollama/api/show", "", {"model": "acme/secret"}, SIGNED_IN_NOBODYS),
    ("GET", "api/keys", "", None, SIGNED_IN),
    ("POST", "api/keys", "", {"name": "new"}, MADE_IN_SESSION),
    ("GET", "api/keys/current", "", None, (401, 404, 200, 200, 401, 401, 404, 404)),
    ("GET", KEY, f"api/keys/{KEY_ID}", None, (401, 200, 404, 404, 401, 401, 404, 404)),
    ("PATCH", KEY, f"api/keys/{KEY_ID}", {"name": "other"}, OWNERS_SESSION),
    ("DELETE", KEY, f"api/keys/{KEY_ID}", None, GONE_IN_SESSION),
    ("POST", f"{KEY}/rotate", f"api/keys/{KEY_ID}/rotate", {}, OWNERS_SESSION),
    ("GET", f"{KEY}/exports", f"api/keys/{KEY_ID}/exports", None, (401, 200, 404, 404, 401, 401, 404, 404)),
    ("POST", f"{KEY}/exports", f"api/keys/{KEY_ID}/exports", {"name": "x"}, (401, 201, 403, 403, 401, 401, 404, 404)),
    ("DELETE", f"{KEY}/exports/<str:export_id>", f"api/keys/{KEY_ID}/exports/{EXPORTED.key_id}", None, GONE_IN_SESSION),
    ("GET", FEED, f"export/{EXPORTED.text}/changes.atom", None, UNASKED),
    ("GET", FEED, f"export/{UNKNOWN.text}/changes.atom", None, (404,) * 8),
)


def of_a_dialect(route: str) -> list[Row]:
    """What each route of a dialect owes: its list to who has signed in, a model to who sees it, an export to its token."""
    if "<str:token>" in route:
        path = route.replace("<str:provider>", "acme")
        given = ((EXPORTED, UNASKED), (UNKNOWN, (404,) * 8))
        return [("GET", route, path.replace("<str:token>", token.text), None, statuses) for token, statuses in given]
    if "<path:model_id>" in route:
        given = (("acme/large", SIGNED_IN_OPEN), ("acme/secret", SIGNED_IN_NOBODYS))
        return [("GET", route, route.replace("<path:model_id>", name), None, statuses) for name, statuses in given]
    return [("GET", route, "", None, SIGNED_IN)]


def table() -> list[Row]:
    """The rows, and what the registry's other routes owe."""
    named = {route for _, route, *_ in ROWS}
    of_registry = [str(route.pattern) for route in registry.routes]
    return [*ROWS, *(row for route in of_registry if route not in named for row in of_a_dialect(route))]


TABLE = table()


def routes(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each (method, route) of the URL conf, but the admin's own."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith("admin/"):
            continue
        if not isinstance(pattern, URLPattern):
            yield from routes(pattern, route)
            continue
        view: Any = pattern.callback
        cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
        names = getattr(view, "actions", None) or (
            [name for name in cls.http_method_names if hasattr(cls, name)] if cls else ["get"]
        )
        yield from ((name.upper(), route) for name in names if name not in ("head", "options"))


@pytest.fixture
def callers(api, alice, make_user, make_key, make_model) -> Callable[[str], Any]:
    """`callers("staff")`: a client that asks as them, in a world with something of each kind in it."""
    large = make_model("acme/large")
    make_model("acme/small")
    make_model("acme/secret", restricted=True)
    mine = make_model("mine", owner=alice, base_model=large)
    ModelImage.objects.create(model=mine, content_type="image/png", data=b"png", digest="0" * 64)
    key = make_key(alice, key_id=KEY_ID).key
    ExportToken.objects.create(
        key=key, export_id=EXPORTED.key_id, name="x", token_hash=EXPORTED.digest(tokens.newest_pepper())
    )
    gone = make_user("gone")
    keys = {
        "key": make_key(alice),
        "restricted": make_key(alice, allow=["acme/small"]),
        "expired": make_key(alice, expires_at=timezone.now() - timedelta(seconds=1)),
        "inactive": make_key(gone),
    }
    gone.is_active = False
    gone.save()
    sessions = {
        "user": alice,
        "staff": make_user("staff", is_staff=True),
        "superuser": make_user("root", is_staff=True, is_superuser=True),
    }

    def ask(caller: str) -> Any:
        if caller in sessions:
            return api.as_(sessions[caller])
        return api.with_key(keys[caller].token) if caller in keys else api

    return ask


def test_every_route_and_method_has_a_row():
    assert {(method, route) for method, route, *_ in TABLE} == set(routes())


@pytest.mark.parametrize(
    ("method", "route", "path", "body", "statuses"), TABLE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_caller_may_do_what_the_table_says_and_nothing_else(callers, method, route, path, body, statuses):
    found = {}
    for caller in CALLERS:
        # Each asks in the same world.
        with transaction.atomic():
            client = callers(caller)
            found[caller] = client.generic(method, f"/{path or route}", _json(body), "application/json").status_code
            transaction.set_rollback(True)
    assert found == dict(zip(CALLERS, statuses, strict=True))


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
@pytest.mark.parametrize("page", ["changelist", "add"])
def test_the_admin_is_for_staff_with_the_permission(callers, model, page):
    url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{'add/' if page == 'add' else ''}"
    found = {caller: callers(caller).get(url).status_code for caller in CALLERS if caller != "superuser"}
    assert found == dict.fromkeys(found, 302) | {"staff": 403}
    # Some have no page to add one by hand.
    assert callers("superuser").get(url).status_code in ((200,) if page == "changelist" else (200, 403))


def _json(body: Any) -> str:
    return "" if body is None else json.dumps(body)
