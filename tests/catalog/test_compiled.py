"""A compiled query gives what its queryset gives, whatever happens to the connection and the table meanwhile."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CharField, Index, QuerySet, UniqueConstraint, Value
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext

from catalog.db import prepared
from catalog.db.prepared import CompiledQuery, padded, subquery
from catalog.models import AIModel


def of(model_id: str, *names: str) -> QuerySet[AIModel]:
    rows = AIModel.objects.filter(model_id=model_id, name__in=names).select_related("owner", "base_model")
    return rows.annotate(low=Lower("name"))


def test_it_gives_the_row_with_its_relations_and_annotations(alice, make_model):
    base = make_model("acme/base", input_modalities=["text"])
    made = make_model("mine", name="Mine", owner=alice, base_model=base)
    query = CompiledQuery(of)
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            found = query.first("mine", "Mine", "x")
            assert (found, found.low, found.owner, found.base_model) == (made, "mine", alice, base)
            assert found.base_model.input_modalities == ["text"]
            assert found.created_at == made.created_at
        assert len(captured) == 1
    assert query.first("acme/base", "base").base_model is None


@pytest.mark.parametrize("values", [("none", "x"), ("acme/x", "' OR 1=1--"), ("%s", "%"), ("acme/x",)])
def test_values_are_values_and_find_nothing_where_nothing_is(make_model, values):
    make_model("acme/x", name="x")
    if len(values) > 1:
        assert CompiledQuery(of).first(*values) is None
    assert CompiledQuery(of).first("acme/x", "x") is not None


def test_what_partial_indexes_are_of_stands_in_the_statement_and_no_value_does(make_model):
    query = CompiledQuery(lambda model_id: AIModel.objects.filter(alias_of__gt="", model_id=model_id))
    assert query.first("everyone") is None
    [(_, statement)] = query._statements.items()
    assert (statement.sql.count("''"), "everyone" in statement.sql, len(statement.parameters)) == (1, False, 1)
    made = make_model("custom", name="everyone")
    assert CompiledQuery(of).first("custom", "everyone") == made
    by_word = CompiledQuery(of)
    assert [by_word.first(*values) for values in (("everyone", "custom"), ("custom", "everyone"))] == [None, made]


def test_every_text_that_a_partial_index_is_of_is_a_constant():
    indexes = [
        part
        for model in apps.get_models()
        for part in (*model._meta.indexes, *model._meta.constraints)
        if isinstance(part, Index | UniqueConstraint) and part.condition is not None
    ]
    texts = {value for part in indexes for value in part.condition.flatten() if isinstance(value, str)}
    assert texts == prepared._CONSTANTS


@pytest.mark.parametrize(("count", "least", "size"), [(1, 1, 1), (3, 1, 4), (1, 32, 32), (32, 32, 32), (33, 32, 64)])
def test_values_are_repeated_so_that_few_statements_do(count, least, size):
    values = list(range(count))
    assert padded(values, least) == values + [count - 1] * (size - count)


def test_a_value_that_would_be_changed_on_its_way_is_refused_when_it_is_compiled(db):
    def build(name):
        return AIModel.objects.annotate(word=Value("x", CharField())).filter(name=f"{name}!")

    with pytest.raises(ValueError, match="as it was given"):
        CompiledQuery(build).first("x")


@pytest.mark.django_db(transaction=True)
def test_a_table_that_changes_under_the_plan_costs_no_request(make_model):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no plans that outlive a statement's text.")
    made = make_model("acme/x", name="x")
    query = CompiledQuery(of)
    assert query.first("acme/x", "x") == made
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE catalog_aimodel ALTER COLUMN name TYPE varchar(300)")
    try:
        assert query.first("acme/x", "x") == made
        connection.connection.execute("DEALLOCATE ALL")
        assert query.first("acme/x", "x") == made
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE catalog_aimodel ALTER COLUMN name TYPE varchar(255)")


def test_a_compiled_subquery_is_the_rows_that_it_was_made_of(make_model):
    model = make_model("acme/a")
    make_model("acme/b")
    found = subquery(AIModel.objects.filter(model_id="acme/a").values("pk"))
    assert [*AIModel.objects.filter(pk__in=found)] == [model]
    assert [*AIModel.objects.exclude(pk__in=found).values_list("model_id", flat=True)] == ["acme/b"]


def test_a_compiled_subquery_of_nothing_is_nothing(make_model):
    make_model("acme/a")
    found = subquery(AIModel.objects.filter(pk__in=()).values("pk"))
    assert (found, AIModel.objects.filter(pk__in=found).count()) == ((), 0)
