"""The admin of the catalog, one module for each noun. Importing this package registers all of it."""

from catalog.admin import (  # noqa: F401  # registers them
    custom_models,
    decisions,
    deletions,
    entries,
    flags,
    grants,
    history,
    log,
    mends,
    sign_ins,
    tags,
    users,
)
