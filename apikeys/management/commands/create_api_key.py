from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apikeys import keys
from apikeys.models import Scope
from apikeys.policy import chosen
from catalog.editing.history import Author


class Command(BaseCommand):
    help = "Makes an API key for a user and prints it, and nothing else, on standard output. It is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="a user name")
        parser.add_argument("--name", default="made by command", help="what the key is for")
        lists = parser.add_mutually_exclusive_group()
        several: dict[str, Any] = {"nargs": "+", "action": "extend"}
        lists.add_argument("--allow", **several, metavar="PATTERN", help="only these model ids; * stands for any text")
        lists.add_argument("--deny", **several, metavar="PATTERN", help="all but these model ids")
        parser.add_argument("--scope", **several, choices=Scope.values, help="default: the first two")
        parser.add_argument("--per-minute", type=int, metavar="N", help="requests a minute")
        parser.add_argument("--per-day", type=int, metavar="N", help="requests a day")
        parser.add_argument("--expires", metavar="WHEN", help="ISO 8601 (a bare date: its end), or days: 90d")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model()._default_manager.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if not user.is_active:
            raise CommandError(f"The user {options['user']!r} is deactivated; a key of theirs would not work.")
        values = {name: options[name] for name in ("name", "per_minute", "per_day") if options[name] is not None}
        if options["scope"]:
            values["scopes"] = list(dict.fromkeys(options["scope"]))
        if options["expires"]:
            values["expires_at"] = keys.expiry(options["expires"], timezone.now())
            if values["expires_at"] is None:
                raise CommandError(
                    "--expires is ISO 8601, such as 2027-01-31T12:00:00Z, or 2027-01-31 for the end of that day (UTC), "
                    "or days, such as 90d; before the year 10000."
                )
        actor = keys.Actor(Author.person(None, "the command create_api_key"), is_staff=True)
        try:
            policy = chosen(None, {"allowed_models": options["allow"], "denied_models": options["deny"]})
            issued = keys.create(user, values, policy, actor)
        except ValidationError as error:
            told = (f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts)
            raise CommandError("\n".join(told)) from error
        self.stdout.write(issued.token)
