"""Making, changing, rotating and revoking keys: for the API, the admin and the commands alike.

Each function writes the row and its entry in the audit log in one transaction, and neither ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apikeys import tokens
from apikeys.models import PERSONAL_SCOPES, ApiKey, Scope, default_scopes, default_scopes_of_a_group
from apikeys.policy import KeyPolicy, policy_of
from catalog.access import rights
from catalog.access.callers import GroupPrincipal
from catalog.access.viewers import Policy, Viewer
from catalog.editing import history
from catalog.editing.history import Author
from catalog.models import AIModel
from catalog.validation import moments

MAX_OVERLAP = 7 * 86_400
_PLAIN = ("name", "per_minute", "per_day", "expires_at", "is_active")
# What a key does in its owner's name -> what staff may change of others with which permission, so that by a key that
# they make for somebody they change nothing that they may not change themselves. Settings are part of the account.
_NEEDED = {
    Scope.PREFERENCES_WRITE: ("settings", "auth.change_user"),
    Scope.CUSTOM_MODELS_WRITE: ("custom models", "catalog.change_custommodel"),
    Scope.KEYS_WRITE: ("keys", "apikeys.change_apikey"),
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with its secret, which is nowhere else and never shown again."""

    key: ApiKey
    token: str = field(repr=False)


class Refused(Exception):
    """What was asked for is not done, and nothing was changed. `code` says why, for programs."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Forbidden(Refused):
    """The actor may not do this."""


class Conflict(Refused):
    """The key is not in the state for this, or not any more."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the author for the audit log, their sight (None: superusers and commands), and the key that they use.

    `is_previous`: with its secret from before a rotation, which whoever found it could otherwise prolong for ever.
    `rights`: of staff who act on the keys of others; None for commands, whose user has the whole database anyway.
    """

    author: Author
    sight: Viewer | None = None
    key: ApiKey | None = None
    scopes: frozenset[str] = frozenset(Scope.values)
    is_previous: bool = False
    is_staff: bool = False
    rights: rights.Rights | None = None


def create(owner: Any, values: Mapping[str, Any], policy: KeyPolicy, actor: Actor) -> Issued:
    """A new key of a user, or of a group (a GroupPrincipal), for whom only staff make one.

    Raises ValidationError by field, or Forbidden where the actor's key may not.
    """
    if actor.key is not None and actor.key.made_with_id is not None:
        raise Forbidden("A key that was made with a key makes none itself.")
    refuse_previous(actor)
    _refuse_unknown_models(policy, None, actor.sight)
    token = tokens.make()
    is_group = isinstance(owner, GroupPrincipal)
    key = ApiKey(
        key_id=token.key_id,
        **({"group": owner.group} if is_group else {"user": owner}),
        hint=token.hint,
        secret_hash=token.digest(tokens.newest_pepper()),
        pepper_id=tokens.mark_of(tokens.newest_pepper()),
        made_with=actor.key,
        created_by=actor.author.user,
        scopes=sorted({*(default_scopes_of_a_group() if is_group else default_scopes())} & actor.scopes),
    )
    _assign(key, values, policy)
    with transaction.atomic():
        if actor.key is not None:
            locked(actor)
        differences = _owner_of(key) | _differences(None, key)
        _validate(key, actor, differences)
        key.save(force_insert=True)
        history.audit(actor.author, key, "create", differences)
    return Issued(key, token.text)


def check(key: ApiKey, values: Mapping[str, Any], policy: KeyPolicy, actor: Actor) -> None:
    """What `create` and `change` will say, for a form to show. Raises ValidationError by field."""
    present = ApiKey.objects.filter(pk=key.pk).select_related("user", "group", "made_with").first()
    draft = present or ApiKey(user=key.user, group=key.group)
    before = _facts(draft) if present else None
    allowed = policy_of(draft) if present and present.is_alive(timezone.now()) else None
    _refuse_unknown_models(policy, KeyPolicy.of(draft) if present else None, actor.sight)
    _assign(draft, values, policy)
    exclude = () if present else ("key_id", "hint", "secret_hash", "pepper_id")
    changed = _differences(before, draft) | ({} if present else _owner_of(key))
    _validate(draft, actor, changed, exclude, allowed)


def change(
    key: ApiKey, values: Mapping[str, Any], policy_from: Callable[[KeyPolicy], KeyPolicy], actor: Actor
) -> ApiKey:
    """Sets `values` on the row as it is now.

    `policy_from` gives the new policy from the present one. Staff who switch it off are remembered, as they are with
    `by_staff` where the owner did so before. Raises ValidationError by field; Forbidden where the
    actor's key would widen itself, or an owner would switch on what staff switched off.
    """
    with transaction.atomic():
        row = locked(actor, key)
        before = _facts(row)
        present = KeyPolicy.of(row)
        allowed = policy_of(row) if row.is_alive(timezone.now()) else None
        policy = policy_from(present)
        _refuse_unknown_models(policy, present, actor.sight)
        if values.get("is_active") and row.switched_off_by_staff and not actor.is_staff:
            raise Forbidden("Staff have switched this key off; they can switch it on.", "switched_off_by_staff")
        _assign(row, values, policy)
        if actor.is_staff and "is_active" in values:
            by_staff = row.switched_off_by_staff or before["is_active"] or values.get("by_staff", False)
            row.switched_off_by_staff = not row.is_active and by_staff
        if actor.key is not None and actor.key.pk == row.pk:
            _refuse_widening(before, row, present)
        differences = _differences(before, row)
        if differences:
            _validate(row, actor, differences, allowed=allowed)
            row.save()
            history.audit(actor.author, row, "change", differences)
    return row


def rotate(key: ApiKey, overlap_seconds: int, actor: Actor) -> Issued:
    """A new secret for the key as it was read; the present one holds for `overlap_seconds` more.

    Raises Conflict where another rotation came between, or where the overlap of one would be cut short by another.
    """
    if not 0 <= overlap_seconds <= MAX_OVERLAP:
        raise ValidationError({"overlap_seconds": f"A whole number from 0 to {MAX_OVERLAP}."})
    refuse_previous(actor)
    now = timezone.now()
    with transaction.atomic():
        row = locked(actor, key)
        if row.secret_hash != key.secret_hash:
            raise Conflict("The key was rotated meanwhile. Read it again.", "rotated_meanwhile")
        if overlap_seconds and row.previous_until is not None and row.previous_until > now:
            raise Conflict(
                "The overlap of the last rotation still runs. Wait for its end, or send 0 to end both secrets now.",
                "rotation_in_progress",
            )
        if reason := row.why_not(now):
            raise Conflict(f"A new secret would not work: the key does not ({reason.label}).", "key_not_usable")
        token = tokens.make(row.key_id)
        before = row.hint
        if overlap_seconds:
            row.previous_hash, row.previous_pepper_id = row.secret_hash, row.pepper_id
            row.previous_until = now + timedelta(seconds=overlap_seconds)
        else:
            row.previous_hash = row.previous_pepper_id = ""
            row.previous_until = None
        pepper = tokens.newest_pepper()
        row.pepper_id = tokens.mark_of(pepper)
        row.secret_hash, row.hint = token.digest(pepper), token.hint
        row.save()
        history.audit(
            actor.author, row, "rotate", {"hint": [before, row.hint], "previous_until": [None, row.previous_until]}
        )
    return Issued(row, token.text)


def revoke(key: ApiKey, actor: Actor) -> bool:
    """Ends the key for ever; its row and its past stay. False where it was revoked already."""
    with transaction.atomic():
        row = locked(actor, key, revoked_too=True)
        if row.revoked_at is not None:
            return False
        row.revoked_at = timezone.now()
        row.previous_hash = row.previous_pepper_id = ""
        row.previous_until = None
        row.save()
        history.audit(actor.author, row, "revoke", {"revoked_at": [None, row.revoked_at]})
    return True


def erase(key: ApiKey, actor: Actor) -> None:
    """Deletes the row, and with it the keys that were made with the key. Its past stays in the audit log."""
    with transaction.atomic():
        history.audit(actor.author, key, "delete")
        key.delete()


def refuse_previous(actor: Actor) -> None:
    """A secret in its last hours gives no other one: that would outlive it."""
    if actor.is_previous:
        raise Forbidden("The key has a newer secret; use that one for this.")


def _assign(key: ApiKey, values: Mapping[str, Any], policy: KeyPolicy) -> None:
    for name in _PLAIN:
        if name in values:
            setattr(key, name, values[name])
    if "scopes" in values:
        key.scopes = sorted(values["scopes"])
    key.mode, key.patterns = policy.mode, list(policy.patterns)


def locked(actor: Actor, key: ApiKey | None = None, *, revoked_too: bool = False) -> ApiKey:
    """The row of `key` (else of the actor's own key), locked, after reading again whether the actor's key is valid."""
    keys = [one for one in (key, actor.key) if one is not None]
    found = ApiKey.objects.filter(pk__in={one.pk for one in keys}).order_by("pk").select_for_update(no_key=True)
    rows = {row.pk: row for row in found}
    if actor.key is not None:
        presented = rows.get(actor.key.pk)
        if presented is None or not presented.is_alive(timezone.now()) or Scope.KEYS_WRITE not in presented.scopes:
            raise Forbidden("The key in use may not do this any more.")
    row = rows.get(keys[0].pk)
    if row is None or (row.revoked_at is not None and not revoked_too):
        raise Conflict("The key was revoked meanwhile.")
    return row


def beyond(key: ApiKey, actor: Actor, changed: Mapping[str, Any], allowed: Policy | None) -> dict[str, str]:
    """What the change (field -> before and after) would give beyond the rights of the staff who make it, by field.

    `allowed` is what the key allowed before; None where it was not in use, so that all that it shows is given now.
    Switching off takes away and gives nothing.

    What is given now counts. What the owner is granted later their keys open too, also those that staff made: a key is
    its owner's, as a password is that staff have set for them, and the owner may rotate or revoke it.
    """
    own = actor.rights
    if own is None or not changed or (changed.keys() <= {"is_active", "switched_off_by_staff"} and not key.is_active):
        return {}
    owner = key.owner
    if problem := own.over_user(owner):
        return {"user": problem}
    sight = rights.sight_of(owner)
    before = replace(sight, policy=allowed) if allowed is not None else None
    if problem := own.sight_beyond(replace(sight, policy=policy_of(key)), owner, before, is_key=True):
        return {"patterns": f"{problem} Name models that you see too."}
    before_it, scopes = changed.get("scopes", (None, ()))
    for scope, (what, permission) in _NEEDED.items() if key.user_id != own.user.pk else ():
        if scope in scopes and scope not in (before_it or ()) and not own.user.has_perm(permission):
            return {"scopes": f"You may not change {what} of {owner}, so no key that you make for them may."}
    return {}


def _validate(
    key: ApiKey,
    actor: Actor,
    changed: Mapping[str, Any],
    exclude: Iterable[str] = (),
    allowed: Policy | None = None,
) -> None:
    errors: dict[str, Any] = dict(beyond(key, actor, changed, allowed))
    if "scopes" in changed:
        if unknown := sorted(set(key.scopes) - set(Scope.values)):
            errors["scopes"] = f"There is no scope {unknown[0]!r:.60}; there are {', '.join(Scope.values)}."
        elif not key.scopes:
            errors["scopes"] = "A key has at least one scope."
        elif wider := sorted(set(key.scopes) - actor.scopes):
            errors["scopes"] = f"The key in use has no scope {wider[0]}, so it can give none."
        elif key.group_id is not None and (personal := sorted(PERSONAL_SCOPES & {*key.scopes})):
            errors["scopes"] = f"A group has no preferences and makes no keys, so its key has no scope {personal[0]}."
        elif key.made_with_id is not None and Scope.KEYS_WRITE in key.scopes:
            errors["scopes"] = f"A key that was made with a key has no scope {Scope.KEYS_WRITE}."
    if "expires_at" in changed and key.has_expired(timezone.now()):
        errors["expires_at"] = "This is in the past; a key expires in the future."
    try:
        key.full_clean(
            exclude={"user", "group", "made_with", "created_by", *exclude, *errors}, validate_constraints=False
        )
    except ValidationError as error:
        errors = {**error.error_dict, **errors}
    if errors:
        raise ValidationError(errors)


def _refuse_unknown_models(policy: KeyPolicy, present: KeyPolicy | None, sight: Viewer | None) -> None:
    """An allow list names models that the actor can see; what stood in it before may stay."""
    if policy.mode != "allow_list":
        return
    already = set(present.patterns) if present is not None and present.mode == "allow_list" else set()
    wanted = {pattern for pattern in policy.patterns if "*" not in pattern} - already
    if not wanted:
        return
    models = AIModel.objects.all() if sight is None else AIModel.objects.visible_to(sight)
    unknown = wanted - set(models.filter(model_id__in=wanted).values_list("model_id", flat=True))
    if unknown:
        raise ValidationError(
            {
                f"allowed_models.{n}": f"There is no model {pattern!r:.100}; a pattern may name some to come: acme/*"
                for n, pattern in enumerate(policy.patterns)
                if pattern in unknown
            }
        )


def _refuse_widening(before: Mapping[str, Any], row: ApiKey, present: KeyPolicy) -> None:
    """A key may narrow itself, and nothing else."""
    wider = [
        name
        for name in ("per_minute", "per_day", "expires_at")
        if before[name] is not None and (getattr(row, name) is None or getattr(row, name) > before[name])
    ]
    if not set(row.scopes) <= set(before["scopes"]):
        wider.append("scopes")
    if not KeyPolicy.of(row).is_within(present):
        wider.append("models")
    if wider:
        raise Forbidden(f"A key cannot widen itself ({', '.join(wider)}). Sign in to do that.", "key_widening")


def _owner_of(key: ApiKey) -> dict[str, list[Any]]:
    return {"user": [None, key.user_id]} if key.group_id is None else {"group": [None, key.group_id]}


def _facts(key: ApiKey) -> dict[str, Any]:
    names = (*_PLAIN, "mode", "patterns", "scopes", "switched_off_by_staff")
    return {name: getattr(key, name) for name in names}


def _differences(before: Mapping[str, Any] | None, key: ApiKey) -> dict[str, list[Any]]:
    after = _facts(key)
    if before is None:
        return {name: [None, value] for name, value in after.items()}
    return {name: [before[name], value] for name, value in after.items() if before[name] != value}


def expiry(text: str, now: datetime) -> datetime | None:
    """The moment that `90d` or an ISO 8601 text names (a bare date: its end); None where none can be stored."""
    try:
        if text.endswith("d") and text[:-1].isascii() and text[:-1].isdigit() and len(text) <= 8:
            return now + timedelta(days=int(text[:-1]))
        return moments.until(text)
    except (ValueError, OverflowError):
        return None
