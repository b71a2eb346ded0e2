"""manage.py: a command in a checkout that `make run` made."""

import os

import pytest

import manage


@pytest.mark.parametrize(
    ("given", "made", "expected"),
    [
        ({}, True, "development"),
        ({}, False, None),
        ({"SECRET_KEY": "x"}, True, None),
        ({"MODELDEX_ENV": "production"}, True, "production"),
    ],
)
def test_a_command_needs_no_variable_after_make_run_and_production_is_never_taken_for_it(
    monkeypatch, tmp_path, given, made, expected
):
    monkeypatch.setattr(os, "environ", {"DATA_DIR": str(tmp_path), **given})
    if made:
        (tmp_path / "secret_key").write_text("a secret")
    manage.after_make_run()
    assert os.environ.get("MODELDEX_ENV") == expected
