"""Plain text tables for the commands' answers."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need; after the second those of numbers stand at the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numbers = [
        column > 1 and all(not row[column] or row[column][0].isdigit() for row in rows) for column in range(len(head))
    ]
    return "\n".join(
        "  ".join(
            text.rjust(width) if numbers[column] else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
