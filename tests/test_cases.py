"""tests/CASES.md: each numbered case is there, and the tests that it names are."""

import re
from functools import cache
from pathlib import Path

ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", (Path(__file__).parent / "CASES.md").read_text(), re.MULTILINE)
# Cases, or parts of them, that no test holds. Lower it when one is; never raise it.
NOT_HELD = 0
MAKEFILE = (Path(__file__).parent.parent / "Makefile").read_text()


@cache
def named_in(path: str) -> set[str]:
    file = Path(__file__).parent.parent / path
    return set(re.findall(r"^ *def (test_\w+)\(", file.read_text(), re.MULTILINE)) if file.is_file() else set()


def test_every_case_has_a_row():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 174))


def test_the_tests_that_a_case_names_are_there():
    named = [(number, *found.split("::")) for number, _, by in ROWS for found in re.findall(r"`(?!make )(.+?)`", by)]
    assert [case for case in named if case[2] not in named_in(case[1])] == []


def test_the_drills_that_a_case_names_have_a_target_and_a_short_run():
    drills = {found for _, _, by in ROWS for found in re.findall(r"`make drill-(.+?)`", by)}
    short = set(re.findall(r'^\t\t"(\w+) ', MAKEFILE, re.MULTILINE))
    assert {one for one in drills if f"\ndrill-{one}: " not in MAKEFILE or one not in short} == set()


def test_a_case_names_a_test_or_says_why_it_is_not_held():
    assert [number for number, _, by in ROWS if "::" not in by and "not held: " not in by] == []
    assert sum("not held: " in by for _, _, by in ROWS) == NOT_HELD
