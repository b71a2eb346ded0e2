"""A system check of the deployment: whether the configured peppers open the stored keys."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register
from django.db import DatabaseError
from django.db.models import Count

from apikeys import tokens
from apikeys.models import ApiKey, ExportToken


@register("modeldex", deploy=True)
def peppers_open_the_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    try:
        counted = [
            (what, *row)
            for what, rows in (
                ("API key", ApiKey.objects.unrevoked()),
                ("export token", ExportToken.objects.unrevoked().filter(key__revoked_at=None)),
            )
            for row in rows.order_by("pepper_id").values_list("pepper_id").annotate(keys=Count("pk"))
        ]
    except DatabaseError:
        # A deployment may be checked before its database is there.
        return []
    return [
        Warning(
            f"{keys} {what}{'' if keys == 1 else 's'} cannot be used, for API_KEY_PEPPERS does not hold the pepper "
            f"{tokens.pepper_name(mark)} that they were hashed with: put it back, or rotate the keys.",
            id="apikeys.W001",
        )
        for what, mark, keys in counted
        if not tokens.is_configured(mark)
    ]
