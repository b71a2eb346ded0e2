from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apikeys import keys
from apikeys.models import Scope
from apikeys.policy import chosen
from catalog.access.callers import GroupPrincipal
from catalog.editing.history import Author


class Command(BaseCommand):
    help = "Makes an API key of a user or a group and prints it, and nothing else, on standard output, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        owners = parser.add_mutually_exclusive_group(required=True)
        owners.add_argument("user", metavar="USER", nargs="?", help="a user name")
        owners.add_argument("--group", metavar="NAME", help="the key of a group, which outlives whoever makes it")
        parser.add_argument("--name", default="made by command", help="what the key is for")
        lists = parser.add_mutually_exclusive_group()
        several: dict[str, Any] = {"nargs": "+", "action": "extend"}
        lists.add_argument("--allow", **several, metavar="PATTERN", help="only these model ids; * stands for any text")
        lists.add_argument("--deny", **several, metavar="PATTERN", help="all but these model ids")
        parser.add_argument(
            "--scope", **several, choices=Scope.values, help="default: the first two; a group's key: the first"
        )
        parser.add_argument("--per-minute", type=int, metavar="N", help="requests a minute")
        parser.add_argument("--per-day", type=int, metavar="N", help="requests a day")
        parser.add_argument("--expires", metavar="WHEN", help="ISO 8601 (a bare date: its end), or days: 90d")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = _user(options["user"]) if options["group"] is None else _group(options["group"])
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
            issued = keys.create(owner, values, policy, actor)
        except ValidationError as error:
            told = (f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts)
            raise CommandError("\n".join(told)) from error
        self.stdout.write(issued.token)


def _user(name: str) -> Any:
    user = get_user_model()._default_manager.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name!r}.")
    if not user.is_active:
        raise CommandError(f"The user {name!r} is deactivated; a key of theirs would not work.")
    return user


def _group(name: str) -> GroupPrincipal:
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise CommandError(f"There is no group {name!r}.")
    return GroupPrincipal(group)
