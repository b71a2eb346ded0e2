"""How fast the machine at hand is, for bounds in seconds of CPU."""

import json
import time

_DOCUMENT = json.dumps([{"id": f"acme/m{n}", "numbers": [n, str(n)], "pricing": {"prompt": 1.5}} for n in range(2000)])
# Seconds of CPU for `_work` on the machine for which bounds in tests were written.
_ORDINARY = 0.004


def _work() -> float:
    began = time.process_time()
    json.loads(_DOCUMENT)
    sum(len(word.strip('"[]{}')) for word in _DOCUMENT.split(","))
    return time.process_time() - began


def seconds(bound: float) -> float:
    """The bound, in seconds of CPU of an ordinary machine, on this one: longer where it is slower, never shorter."""
    return bound * max(1.0, min(_work() for _ in range(5)) / _ORDINARY)
