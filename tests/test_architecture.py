"""Imports and foreign keys point down: preferences, apikeys, providers -> catalog; of config only config.api."""

import ast
from pathlib import Path

import pytest
from django.apps import apps

ALLOWED = {
    "catalog": {"catalog"},
    "preferences": {"preferences", "catalog"},
    "apikeys": {"apikeys", "catalog"},
    "providers": {"providers", "catalog"},
}
FILES = [(app, path) for app in ALLOWED for path in sorted(Path(__file__).parent.parent.joinpath(app).rglob("*.py"))]


# What a wing of the catalog never imports: the wings above it.
ABOVE = {
    "db": {"access", "admin", "api", "dialects", "editing", "models"},
    "access": {"admin", "api", "dialects", "editing"},
    "editing": {"admin", "api", "dialects"},
}
# Modules that speak HTTP, by name or by folder.
OF_HTTP = {"api", "dialects", "views", "serializers", "authentication"}


def imported(path: Path) -> set[str]:
    """The first part of each module that the file imports, at any depth of it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            parts = (node.module or "").split(".")
            # What every route shares is there for every app; settings and URLs are not.
            names.add("config.api" if parts[:2] == ["config", "api"] else parts[0])
    return names


@pytest.mark.parametrize(("app", "path"), FILES, ids=lambda value: str(value).rpartition("/")[2])
def test_a_file_imports_only_from_apps_below_it(app, path):
    assert imported(path) & {*ALLOWED, "config", "tests"} <= ALLOWED[app]


@pytest.mark.parametrize("model", [m for app in ALLOWED for m in apps.get_app_config(app).get_models()])
def test_a_foreign_key_points_only_to_apps_below_it(model):
    own = {*ALLOWED}
    for field in model._meta.get_fields(include_hidden=False):
        if field.concrete and field.is_relation and field.related_model._meta.app_label in own:
            assert field.related_model._meta.app_label in ALLOWED[model._meta.app_label], field


@pytest.mark.parametrize(("app", "path"), FILES, ids=lambda value: str(value).rpartition("/")[2])
def test_no_import_hides_inside_a_function(app, path):
    tree = ast.parse(path.read_text())
    inside = [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        # AppConfig.ready() runs before modules with models may be imported.
        and function.name != "ready"
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == [], f"{path}: lines {inside}"


@pytest.mark.parametrize(
    ("wing", "path"),
    [(path.parts[-2], path) for app, path in FILES if app == "catalog" and path.parts[-2] in ABOVE],
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_a_wing_of_the_catalog_imports_only_from_wings_below_it(wing, path):
    modules = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[1] for name in modules if name.startswith("catalog.")} & ABOVE[wing] == set()


@pytest.mark.parametrize("path", [path for _, path in FILES], ids=lambda path: "/".join(path.parts[-2:]))
def test_only_views_and_serializers_speak_http(path):
    if not OF_HTTP & {*path.with_suffix("").parts}:
        assert "rest_framework" not in imported(path)
