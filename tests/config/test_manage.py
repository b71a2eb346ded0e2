"""manage.py: a command in a checkout that `make run` made."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize("command", ["check_freshness", "prune", "migrate"])
def test_a_command_loads_nothing_that_answers_requests_or_asks_upstreams(project_dir, command):
    code = (
        "import sys, django; django.setup(); from django.core.management import get_commands, load_command_class;"
        f"load_command_class(get_commands()[{command!r}], {command!r});"
        "print(sorted({'requests', 'rest_framework.views', 'config.urls', 'catalog.admin'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project_dir, check=True, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
