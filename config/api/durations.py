"""Lengths of time as commands take them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}


def duration(longest: timedelta) -> Callable[[str], timedelta]:
    """For argparse's `type`: `90s`, `15m`, `1h`, `90d`, `2y`, up to `longest`."""

    def read(text: str) -> timedelta:
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdy])", text)
        if not found:
            raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m, 1h, 90d or 2y.")
        length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        if length > longest:
            raise argparse.ArgumentTypeError(f"{text!r} is too long: at most {longest.days}d.")
        return length

    return read
