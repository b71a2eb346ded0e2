"""One folded form of text, so that search finds the same on both databases."""

import unicodedata

# Unicode's own bound for text that can be processed in a stream (UAX #15, D3). No language piles up so many.
MAX_MARKS = 30


def has_piled_marks(text: str) -> bool:
    """Whether so many marks stand on one letter that putting them in order takes time quadratic in the text."""
    if text.isascii():
        return False
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MAX_MARKS:
            return True
    return False


def fold(text: str) -> str:
    """`text` without case, width and accents: "Café" becomes "cafe", full-width letters become plain ones."""
    if text.isascii():
        return text.lower()
    # Marks go before anything puts them in order, too: that would be quadratic in a pile of them.
    plain = "".join(character for character in text.casefold() if not unicodedata.combining(character))
    decomposed = unicodedata.normalize("NFKD", plain)
    return unicodedata.normalize("NFKC", "".join(c for c in decomposed if not unicodedata.combining(c))).casefold()
