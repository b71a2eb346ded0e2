"""One log: who did what and when, in sentences, grouped by act, the newest first.

It tells what history holds of models (FieldChange) and what the audit log holds of all else (AuditEntry). Both are read
from where the page before ended, by key, which follows the order of commits: a page costs the same however long they
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse

from catalog import extensions
from catalog.access import rights
from catalog.admin.entries import address_of
from catalog.formatting import change, describe, label, names_of, said
from catalog.models import AuditEntry, FieldChange
from catalog.models.history import PAST, REASON

ACTS = 40
# Changes of fields that one page reads; a sync may bring thousands.
ROWS = 2000
# Of one act.
LINES = 12
# Of a key that was made these are one sentence.
_OF_KEY = {"user", "group", "name", "mode", "patterns", "per_minute", "per_day", "expires_at", "is_active"}
# The names that a sentence on a change begins with.
_FIRST = {"user": 0, "group": 0, "name": 1}
# What a filter by kind may name: whose changes of models, or which kind of thing the audit log tells of.
OF_MODELS = {"person": "models, by people", "sync": "models, by syncs", "curated": "models, by the curated list"}
OF_THE_REST = {
    "apikey": "keys", "exporttoken": "export tokens", "user": "users", "group": "groups", "flag": "flags",
    "provider": "providers", "accessattempt": "sign-ins", "syncrun": "held runs", "tag": "tags",
    "defaultmodel": "default models",
}  # fmt: skip


@dataclass(slots=True)
class LoggedLine:
    text: str
    subject: str = ""
    address: str = ""


@dataclass(slots=True)
class LoggedAct:
    """What one person or sync did at once. `cut`: its beginning stands on the next page; `whose` a new key is."""

    at: datetime
    who: str
    told: str
    name: str = ""
    address: str = ""
    rows: list[Any] = field(default_factory=list)
    lines: list[LoggedLine] = field(default_factory=list)
    reason: str = ""
    cut: bool = False
    whose: str = ""

    @property
    def more(self) -> int:
        told = [row for row in self.rows if getattr(row, "field", "") != REASON]
        return max(0, len(told) - len(self.lines))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page is asked for."""

    who: str = ""
    subject: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None
    error: str = ""
    # The key of one thing of the kind, whose name may have changed since.
    key: str = ""

    @classmethod
    def read(cls, sent: QueryDict) -> Wanted:
        days: dict[str, date | None] = {}
        error = ""
        for name in ("since", "until"):
            try:
                days[name] = date.fromisoformat(text) if (text := sent.get(name, "")) else None
            except ValueError:
                days[name], error = None, "Write a day as 2027-01-31."
        who, subject, kind, key = (sent.get(name, "")[:255] for name in ("who", "object", "kind", "id"))
        return cls(who, subject, kind, days["since"], days["until"], error, key)

    def condition(self, moment: str) -> Q:
        found = Q()
        if self.who:
            found &= Q(actor=self.who) | Q(user__username=self.who)
        if self.subject:
            found &= Q(subject=self.subject)
        if self.since:
            found &= Q(**{f"{moment}__gte": datetime.combine(self.since, time(), UTC)})
        if self.until and self.until < date.max:
            found &= Q(**{f"{moment}__lt": datetime.combine(self.until + timedelta(days=1), time(), UTC)})
        return found


def log_page(request: HttpRequest) -> HttpResponse:
    """Raises PermissionDenied for who may read neither history nor the audit log."""
    may = [request.user.has_perm(f"catalog.view_{name}") for name in ("fieldchange", "auditentry")]
    if not any(may):
        raise PermissionDenied
    wanted = Wanted.read(request.GET)
    changes = rights.of(request).to_read_past(FieldChange.objects.filter(wanted.condition("changed_at")))
    entries = AuditEntry.objects.filter(wanted.condition("at"))
    if wanted.kind in OF_MODELS:
        changes, entries = changes.filter(source=wanted.kind), entries.none()
    elif wanted.kind:
        changes, entries = changes.none(), entries.filter(subject_type=wanted.kind)
        entries = entries.filter(subject_id=wanted.key) if wanted.key else entries
    of_models = list(_of_models(changes if may[0] else changes.none(), _key(request, "f")))
    of_the_rest = list(_of_the_rest(entries if may[1] else entries.none(), _key(request, "a")))
    acts: list[LoggedAct] = []
    found = len(of_models) + len(of_the_rest)
    for act in merge(of_models, of_the_rest, key=lambda act: act.at, reverse=True):
        if acts and (joined := _joined(acts[-1], act)):
            acts[-1], found = joined, found - 1
        else:
            acts.append(act)
        # What stands before a cut act in the other list may be younger than what the cut left unread.
        if len(acts) == ACTS or act.cut:
            break
    _describe(acts)
    context = {
        **admin.site.each_context(request),
        "title": "Log",
        "wanted": wanted,
        "kinds": [*OF_MODELS.items(), *OF_THE_REST.items()],
        "acts": acts,
        "older": _older(request, acts, found),
    }
    return TemplateResponse(request, "admin/catalog/log.html", context)


def _joined(one: LoggedAct, other: LoggedAct) -> LoggedAct | None:
    """Of two neighbours the one act that they are: what was done to a provider, and what that changed of models."""
    entry, changed = (one, other) if isinstance(one.rows[0], AuditEntry) else (other, one)
    at_once = one.who == other.who and abs(one.at - other.at) < timedelta(seconds=2)
    if not at_once or not isinstance(changed.rows[0], FieldChange) or not isinstance(entry.rows[0], AuditEntry):
        return None
    if entry.rows[0].subject_type != "provider" or len(entry.rows) > 1:
        return None
    models = f"{changed.told} {changed.name}".strip()
    lines = [LoggedLine("; ".join([*(line.text for line in entry.lines), models]))]
    return replace(entry, rows=[*entry.rows, *changed.rows], lines=lines, cut=changed.cut)


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _older(request: HttpRequest, acts: list[LoggedAct], found: int) -> str:
    """The query of the next page; "" where this one is the last."""
    if len(acts) == found and not any(act.cut for act in acts) and len(acts) < ACTS:
        return ""
    query = request.GET.copy()
    for name, model in (("f", FieldChange), ("a", AuditEntry)):
        if keys := [row.pk for act in acts for row in act.rows if isinstance(row, model)]:
            query[name] = str(min(keys))
    return query.urlencode()


def _of_models(rows: QuerySet[FieldChange], before: int | None) -> Iterator[LoggedAct]:
    """One transaction writes its rows one after the other; those of one author are one act."""
    if before is not None:
        rows = rows.filter(pk__lt=before)
    # Most are only counted, and old and new values may be long.
    found = list(rows.order_by("-pk").defer("old", "new")[:ROWS])
    acts = [list(group) for _, group in groupby(found, key=_act_of)]
    for number, members in enumerate(acts, 1):
        first = members[0]
        run = first.run_id
        who, address = first.actor or "somebody", ""
        if first.source == FieldChange.Source.SYNC and run:
            who, address = f"run {run} of {first.actor}", extensions.address_of_run(run)
        subjects = {row.subject for row in members}
        count = sum(row.field != REASON for row in members)
        fields = "1 field" if count == 1 else f"{count:,} fields"
        is_new = {row.subject for row in members if row.field == "created"} == subjects
        told = "added" if is_new else f"changed {fields} of"
        told += "" if len(subjects) == 1 else f" {len(subjects):,} models"
        name = subjects.pop() if len(subjects) == 1 else ""
        cut = number == len(acts) and len(found) == ROWS
        yield LoggedAct(first.changed_at, who, told, name, address, list(members), cut=cut)


def _act_of(row: FieldChange) -> tuple[Any, ...]:
    # Before versions were noted, the second stands for one.
    at = row.version or row.changed_at.replace(microsecond=0)
    return row.source, row.actor, row.user_id, row.run_id, None if row.run_id else at


def _of_the_rest(rows: QuerySet[AuditEntry], before: int | None) -> Iterator[LoggedAct]:
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[:ACTS])
    names = _owners_of_keys(found)
    for row in found:
        act = LoggedAct(row.at, row.actor or "somebody", row.done, row.subject)
        act.rows, text = [row], _told(row, names)
        if _is_new_key(row):
            owners = ((kind, row.changes.get(kind, [None])[-1]) for kind in ("user", "group"))
            act.whose = next((names[owner] for owner in owners if owner in names), "")
            text = "; ".join(filter(None, (_key_in_words(row.changes), text)))
        act.reason = str((row.changes.get(REASON) or [None, ""])[-1])
        act.lines = [LoggedLine(text)] if text else []
        yield act


def _owners_of_keys(rows: Iterable[AuditEntry]) -> dict[tuple[str, int], str]:
    """(`user` or `group`, its key) -> its name, of those that the keys of these rows belong to."""
    changes = [row.changes for row in rows if row.subject_type == "apikey"]
    owners = ((kind, pk) for kind in ("user", "group") for change in changes for pk in change.get(kind, ()))
    return names_of((kind, pk) for kind, pk in owners if isinstance(pk, int))


def _is_new_key(row: AuditEntry) -> bool:
    return row.subject_type == "apikey" and PAST.get(row.action) == "made"


def _key_in_words(changes: Mapping[str, Any]) -> str:
    """What a new key allows, how often and how long: `minimax/*, 2 a minute, until 2027-02-28 18:00`."""
    new = {name: pair[-1] for name, pair in changes.items() if name in _OF_KEY and pair}
    patterns = ", ".join(map(str, new.get("patterns") or ()))
    policies = {"allow_list": patterns or "no model", "deny_list": f"all but {patterns}" if patterns else ""}
    parts = [policies.get(str(new.get("mode"))) or "every model"]
    parts += [f"{new[name]:,} a {name[4:]}" for name in ("per_minute", "per_day") if new.get(name) is not None]
    if new.get("expires_at"):
        parts.append(f"until {said('expires_at', new['expires_at'])}")
    return ", ".join([*parts, "off"] if new.get("is_active") is False else parts)


def _told(row: AuditEntry, names: Mapping[tuple[str, int], str]) -> str:
    """What was before and after, in one line; of what was made only what it has. `names`: of `_owners_of_keys`."""
    parts = []
    is_made = PAST.get(row.action) == "made"
    # PostgreSQL keeps no order of names.
    for name, pair in sorted(row.changes.items(), key=lambda item: (_FIRST.get(item[0], len(_FIRST)), item[0])):
        if name == REASON or (name in _OF_KEY and _is_new_key(row)):
            continue
        old, new = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
        if isinstance(new, int):
            new = names.get((name, new), new)
        if is_made or old is None:
            if new not in (None, False, "", [], {}) or not is_made:
                parts.append(f"{label(name)}: {said(name, new)}")
        elif PAST.get(row.action) == "deleted":
            parts.append(f"{label(name)}: it was {said(name, old)}")
        else:
            parts.append(change(name, old, new))
    return "; ".join(parts)


def _describe(acts: Iterable[LoggedAct]) -> None:
    """Sets the lines of the acts on models."""
    shown = {id(act): _shown(act) for act in acts}
    rows = FieldChange.objects.select_related("model").filter(pk__in=[pk for keys in shown.values() for pk in keys])
    whole = {row.pk: row for row in rows.defer(*(f"model__{name}" for name in ("search_text", "upstream", "extras")))}
    describe(whole.values())
    for act in acts:
        if keys := shown[id(act)]:
            told = [whole[pk] for pk in keys if pk in whole]
            act.reason = act.reason or next((str(row.new) for row in told if row.field == REASON), "")
            told = [row for row in told if row.field != REASON]
            act.lines += [
                LoggedLine(_sentence(row), row.subject, address_of(row.model) if row.model else "") for row in told
            ]


def _shown(act: LoggedAct) -> list[int]:
    """The keys of the changes that the page tells, and of the reason, which is the same for all."""
    rows = [row for row in act.rows if isinstance(row, FieldChange)]
    why = [row.pk for row in rows if row.field == REASON]
    return [*[row.pk for row in rows if row.field != REASON][:LINES], *why[:1]]


def _sentence(row: Any) -> str:
    offered = f", as {row.offered_by} offers it" if row.offered_by else ""
    if row.field in ("created", "deleted"):
        return f"was {'added' if row.field == 'created' else 'deleted'}{offered}"
    return f"{row.told}{offered}"


admin.site.pages.append(("log/", log_page, "log"))  # type: ignore[attr-defined]
