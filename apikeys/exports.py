"""Making and revoking export tokens: for the API, the admin and the command alike."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apikeys import keys, tokens
from apikeys.models import ApiKey, ExportToken
from catalog.editing import history

# Of one key, without those that are revoked: each is a secret that somebody must keep track of.
MOST_OF_A_KEY = 20


@dataclass(frozen=True, slots=True)
class IssuedExport:
    """An export token with its text, which is nowhere else and never shown again."""

    export: ExportToken
    token: str = field(repr=False)


def create(key: ApiKey, name: str, actor: keys.Actor) -> IssuedExport:
    """A new token for the exports of `key`. Raises ValidationError by field, keys.Forbidden and keys.Conflict.

    Whoever makes one reads with it what the key reads, so staff need for it what they need to make such a key.
    """
    token = tokens.make(prefix=tokens.EXPORT_PREFIX)
    with transaction.atomic():
        row = keys.locked(actor, key)
        check(row, actor)
        export = ExportToken(
            export_id=token.key_id,
            key=row,
            name=name,
            hint=token.hint,
            token_hash=token.digest(tokens.newest_pepper()),
            pepper_id=tokens.mark_of(tokens.newest_pepper()),
            created_by=actor.author.user,
        )
        export.full_clean(exclude={"key", "created_by"})
        export.save(force_insert=True)
        history.audit(actor.author, export, "create", {"key": [None, str(row)], "name": [None, name]})
    return IssuedExport(export, token.text)


def check(key: ApiKey, actor: keys.Actor) -> None:
    """Raises what `create` would say of this key."""
    keys.refuse_previous(actor)
    if reason := key.why_not(timezone.now()):
        raise keys.Conflict(f"Its exports would be empty: the key does not work ({reason.label}).", "key_not_usable")
    if ExportToken.objects.unrevoked().filter(key=key).count() >= MOST_OF_A_KEY:
        raise keys.Conflict(
            f"The key has {MOST_OF_A_KEY} export tokens, and may have no more: revoke one first.", "too_many_exports"
        )
    if problems := keys.beyond(key, actor, {"exports": [None, key.key_id]}, None):
        raise ValidationError({"key": [*problems.values()]})


def revoke(export: ExportToken, actor: keys.Actor) -> bool:
    """Ends the token for ever; its row stays. False where it was revoked already."""
    with transaction.atomic():
        keys.locked(actor, export.key, revoked_too=True)
        row = ExportToken.objects.get(pk=export.pk)
        if row.revoked_at is not None:
            return False
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        history.audit(actor.author, row, "revoke", {"revoked_at": [None, row.revoked_at]})
    return True


def erase(export: ExportToken, actor: keys.Actor) -> None:
    """Deletes the row: whoever still asks with the token gets 404. Its past stays in the audit log."""
    with transaction.atomic():
        history.audit(actor.author, export, "delete")
        export.delete()
