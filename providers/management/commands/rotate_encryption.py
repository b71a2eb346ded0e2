"""`manage.py rotate_encryption`: encrypts the stored credentials anew under the newest of CREDENTIAL_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.connection import sealing


class Command(BaseCommand):
    help = "Encrypts every stored credential anew under the first of CREDENTIAL_KEYS, so that the older keys can go."

    def handle(self, *args: Any, **options: Any) -> None:
        done, failed = sealing.rotate()
        self.stdout.write(f"Encrypted anew: {', '.join(done) or 'none'}.")
        if failed:
            raise CommandError(
                f"Not decryptable with the configured keys, and left as they are: {', '.join(failed)}. "
                "Add the key that they were stored under, or enter those credentials again."
            )
