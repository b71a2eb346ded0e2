from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apikeys import exports, keys
from apikeys.models import ApiKey
from catalog.editing.history import Author


class Command(BaseCommand):
    help = "Makes an export token of an API key and prints it, and nothing else. It is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", metavar="KEY-ID", help="the id of a key, as /api/keys shows it")
        parser.add_argument("--name", default="made by command", help="which tool the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        key = ApiKey.objects.unrevoked().filter(key_id=options["key"].strip()).first()
        if key is None:
            # Not echoed: it may be a whole key.
            raise CommandError("There is no such key. Give the id that /api/keys shows.")
        actor = keys.Actor(Author.person(None, "the command create_export"), is_staff=True)
        try:
            issued = exports.create(key, options["name"], actor)
        except keys.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        except ValidationError as error:
            told = (f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts)
            raise CommandError("\n".join(told)) from error
        self.stdout.write(issued.token)
