"""Log records that are one line each and hold no credential."""

import logging
import re
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

# The id of the request being answered, set by the request id middleware.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

MASK = "[masked]"
# Every pattern takes time linear in the text, whatever the text: strangers choose a request's line. A
# pattern may therefore only begin with a fixed word, or where a run of its own characters begins.
SECRETS = (
    # A credential in a query string or a form: the name stays, the value goes.
    (
        re.compile(
            r"(?i)(?<![a-z0-9])((?:api|access|auth|client|csrfmiddleware|id|private|refresh|secret|session)?"
            r"(?:auth|authorization|credential|key|pass|passphrase|passw(?:or)?d|secret|sessionid|sig|signature|token))"
            r"""((?:\[\])?["']?\s*[=:]\s*["']?)(?!\[masked\])(?:(?:bearer|basic)[\s+]+)?[^\s&"',;]+"""
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)[\s+]+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^\s/:@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    # The one-time code that a provider of sign-ins sends a browser back with.
    (re.compile(r"(?i)([?&;]code=)[^\s&\"']+"), rf"\1{MASK}"),
    # The path of an export holds its token, and that of a new password.
    (re.compile(r"(/export/{1,9}|/password/reset/{1,9}[^\s/]{1,32}/{1,9})[^\s/?\"']+"), rf"\1{MASK}"),
    # Our keys, and the keys of vendors by the beginnings that they have documented.
    (re.compile(r"(mdx_|mde_|AIza)[A-Za-z0-9_-]+"), rf"\1{MASK}"),
    (
        re.compile(
            r"(?<![A-Za-z0-9])(sk-|[sr]k_(?:live|test)_|csk-|gsk_|hf_|xai-|pplx-|nvapi-|tgp_v1_|vck_|gh[pousr]_|github_pat_"
            r"|glpat-|xox[abprs]-)[\w-]+",
            re.ASCII,
        ),
        rf"\1{MASK}",
    ),
    # A JSON Web Token, as identity providers issue them.
    (re.compile(r"(?<![\w.-])(eyJ)[\w.-]{20,}", re.ASCII), rf"\1{MASK}"),
)
# Of a longer text the middle is left out: a traceback says the most at its end.
MAX_LENGTH = 10_000
# How often a text is decoded in search of credentials. No program encodes an address so often; who does so hides
# something, and each word that is still encoded is masked.
MAX_DECODINGS = 3
WORD = re.compile(r"\S+")
# C0 and C1 controls, the line and paragraph separators, and the marks that reorder text on a terminal.
UNPRINTABLE = {
    code: chr(code).encode("unicode_escape").decode("ascii")
    for first, last in (
        (0x00, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF),
    )
    for code in range(first, last + 1)
}  # fmt: skip


class OneLineFormatter(logging.Formatter):
    """
    Formats a record, its traceback included, as one line without control characters or credentials.

    The format string may name `request_id`, which is "-" outside a request.
    """

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id.get()
        return escaped(masked(super().format(record)))


class JSONFormatter(JsonFormatter):
    """Formats a record as one line of JSON without credentials."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{request_id}{message}",
            style="{",
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            # Of Django's own extras, the request and its time are no words.
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],
        )

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id.get()
        return super().format(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: masked(value) if isinstance(value, str) else value for name, value in log_data.items()}


def masked(text: str) -> str:
    """`text` with everything that looks like a credential replaced, also where an address holds it encoded."""
    if len(text) > MAX_LENGTH:
        # The end begins with a whole word: the last letters of a credential alone would not look like one.
        end = text[-MAX_LENGTH // 2 :].partition(" ")[2]
        text = f"{text[: MAX_LENGTH // 2]} [...] {end}"
    shown = plain = _masked_as_it_is(text)
    for _ in range(MAX_DECODINGS):
        decoded = unquote(plain)
        if decoded == plain:
            return shown
        plain = _masked_as_it_is(decoded)
        if plain != decoded:
            # Only then is the decoded text what is shown: an address is best read as it was sent.
            shown = plain
    if unquote(plain) != plain:
        return WORD.sub(lambda word: MASK if "%" in word[0] else word[0], plain)
    return shown


def _masked_as_it_is(text: str) -> str:
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def escaped(text: str) -> str:
    r"""`text` with each control character written as in a Python string, a newline as `\n`."""
    return text.translate(UNPRINTABLE)
