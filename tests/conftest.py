"""Fixtures that every test may use. Those of one app live in that app's folder."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.template.base import Template
from django.test import TransactionTestCase
from rest_framework.test import APIClient
from waffle import get_waffle_flag_model

from apikeys import exports, keys, usage
from apikeys.models import ApiKey
from apikeys.policy import KeyPolicy
from catalog import versions
from catalog.access.callers import GroupPrincipal
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, Tag
from config import urls  # noqa: F401  # loads the views and the admin's lists, which tests loop over

pytest_plugins = ["tests.canary", "tests.servers", "tests.browser", "tests.exchanges"]

# A server that a test starts reads the number from the hash itself, so it can check these passwords as they are.
PBKDF2PasswordHasher.iterations = 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`once`: what one run in `make test` is enough for, as the database makes no difference to it."""
    for item in items:
        fixtures: Any = getattr(item, "fixturenames", ())
        asks_it = item.get_closest_marker("django_db") or "django_db_setup" in fixtures or "db" in fixtures
        asks_it = asks_it or issubclass(getattr(item, "cls", None) or object, TransactionTestCase)
        if item.get_closest_marker("browser") or not (asks_it or item.get_closest_marker("skipif")):
            item.add_marker(pytest.mark.once)


def pytest_collection_finish() -> None:
    """What stands now stays to the end, so the collector need not walk it again and again: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


@pytest.fixture(scope="session", autouse=True)
def quick_forms(django_test_environment: None) -> None:
    """Django's test client copies the context of each template for `response.context`, of each input's too: 400 a page."""
    instrumented: Any = Template._render

    def render(self: Any, context: Any) -> Any:
        if self.name and (self.name.startswith("django/forms/") or "/widgets/" in self.name):
            return self.nodelist.render(context)
        return instrumented(self, context)

    Template._render = render


@pytest.fixture(scope="session", autouse=True)
def uncut_journal(django_test_environment: None) -> None:
    """Which test writes the entry at which the journal is cut is chance; it would be a statement too many in that one."""
    versions.CUT_EVERY = 2**62


# Their numbers are kept by processes, as those of the servers that tests start; migrations alone change them.
KEPT = ("django_content_type", "auth_permission")


@pytest.fixture(scope="session", autouse=True)
def quick_emptying(django_test_environment: None) -> None:
    """After a test with transactions of its own: Django would truncate all tables, and make what is KEPT anew."""

    def empty(self: Any) -> None:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        with transaction.atomic(), connection.cursor() as cursor:
            for table in {*tables}.difference(KEPT):
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own names

    TransactionTestCase._fixture_teardown = empty


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One database a worker: a file on SQLite, as the servers that tests start must be able to open it too."""
    for database in settings.DATABASES.values():
        test = database.setdefault("TEST", {})
        if database["ENGINE"].endswith("sqlite3"):
            test["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")
        else:
            test["NAME"] = f"test_modeldex_{_worker()}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Inside pytest-django's own: whatever a test left connected must not keep the database from being dropped."""
    yield
    if connection.vendor != "postgresql":
        return
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connections.close_all()


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> str:
    """The URL of this worker's test database, for the processes that a test starts."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    return f"postgresql://{database['USER']}{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


@pytest.fixture(scope="session")
def project_dir() -> Path:
    return settings.BASE_DIR


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Any) -> None:
    """A user a test must not cost a fifth of a second. A test of the real hash sets PASSWORD_HASHERS itself."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test rests from noting the use of keys because one before it could not."""
    monkeypatch.setattr(usage, "_rests_until", 0.0)


class Api(APIClient):
    """DRF's client, with a word for who asks: `api.as_(alice).get(...)`; failures of the server come as answers."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(raise_request_exception=False, **defaults)

    def as_(self, user: Any) -> "Api":
        other = Api()
        other.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return other

    def with_key(self, key: str) -> "Api":
        other = Api()
        other.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return other


@pytest.fixture
def api() -> Api:
    """An anonymous caller."""
    return Api()


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """`make_user("alice", groups=["research"], is_staff=True)`."""

    def make(name: str, *, groups: Iterable[str] = (), **fields: Any) -> Any:
        fields = {"email": f"{name}@example.com", **fields}
        user = get_user_model().objects.create_user(name, password=f"{name}'s long password", **fields)
        user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., Any]) -> Any:
    return make_user("alice", first_name="Alice", last_name="Adams")


@pytest.fixture
def bob(make_user: Callable[..., Any]) -> Any:
    return make_user("bob", first_name="Bob", last_name="Brown")


@pytest.fixture
def ops(make_user: Callable[..., Any]) -> Any:
    """A member of staff who may do everything."""
    return make_user("ops", is_staff=True, is_superuser=True)


@pytest.fixture
def make_model(db: None) -> Callable[..., AIModel]:
    """`make_model("acme/large", context_length=8192, tags=["fast"], granted_to=alice)`: available and open by default.

    `granted_to` takes a user, a group, "everyone", or a list of them; `permission` is what they get.
    `owner=alice, base_model=...` makes a custom model.
    """

    def make(
        model_id: str,
        *,
        tags: Iterable[str] = (),
        granted_to: Any = (),
        permission: str = "read",
        **fields: Any,
    ) -> AIModel:
        kind = "custom" if fields.get("owner") or fields.get("base_model") else "catalog"
        fields = {"name": model_id.rpartition("/")[2], "kind": kind, "is_available": kind == "catalog", **fields}
        model = AIModel.objects.create(model_id=model_id, **fields)
        model.tags.set(Tag.named(tags))
        for principal in granted_to if isinstance(granted_to, list | tuple) else [granted_to]:
            if principal == "everyone":
                grant(model, principal_type="everyone", permission=permission)
            elif isinstance(principal, Group):
                grant(model, principal_type="group", group=principal, permission=permission)
            else:
                grant(model, principal_type="user", user=principal, permission=permission)
        return model

    def grant(model: AIModel, **fields: Any) -> None:
        AccessGrant.objects.create(model=model, **fields)
        model.refresh_from_db()

    return make


@pytest.fixture
def hold_flag(db: None) -> Callable[..., Any]:
    """`hold_flag("beta", alice)`: the flag, switched on for these users; for everyone where none is named."""

    def hold(name: str, *users: Any) -> Any:
        flag, _ = get_waffle_flag_model().objects.get_or_create(name=name)
        flag.everyone = None if users else True
        flag.superusers = False
        flag.save()
        flag.users.add(*users)
        return flag

    return hold


@pytest.fixture
def make_key(db: None) -> Callable[..., keys.Issued]:
    """`make_key(alice, allow=["acme/*"], per_minute=20)`: the key in `.key`, its text in `.token`; or of a group.

    Fields that nobody can send, such as `expires_at` in the past or `made_with`, are written as they are.
    """

    def make(
        owner: Any, *, allow: Iterable[str] | None = None, deny: Iterable[str] | None = None, **fields: Any
    ) -> Any:
        owner = GroupPrincipal(owner) if isinstance(owner, Group) else owner
        actor = keys.Actor(Author.person(owner), is_staff=True)
        issued = keys.create(owner, {"name": "a key"}, KeyPolicy("all"), actor)
        if allow is not None:
            fields |= {"mode": "allow_list", "patterns": list(allow)}
        if deny is not None:
            fields |= {"mode": "deny_list", "patterns": list(deny)}
        ApiKey.objects.filter(pk=issued.key.pk).update(**fields)
        issued.key.refresh_from_db()
        return issued

    return make


@pytest.fixture
def make_export(db: None) -> Callable[..., str]:
    """`make_export(issued.key)`: the text of a new export token of the key."""

    def make(key: ApiKey, name: str = "an export") -> str:
        return exports.create(key, name, keys.Actor(Author.person(key.user), is_staff=True)).token

    return make
