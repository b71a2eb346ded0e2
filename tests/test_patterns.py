"""Every regular expression of the project, against long texts that would show quadratic work."""

import importlib
import itertools
import pkgutil
import re
import time

import pytest

from tests.machine import seconds

APPS = ("apikeys", "catalog", "config", "preferences", "providers")
SIZE = 65_536


def patterns() -> dict[str, re.Pattern]:
    """Name -> pattern, for each one that a module keeps, alone or in a table."""
    found = {}
    for app in APPS:
        package = importlib.import_module(app)
        for info in pkgutil.walk_packages(package.__path__, f"{app}."):
            if ".migrations." in info.name or info.name.endswith("wsgi"):
                continue
            for name, value in vars(importlib.import_module(info.name)).items():
                for number, pattern in enumerate(_within(value)):
                    found.setdefault(pattern, f"{info.name}.{name}.{number}")
    return {name: pattern for pattern, name in found.items()}


def _within(value: object, depth: int = 2) -> list[re.Pattern]:
    if isinstance(value, re.Pattern):
        return [value]
    if depth and isinstance(value, tuple | list):
        return [pattern for inner in value for pattern in _within(inner, depth - 1)]
    return []


def worst(source: str) -> list[str]:
    """Texts made of what the pattern itself looks for, repeated, each with an end that spoils the match."""
    literals = re.findall(r"[A-Za-z]{2,}", source)
    signs = sorted(set(re.sub(r"[A-Za-z0-9\s]", "", source))) + ["a", "0", " ", "\n", "\u00e9"]
    words = [
        *signs,
        *(word + sign for word, sign in itertools.product(literals[:12], ["", " ", "="])),
        "a.",
        "a-",
        "0.",
    ]
    return [word * (SIZE // len(word)) + "\x01" for word in words] + [
        before + word * (SIZE // len(word)) for before in ('"', "\r\nx:", "://", "/") for word in ("a", "a.", " ")
    ]


PATTERNS = patterns()


def test_they_are_found():
    assert len(PATTERNS) > 20


def cost(pattern: re.Pattern, text: str) -> float:
    """Seconds of CPU for finding all, as sub() and findall() do, or for one match of a pattern that names its end."""
    subject = text if isinstance(pattern.pattern, str) else text.encode()
    began = time.process_time()
    if str(pattern.pattern).endswith(r"\Z"):
        pattern.match(subject)
    else:
        for _ in pattern.finditer(subject):
            pass
        pattern.fullmatch(subject)
    return time.process_time() - began


@pytest.mark.parametrize("name", PATTERNS)
def test_64_kb_of_its_worst_cost_less_than_20_ms(name):
    pattern = PATTERNS[name]
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
    for text in worst(source):
        # A short one first: what is quadratic would take minutes.
        assert is_below(0.01, pattern, text[:4096]), text[:20]
        assert is_below(0.02, pattern, text), text[:20]


def is_below(bound: float, pattern: re.Pattern, text: str) -> bool:
    """Whether one of five tries was; where the first was not, the machine is measured beside each of them."""
    return cost(pattern, text) < bound or any(cost(pattern, text) < seconds(bound) for _ in range(5))
