"""catalog/validation/strict_json.py: the one parser of JSON."""

import json
import time
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.validation import strict_json

LIMITS = {"max_marks": 1_000_000, "max_depth": 5}


class Refused(Exception):
    pass


def code_of(data: bytes, **options) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        strict_json.loads(data, Refused, **{**LIMITS, **options})
    return caught.value.args


@pytest.mark.parametrize("options", [{}, {"exact": True}, {"cut": True}, {"max_entries": 1000}])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[1,]", "invalid_json"),
        (b"{'a': 1}", "invalid_json"),
        (b'"a\nb"', "invalid_json"),
        (b'{"a": 1} {}', "invalid_json"),
        (b"[NaN]", "not_finite"),
        (b"-Infinity", "not_finite"),
        (b'{"a": {"b": 1, "c": 2, "\\u0062": 3}}', "duplicate_key"),
        (b"1" * 5000, "too_big"),
        (b'"\xff"', "encoding"),
        (b"[" * 100_000, "too_deep"),
    ],
)
def test_what_is_no_json_is_refused_by_its_code(data, code, options):
    assert code_of(data, **options)[0] == code


@pytest.mark.parametrize("rest", [b'"' + b'\\"' * 100_000, b'"' * 100_001, b'"\\' * 50_000])
def test_what_is_cut_costs_no_more_than_its_size(rest):
    began = time.process_time()
    assert code_of(b"[" * 5000 + rest, cut=True)[0] in ("invalid_json", "too_deep")
    assert time.process_time() - began < 1


def test_a_key_that_stands_twice_is_named_and_an_object_of_many_costs_no_more_than_its_size():
    many = ",".join(f'"k{number}": 0' for number in range(300_000))
    began = time.process_time()
    assert code_of(f'{{{many}, "k299999": 1}}'.encode()) == ("duplicate_key", "'k299999'")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("marks", [b"[0,0,0,0]", b'["[", 1, 2, 3]', b"{{{{{"])
def test_values_are_counted_before_anything_is_parsed(marks):
    assert code_of(marks, max_marks=3)[0] == "too_many"
    assert code_of(b"[" * 1_000_000, max_marks=999_999)[0] == "too_many"


@pytest.mark.parametrize("storable", [False, True])
@pytest.mark.parametrize(("entries", "allowed"), [(4, True), (5, True), (6, False)])
def test_entries_are_counted_at_every_depth(entries, allowed, storable):
    data = b'{"a": [' + b",".join([b"0"] * (entries - 1)) + b"]}"
    options = {**LIMITS, "max_entries": 5, "storable": storable}
    if allowed:
        assert strict_json.loads(data, Refused, **options) == json.loads(data)
    else:
        assert code_of(data, **options)[0] == "too_many"


@pytest.mark.parametrize(
    ("data", "ok"), [(b"[[[[[1]]]]]", True), (b"[[[[[[]]]]]]", False), (b'{"a":[[[[{}]]]]}', False)]
)
def test_containers_may_be_nested_to_the_limit(data, ok):
    if ok:
        assert strict_json.loads(data, Refused, **LIMITS) == json.loads(data)
    else:
        assert code_of(data)[0] == "too_deep"


@pytest.mark.parametrize("depth", [6, 900, 50_000])
def test_what_is_nested_deeper_becomes_null_where_it_may_be_cut(depth):
    data = b'{"a": "]}", "b": ' + b"[" * depth + b'"["' + b"]" * depth + b', "c": 1}'
    found = strict_json.loads(data, Refused, **LIMITS, cut=True)
    assert found == {"a": "]}", "b": [[[[None]]]], "c": 1}


def test_exact_numbers_have_their_digits_and_those_beyond_a_double_are_refused():
    found = strict_json.loads(b"[0.10, 1e-7, 3]", Refused, **LIMITS, exact=True)
    assert [(type(number), str(number)) for number in found] == [(Decimal, "0.10"), (Decimal, "1E-7"), (int, "3")]
    for number in (b"1e999", b"-1e309", b"1e99999999999999999999"):
        assert code_of(number, exact=True)[0] == "out_of_range"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (rb'"\ud800"', "invalid_json"),
        (rb'{"\udc00": 1}', "invalid_json"),
        (b'"\xed\xa0\x80"', "invalid_json"),
        (b"1e999", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (rb'["a\u0000b"]', "bad_character"),
        (rb'{"\u0000": 1}', "bad_character"),
    ],
)
def test_what_no_database_holds_is_refused_where_it_is_to_be_stored(data, code):
    assert code_of(data, storable=True)[0] == code


def test_twenty_megabytes_are_parsed_in_little_more_than_the_time_of_the_plain_parser():
    data = json.dumps({"data": [{"id": f"acme/m{n}", "pricing": {"prompt": "0.1"}, "n": 1.5} for n in range(60_000)]})
    encoded = (data[:-1] + ', "text": "' + "x" * 15_000_000 + '"}').encode()

    def seconds(work):
        began = time.process_time()
        work()
        return time.process_time() - began

    plain = min(seconds(lambda: json.loads(encoded)) for _ in range(3))
    ours = min(seconds(lambda: strict_json.loads(encoded, Refused, **LIMITS, exact=True)) for _ in range(3))
    assert ours < 4 * plain + 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', "This is not JSON: Expecting ':' delimiter in line 2, column 6."),
        ('{"a": 1, "a": 2}', "The key 'a' stands twice in one object."),
        ("[NaN]", "NaN is not JSON."),
        ("9" * 5000, "A number in it has too many digits."),
        ("[" * 100_000, "This is nested too deeply."),
        ("[" * 65 + "]" * 65, "At most 64 levels may be nested."),
    ],
)
def test_a_person_is_shown_what_is_wrong_and_where(text, message):
    with pytest.raises(ValidationError) as caught:
        strict_json.parse(text)
    assert caught.value.messages == [message]
