"""`manage.py bulk_models`: switches provider models on or off, all or all but some."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.editing.history import Author
from providers.models import Provider
from providers.offers import bulk
from providers.offers.bulk import UnknownIds


class Command(BaseCommand):
    help = "Switches provider models on or off: all of them, or all but those excepted."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("action", choices=("enable", "disable"))
        parser.add_argument("--provider", metavar="P", help="Only those of this provider.")
        parser.add_argument(
            "--except", dest="excluded", nargs="+", action="extend", default=[], metavar="ID",
            help="Leave these as they are: catalog ids or upstream ids, exactly as written.",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="Show what would change, and write nothing.")
        parser.add_argument("--ignore-unknown", action="store_true", help="Pass over ids to except that do not exist.")

    def handle(self, *args: Any, **options: Any) -> None:
        enable, provider = options["action"] == "enable", self._provider(options["provider"])
        chosen: dict[str, Any] = {
            "provider": provider,
            "exclude": options["excluded"],
            "ignore_unknown": options["ignore_unknown"],
        }
        try:
            if options["dry_run"]:
                counts, changing = bulk.preview(enable, **chosen)
                for row in changing:
                    self.stdout.write(f"would {options['action']} {row.provider}: {row.upstream_id}")
            else:
                counts = bulk.switch(enable, Author.person(None, "command line"), **chosen)
        except UnknownIds as error:
            raise CommandError(f"{error} Nothing was switched; --ignore-unknown passes over such ids.") from error
        done = "would be updated" if options["dry_run"] else "updated"
        self.stdout.write(f"{counts.updated} {done}, {counts.skipped} skipped, {counts.checked} checked")

    def _provider(self, slug: str | None) -> Provider | None:
        if slug is None:
            return None
        found = Provider.objects.filter(slug=slug).first()
        if found is None:
            there = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"No such provider: {slug}. There are: {there}.")
        return found
