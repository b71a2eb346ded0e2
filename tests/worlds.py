"""How many random worlds the properties are tried in: few in each run, many with LONG_TESTS=1 (`make test-long`)."""

import os

IS_LONG = os.environ.get("LONG_TESTS") == "1"


def seeds(few: int, many: int) -> range:
    return range(many if IS_LONG else few)
