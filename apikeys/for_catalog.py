"""What API keys add to the catalog: which of them lose sight of models by a change, and what they name."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from apikeys.models import ApiKey
from apikeys.policy import policy_of
from catalog.access.audience import Audience
from catalog.access.rules import NOTHING
from catalog.access.viewers import Policy
from catalog.models import AIModel


def keys_losing(before: Audience, after: Audience) -> list[tuple[str, str]]:
    """(owner, key) of each key in use that reached one of these models and no longer does.

    A key reaches what its owner sees, as far as its policy allows the model's id and those it is built upon.
    """
    renamed = {
        model
        for model, ids in before.ids.items()
        if after.ids.get(model) != ids or after.targets.get(model) != before.targets.get(model)
    }
    now = timezone.now()
    keys = ApiKey.objects.unrevoked().filter(is_active=True).select_related("user", "group", "made_with")
    found = []
    for key in keys.order_by("user__username", "group__name", "name", "pk"):
        sees = _seen(after, key)
        moved = {model for model in _seen(before, key) if model in renamed or model not in sees}
        if not moved or key.why_not(now) is not None:
            continue
        policy = policy_of(key)
        if any(
            _reaches(policy, before, model) and not (model in sees and _reaches(policy, after, model))
            for model in moved
        ):
            found.append((key.owner.get_username(), str(key)))
    return found


def _seen(audience: Audience, key: ApiKey) -> frozenset[int]:
    """What the key's owner sees."""
    if key.user_id is not None:
        return audience.seen.get(key.user_id, frozenset())
    return audience.groups.get(key.group_id or 0, frozenset())


def _reaches(policy: Policy, audience: Audience, model: int) -> bool:
    """Whether the policy allows the model's ids, and does not deny what an alias stands for."""
    return all(map(policy.allows, audience.ids[model])) and all(map(policy.spares, audience.targets.get(model, ())))


def named_models(user_id: int) -> QuerySet[AIModel]:
    """What the allow lists of the user's keys name."""
    named = NOTHING
    for key in ApiKey.objects.unrevoked().filter(user=user_id, is_active=True, mode="allow_list").order_by("pk"):
        named |= policy_of(key).condition("model_id")
    return AIModel.objects.filter(named)
