"""catalog/admin/edit.py: one edit in one go, from the row that is read and locked to what is written and answered."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import AIModel, AuditEntry, CatalogVersion, FieldChange, Tag
from tests.admin_forms import fields_of

UPSTREAM = {"name": {"value": "Upstream's", "source": "openrouter", "since": "2026-11-01T00:00:00+00:00"}}


@pytest.fixture
def statements(desk, ops):
    """`statements(page, name="x")`: the statements of saving a page with these fields changed."""

    def save(page, **changed):
        form = fields_of(desk(ops).get(page).content.decode(), page.split("/")[3] + "_form")
        with CaptureQueriesContext(connection) as made:
            answer = desk(ops).post(page, {**form, "_save": "Save", **changed})
        assert answer.status_code == 302, answer.context["errors"]
        return [query["sql"] for query in made.captured_queries]

    return save


def reads_of(statements, table):
    return [sql for sql in statements if sql.startswith("SELECT") and f'FROM "{table}"' in sql]


def writes_of(statements, table):
    return [sql for sql in statements if sql.startswith(("UPDATE", "INSERT", "DELETE")) and f'"{table}"' in sql[:60]]


@pytest.mark.parametrize(
    "changed", [{"name": "New"}, {"name": "New", "tags": "fast"}, {"recommended": "on"}, {"_release": "name"}]
)
def test_a_save_reads_the_row_once_and_writes_it_once(statements, make_model, changed):
    model = make_model("acme/large", upstream=UPSTREAM, pinned_fields=["name"], manually_updated=True)
    made = statements(f"/admin/catalog/aimodel/{model.pk}/change/", **changed)
    # Beside it, the custom models that are built upon it are looked for.
    assert len([sql for sql in reads_of(made, "catalog_aimodel") if '"base_model_id" IN' not in sql]) == 1
    assert len(writes_of(made, "catalog_aimodel")) == 1
    assert len(writes_of(made, "catalog_fieldchange")) == 1
    assert FieldChange.objects.exists()


def test_a_save_makes_no_more_statements_than_it_needs(statements, make_model):
    model = make_model("acme/large", context_length=8192)
    made = statements(f"/admin/catalog/aimodel/{model.pk}/change/", name="New")
    kinds = [sql for sql in made if not sql.startswith(("SAVEPOINT", "RELEASE", 'SELECT 1 AS "_check"'))]
    # The row, its tags, its newest change, those since, the flags, custom models upon it: read. The row, the version,
    # the history, Django's log: written. The session and the user: read by every page.
    assert len(kinds) <= 13, "\n".join(sql[:150] for sql in kinds)


def test_a_save_that_changes_nothing_writes_nothing(statements, make_model):
    model = make_model("acme/large")
    made = statements(f"/admin/catalog/aimodel/{model.pk}/change/")
    assert [sql for sql in made if sql.startswith(("UPDATE", "INSERT", "DELETE")) and "catalog_" in sql] == []


def test_an_edit_of_a_custom_model_raises_the_catalogs_version(statements, make_model, alice):
    model = make_model("preset", kind="custom", owner=alice, base_model=make_model("acme/large"))
    before = CatalogVersion.objects.current()
    statements(f"/admin/catalog/custommodel/{model.pk}/change/", name="Renamed")
    assert CatalogVersion.objects.current() > before
    assert AIModel.objects.get(pk=model.pk).name == "Renamed"


def test_an_edit_writes_no_column_that_it_does_not_change(statements, make_model):
    model = make_model("acme/large")
    (write,) = writes_of(statements(f"/admin/catalog/aimodel/{model.pk}/change/", name="New"), "catalog_aimodel")
    assert all(f'"{name}" =' in write for name in ("name", "name_key", "search_text", "pinned_fields", "updated_at"))
    assert not any(
        f'"{name}" =' in write for name in ("description", "pricing", "upstream", "context_length", "is_available")
    )


def test_a_row_that_is_renamed_is_in_the_audit_log_with_both_names(statements):
    tag = Tag.objects.create(name="old")
    statements(f"/admin/catalog/tag/{tag.pk}/change/", name="new")
    assert AuditEntry.objects.get(subject_type="tag", action="changed").changes["name"] == ["old", "new"]
