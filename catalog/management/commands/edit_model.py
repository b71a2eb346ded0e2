"""`manage.py edit_model`: one edit of one entry, with the same checks as the admin's form."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from catalog.editing import entries
from catalog.editing.history import Author
from catalog.fields import DECIDED_FIELDS, SYNCED_FIELDS
from catalog.models import AIModel
from catalog.validation import moments, strict_json

EDITABLE = ("tags", *SYNCED_FIELDS, *DECIDED_FIELDS, "frozen")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Command(BaseCommand):
    help = (
        "Sets fields of an AI model by hand: the synced ones among those changed are pinned, so that no sync "
        "overwrites them. --release hands pinned fields back (all of them where none is named)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("model_id", metavar="ID")
        parser.add_argument(
            "--set", dest="values", nargs="+", action="extend", default=[], metavar="FIELD=VALUE",
            help="Lists and objects as JSON; nothing after the = clears the field.",
        )  # fmt: skip
        parser.add_argument("--release", nargs="*", action="extend", default=None, metavar="FIELD")

    def handle(self, *args: Any, **options: Any) -> None:
        model = AIModel.objects.filter(model_id=options["model_id"]).first()
        if model is None:
            raise CommandError(f"No such model: {options['model_id']}.")
        if not options["values"] and options["release"] is None:
            raise CommandError("Nothing to do: give --set FIELD=VALUE or --release.")
        author = Author.person(None, "command line")
        released: list[str] = []
        changed: list[str] = []
        try:
            values = _parsed(options["values"])
            tags = values.pop("tags", None)
            with transaction.atomic():
                if options["release"] is not None:
                    released = entries.release(model, options["release"] or None, author)
                if options["values"]:
                    changed = entries.edit(model, values, author, tags=tags)
        except ValidationError as error:
            raise CommandError("\n".join(_messages(error))) from error
        if released:
            self.stdout.write(f"released: {', '.join(released)}")
        if options["values"]:
            self.stdout.write(f"changed: {', '.join(changed) or 'nothing'}")
        model.refresh_from_db()
        self.stdout.write(f"pinned: {', '.join(model.pinned_fields) or 'nothing'}")


def _parsed(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValidationError(f"{pair!r} is not FIELD=VALUE.")
        if name not in EDITABLE:
            where = " Prices are corrected on the page of the provider model." if name == "pricing" else ""
            raise ValidationError(f"{name!r} is no field that can be edited. These can: {', '.join(EDITABLE)}.{where}")
        if name in found:
            raise ValidationError(f"{name} is set twice.")
        try:
            found[name] = _tags(text) if name == "tags" else _value(name, text)
        except ValidationError as error:
            problems[name] = error.messages
    if problems:
        raise ValidationError(problems)
    return found


def _value(name: str, text: str) -> Any:
    """The field's value that `text` stands for; an empty text clears it."""
    field: Any = AIModel._meta.get_field(name)
    if not text:
        return field.get_default() if isinstance(field, models.JSONField) else None if field.null else ""
    if isinstance(field, models.JSONField):
        try:
            return strict_json.parse(text)
        except ValidationError as error:
            if error.code != "invalid_json":
                raise
            raise ValidationError('This is no JSON; write a list as ["text", "image"].') from None
    if isinstance(field, models.BooleanField):
        if text.lower() not in _WORDS:
            raise ValidationError("Write true or false.")
        return _WORDS[text.lower()]
    if type(field) is models.DateField and len(text) > len("2026-01-31"):
        raise ValidationError("This is a date without a time or zone: write it as 2026-01-31.")
    try:
        # A time is read as a date, too.
        value = field.to_python(moments.calendar(text) if isinstance(field, models.DateField) else text)
        return moments.storable(value) if isinstance(field, models.DateTimeField) else value
    except ValueError as error:
        raise ValidationError(str(error)) from error


def _tags(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _messages(error: ValidationError) -> list[str]:
    if hasattr(error, "error_dict"):
        return [f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items()]
    return error.messages
