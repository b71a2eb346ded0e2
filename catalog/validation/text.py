"""One folded form of text, so that search finds the same on both databases."""

import unicodedata


def fold(text: str) -> str:
    """`text` without case, width and accents: "Café" becomes "cafe", full-width letters become plain ones."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", "".join(c for c in decomposed if not unicodedata.combining(c))).casefold()
