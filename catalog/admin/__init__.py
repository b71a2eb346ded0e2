"""The admin of the catalog, a module a noun. Importing this package registers all of it."""

from catalog.admin import custom, entries, flags, grants, history, people, tags

__all__ = ["custom", "entries", "flags", "grants", "history", "people", "tags"]
