"""An upstream's answer as JSON, or the reason why it cannot be read."""

import codecs
from typing import Any

from catalog.validation import strict_json
from providers.client.errors import UpstreamError

MAX_DEPTH = 64
# Of objects, lists and their entries in one answer. The largest recorded one has 21,000; each takes up to 300 bytes
# when parsed, however few it took on the way.
MAX_VALUES = 400_000

_FAULTS = {
    "encoding": "is not UTF-8 text",
    "duplicate_key": "names a key twice in one object",
    "not_finite": "holds {}, which is not JSON",
    "out_of_range": "holds a number out of range",
    "too_big": "holds a number with thousands of digits",
    "too_deep": "is nested too deep",
}


def strict_loads(data: bytes, *, max_values: int = MAX_VALUES) -> Any:
    """Parses an answer; raises `UpstreamError` ("malformed", "too_large") on anything odd, and nothing else.

    A number with a fraction or an exponent becomes a `Decimal` of its own digits, so that no price loses any. Two
    faults that one record of a list can bring without harm to the others are left for the adapter to judge: a lone
    surrogate stays in its text, and what is nested too deep becomes null.
    """

    def refusal(code: str, what: str) -> UpstreamError:
        if code == "too_many":
            return UpstreamError.of_answer("too_large", f"holds more than {max_values} values.")
        is_page = data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")
        fault = _FAULTS.get(code, "is a web page, not JSON" if is_page else "is not JSON")
        return UpstreamError.of_answer("malformed", f"{fault.format(what)}.")

    return strict_json.loads(data, refusal, max_marks=max_values, max_depth=MAX_DEPTH, exact=True, cut=True)
