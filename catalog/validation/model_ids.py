"""What a model id may look like."""

import re
import unicodedata

from django.core.exceptions import ValidationError

MAX_LENGTH = 255
# In the policy of a key it stands for any characters, so that no id may hold it.
WILDCARD = "*"
# Begins the id of what upstream calls an alias: `~openai/gpt-latest`.
ALIAS_MARK = "~"

# Separators, controls, format characters (bidi marks, zero-width), surrogates, unassigned and private use.
_REFUSED = ("Z", "C")
# Letters and marks that show nothing: fillers, joiners, and selectors of a glyph's variant.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def problem_of(text: object) -> str | None:
    """A sentence on why `text` is no model id, or None where it is one."""
    if isinstance(text, str) and WILDCARD in text:
        return f"A model id has no {WILDCARD}: in the policy of a key that stands for any characters."
    return problem_of_pattern(text)


def problem_of_pattern(text: object) -> str | None:
    """The same for a pattern of a policy, which is a model id that may hold wildcards."""
    if not isinstance(text, str):
        return "A model id is text."
    if not text:
        return "A model id is not empty."
    if len(text) > MAX_LENGTH:
        return f"A model id has at most {MAX_LENGTH} characters; this one has {len(text)}."
    for character in text:
        if unicodedata.category(character)[0] in _REFUSED or _INVISIBLE.match(character):
            return f"A model id has no blanks or control characters; this one has U+{ord(character):04X}."
    if unicodedata.normalize("NFC", text) != text:
        return "A model id is in Unicode's composed form (NFC)."
    return None


def validate(text: str) -> None:
    """Raises ValidationError where `text` is no model id."""
    if problem := problem_of(text):
        raise ValidationError(problem, code="invalid_model_id")


def author_of(model_id: str) -> str:
    """The id before the first slash, without the mark of an alias (`~openai/gpt-latest` is of `openai`)."""
    author, slash, _ = model_id.partition("/")
    return author.lstrip(ALIAS_MARK) if slash else ""
