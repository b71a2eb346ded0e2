"""Log records that are one line each and hold no credential."""

import logging
import re
from contextvars import ContextVar

# The id of the request being answered, set by the request id middleware.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

MASK = "[masked]"
SECRETS = (
    # A credential in a query string or a form: the name stays, the value goes.
    (
        re.compile(
            r"(?i)\b((?:[a-z0-9]+[_-])?(?:api[_-]?key|key|token|secret|password))"
            r"""(["']?\s*[=:]\s*["']?)(?!\[masked\])[^\s&"',;]+"""
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    (re.compile(r"\b(mdx_|sk-)[A-Za-z0-9_-]+"), rf"\1{MASK}"),
)
# C0 and C1 controls, the line and paragraph separators, and the marks that reorder text on a terminal.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class OneLineFormatter(logging.Formatter):
    """
    Formats a record, its traceback included, as one line without control characters or credentials.

    The format string may name `request_id`, which is "-" outside a request.
    """

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id.get()
        return escaped(masked(super().format(record)))


def masked(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def escaped(text: str) -> str:
    r"""`text` with each control character written as in a Python string, a newline as `\n`."""
    return UNPRINTABLE.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
