"""What the apps above the catalog add to it. Each registers its part in its `AppConfig.ready()`, and
what only requests need, in its `urls.py`: commands do not load that, nor what it imports.

The catalog names none of them. What one request needs of them is read in the catalog's own statement, so most parts
are expressions. A part that nobody registered is an error at its first use, never an open door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# user id -> the user's own switches of models: a queryset of rows with `model` and `is_enabled`.
own_switches: Callable[[int], Any]

# The path to a user's row -> annotations `caller_preferences` (the version of their preferences, or None),
# `caller_no_new_since` (when they stopped that new models are enabled for them, or None) and `caller_theme`.
caller_columns: Callable[[str], dict[str, Any]]

# A viewer -> annotations of AIModel: `_own_default` and `_site_default` (whether it is that default model), and
# `_group_default` (the rank by which it is the default of one of the viewer's groups, or None).
default_marks: Callable[[Any], dict[str, Any]]

# The public id of an API key -> the caller that a request with it is, or None where no such key works.
caller_of_key: Callable[[str], Any]

# A request -> the key that it brings as DRF's `request.auth`, for one read: `caller`, `scopes` and `user`, of which
# nothing may be changed; None where it brings none. Raises DRF's exceptions where it is not usable.
credential_of: Callable[[Any], Any]

# A request and the token in the address of an export -> the same for the key that it belongs to; None where that has
# ended. Raises DRF's exceptions, NotFound for what never was a token.
credential_of_export: Callable[[Any, str], Any]

# Two audiences, before and after a change -> (owner, key) of each API key that loses sight of a model.
keys_losing: Callable[[Any, Any], list[tuple[str, str]]]

# A user and a model -> the offers of it now, the best precedence first, as (name, facts by field, prices by kind);
# None where the user may not see offers.
offers_of: Callable[[Any, Any], list[tuple[str, dict[str, Any], dict[str, Any]]] | None]

# All that say something of the model, also where they do not offer it, in the same order: each with `name`, `facts` and
# `prices` as above, the `provider`, its `state` in words and the `address` of its page in the admin. None as above.
sources_of: Callable[[Any, Any], list[Any] | None]

# A catalog entry as it will be saved -> whether it is available: what the next merge of its sources will find.
is_available: Callable[[Any], bool]

# A model -> what each provider asked for it, as (slug, since when, prices), by provider and the oldest first.
price_history_of: Callable[[Any], list[tuple[str, Any, Any]]]

# -> (slug, name) of each provider.
provider_names: Callable[[], list[tuple[str, str]]]

# A user id -> the models that matter to them, of those that the app knows of.
interests: list[Callable[[int], Any]] = []

# The id of a sync run -> the address of its page in the admin.
address_of_run: Callable[[int], str]
