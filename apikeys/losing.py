"""Which keys lose sight of models by a change."""

from __future__ import annotations

from django.utils import timezone

from apikeys.authentication import policy_of
from apikeys.models import ApiKey
from catalog.access.audience import Audience


def keys_losing(before: Audience, after: Audience) -> list[tuple[str, str]]:
    """(owner, key) of each key in use that reached one of these models and no longer does.

    A key reaches what its owner sees, as far as its policy allows the model's id and those it is built upon.
    """
    renamed = {model for model, ids in before.ids.items() if after.ids.get(model) != ids}
    moved = {
        user: {model for model in models if model in renamed or model not in after.seen.get(user, frozenset())}
        for user, models in before.seen.items()
    }
    now = timezone.now()
    keys = ApiKey.objects.unrevoked().filter(is_active=True).select_related("user", "made_with")
    found = []
    for key in keys.order_by("user__username", "name", "pk"):
        if not moved.get(key.user_id) or not all(link.is_alive(now) for link in (key, key.made_with) if link):
            continue
        allows, sees = policy_of(key).allows, after.seen.get(key.user_id, frozenset())
        if any(
            all(map(allows, before.ids[model])) and not (model in sees and all(map(allows, after.ids[model])))
            for model in moved[key.user_id]
        ):
            found.append((key.user.get_username(), str(key)))
    return found
