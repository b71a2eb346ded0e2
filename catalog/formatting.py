"""How people are named to one another."""

from typing import Any


def display_name(user: Any) -> str:
    """A person's full name, else the user name; of one that is an address only the part before `@`: it is private."""
    return user.get_full_name() or user.get_username().partition("@")[0]
