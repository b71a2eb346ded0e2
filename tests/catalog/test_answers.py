"""catalog/api/serializers/answers.py: what an answer says of a value that is unknown, or that differs by caller."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rest_framework import serializers

from catalog.api.serializers.answers import AnswerSerializer, UnixSeconds, WhereTrue


class Inner(AnswerSerializer):
    text = serializers.CharField(required=False)


class Answer(AnswerSerializer):
    optional = serializers.ListField(required=False)
    nullable = serializers.CharField(allow_null=True)
    blank = serializers.CharField(allow_blank=True, allow_null=True)
    plain = serializers.DictField()
    number = serializers.IntegerField(required=False)
    mark = WhereTrue()
    moment = UnixSeconds(required=False)
    inner = Inner(source="*", required=False)
    twice = serializers.IntegerField(required=False)
    mine = serializers.BooleanField()

    of_caller = frozenset({"mine"})

    def get_twice(self, row):
        return row.number and 2 * row.number


def shown(**known):
    names = ("optional", "nullable", "blank", "plain", "number", "mark", "moment", "text")
    return Answer().to_representation(SimpleNamespace(**{**dict.fromkeys(names), **known}))


NOTHING = {"nullable": None, "blank": "", "plain": None}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, {}),
        ({"optional": [], "nullable": "", "text": "", "plain": {}}, {"plain": {}}),
        ({"optional": [0]}, {"optional": [0]}),
        ({"number": 0}, {"number": 0, "twice": 0}),
        ({"number": 2}, {"number": 2, "twice": 4}),
        ({"mark": False}, {}),
        ({"mark": True}, {"mark": True}),
        ({"moment": datetime(1970, 1, 1, 0, 1, 0, 999, tzinfo=UTC)}, {"moment": 60}),
        ({"text": "x"}, {"inner": {"text": "x"}}),
    ],
)
def test_what_is_unknown_is_left_out_or_said_as_the_field_allows(known, said):
    assert shown(**known) == NOTHING | said


def test_fields_stand_in_the_order_of_their_declaration():
    known = {name: [1] if name == "optional" else {} if name == "plain" else "1" for name in Answer().fields}
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    names = list(shown(**{**known, "text": "x", "number": 1, "moment": moment}))
    assert names == [name for name in Answer().fields if name != "mine"]
