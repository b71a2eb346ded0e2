"""The house: imports, foreign keys and names point down, there are no circles, and no room is too large."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "catalog": {"catalog"},
    "preferences": {"preferences", "catalog"},
    "apikeys": {"apikeys", "catalog"},
    "providers": {"providers", "catalog"},
}
FILES = [(app, path) for app in ALLOWED for path in sorted((ROOT / app).rglob("*.py"))]
# The wings of an app, the lowest first: each imports only from those before it, and what it holds itself. Of `access`,
# the rule stands below the models, which ask it, and the rest above them; of `dialects` and `api` likewise the shapes
# below and the routes above.
WINGS = {
    "catalog": (
        "validation", "extensions", "db", "capabilities", "pricing", "formatting", "fields", "versions", "derived",
        "access.viewers", "access.rules", "models", "flags", "signals", "access", "changes", "editing",
        "api.serializers.answers", "dialects.openai", "dialects.cli", "api", "dialects", "pages", "urls", "admin", "templatetags", "management", "apps",
    ),
    "providers": (
        "models", "signals", "client", "adapters", "connection", "reading", "reports", "metrics", "lists", "sync", "offers", "for_catalog",
        "defaults", "checks", "views", "urls", "templatetags", "admin", "management", "apps",
    ),
}  # fmt: skip


def modules() -> dict[str, Path]:
    found = {}
    for app in (*ALLOWED, "config"):
        for path in (ROOT / app).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def imports(name: str) -> frozenset[str]:
    """The modules of ours that a module imports, also inside functions and for the type checker alone."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in MODULES else node.module for one in full}
    return frozenset(found & MODULES.keys() - {name})


def wing(name: str) -> int:
    """The place of a module's wing in its app, by the longest name that fits."""
    app, _, inner = name.partition(".")
    fits = [place for place, word in enumerate(WINGS[app]) if inner == word or inner.startswith(f"{word}.")]
    assert fits, f"{name} stands in no wing: WINGS names them in their order"
    return max(fits, key=lambda place: len(WINGS[app][place]))


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


@pytest.mark.parametrize("name", [name for name in MODULES if name.partition(".")[0] in WINGS and "." in name])
def test_a_module_imports_only_from_wings_below_it(name):
    app = name.partition(".")[0]
    above = [other for other in imports(name) if other.startswith(f"{app}.") and wing(other) > wing(name)]
    assert above == []


def test_no_modules_import_each_other_in_a_circle():
    done: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(imports(name)):
                follow(other, (*path, name))
            done.add(name)

    for name in MODULES:
        follow(name, ())
    assert done == MODULES.keys()


@pytest.mark.parametrize("model", [m for app in ALLOWED for m in apps.get_app_config(app).get_models()])
def test_a_foreign_key_points_only_to_apps_below_it(model):
    own = {*ALLOWED}
    for field in model._meta.get_fields(include_hidden=False):
        if field.concrete and field.is_relation and field.related_model._meta.app_label in own:
            assert field.related_model._meta.app_label in ALLOWED[model._meta.app_label], field


@pytest.mark.parametrize(("app", "path"), FILES, ids=lambda value: str(value).rpartition("/")[2])
def test_no_file_names_an_app_that_it_may_not_import_in_a_string(app, path):
    """Such as a path of a module, a permission or the name of a route. Relations end at a model of that app too."""
    others = {*ALLOWED} - ALLOWED[app]
    relations = {
        relation.get_accessor_name()
        for model in apps.get_models()
        if model._meta.app_label in (app, "auth")
        for relation in model._meta.related_objects
        if relation.related_model._meta.app_label in others
    }
    words = re.compile(
        rf"\b(?:{'|'.join(others)})[._:][a-z]\w*\.?|\bget_model\(|(?:^|__)(?:{'|'.join(relations) or '(?!)'})__"
    )
    strings = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    scopes = {f"{word}:write" for word in others}
    assert [text for text in strings if words.search(text) and text not in scopes and "\n" not in text] == []


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


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("config")])
def test_below_the_views_nobody_knows_http(name):
    text = MODULES[name].read_text()
    knows = "rest_framework" in text or "from django.http" in text
    views = (
        "api",
        "dialects",
        "views",
        "serializers",
        "authentication",
        "rate_limit_headers",
        "admin",
        "pages",
        "templatetags",
        "commands",
    )
    # Of what is asked at pages: whose request it is.
    assert not knows or {*views} & {*name.split(".")} or name == "catalog.access.rights"


@pytest.mark.parametrize("app", ["catalog", "providers"])
def test_the_ground_floor_of_an_app_has_at_most_twelve_modules(app):
    ground = [path.name for path in (ROOT / app).glob("*.py") if path.name != "__init__.py"]
    assert len(ground) <= 12, sorted(ground)


@pytest.mark.parametrize("name", MODULES)
def test_no_file_has_more_than_450_lines_and_no_function_more_than_60(name):
    text = MODULES[name].read_text()
    assert text.count("\n") <= 450
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if f.end_lineno - f.lineno >= 60] == []


# By convention of Django, or of its backends, each of these is found by its place.
NAMED_BY_PLACE = {"Command", "DatabaseWrapper"}


@pytest.mark.parametrize("app", [*ALLOWED, "config"])
def test_no_two_classes_of_an_app_have_one_name(app):
    found: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        if name.partition(".")[0] == app:
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and node.name not in NAMED_BY_PLACE:
                    found.setdefault(node.name, []).append(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_no_file_names_the_host_of_a_package_registry():
    """Which index packages come from is for whoever installs them to say, in the settings of pip and npm."""
    ends = {"pypi": ("org",), "pythonhosted": ("org",), "npmjs": ("org", "com"), "docker": ("io",)}
    host = re.compile("|".join(rf"\b{name}\.(?:{'|'.join(found)})\b" for name, found in ends.items()))
    folders = [ROOT / name for name in (*ALLOWED, "config", "templates", "tests", ".ci")]
    paths = [*ROOT.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]
    paths = [path for path in paths if path.is_file() and "__pycache__" not in path.parts]
    assert {ROOT / "Makefile", ROOT / "requirements.lock"} <= {*paths}
    named = [str(path) for path in paths if host.search(path.read_text(errors="replace"))]
    assert named == []


def test_one_function_makes_addresses_from_the_host_that_a_request_names():
    """SITE_URL goes before it. The provider of single sign-on holds the exact addresses that it sends people back to."""
    folders = [ROOT / name for name in (*ALLOWED, "config", "templates")]
    paths = [path for end in ("py", "html") for folder in folders for path in folder.rglob(f"*.{end}")]
    found = {path.name for path in paths if re.search(r"\bget_host\b|build_absolute_uri", path.read_text())}
    assert found == {"origin.py", "single_sign_on.py"}
