from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys import keys, tokens
from apikeys.models import ApiKey
from catalog.editing.history import Author


class Command(BaseCommand):
    help = "Revokes an API key for ever, from the next request on. A key that was revoked before is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", metavar="KEY-OR-ID", help="the key itself, or its id as /api/keys shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["key"].strip()
        # Any secret that the key ever had will do: one that leaked before a rotation is still a reason.
        token = tokens.parse(given)
        key = ApiKey.objects.select_related("user", "group").filter(key_id=token.key_id if token else given).first()
        if key is None:
            # Not echoed: it may be a mistyped secret.
            raise CommandError("There is no such key. Give a whole key, or the id that /api/keys shows.")
        actor = keys.Actor(Author.person(None, "the command revoke_api_key"), is_staff=True)
        done = "Revoked" if keys.revoke(key, actor) else "Was revoked before:"
        self.stdout.write(f"{done} {key} of {key.owner.get_username()}.")
