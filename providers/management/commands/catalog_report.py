"""Prints how much is known of the models that each provider lists."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from catalog.formatting import label, said
from providers.reports import coverage
from providers.reports.conflicts import conflicts
from providers.reports.coverage import Coverage

COLUMNS = ("models", "context", "price", "modalities", "context_and_price")


class Command(BaseCommand):
    help = "How many listed models have a context length, a price and modalities: by provider, and after joining."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="For machines.")
        parser.add_argument("--conflicts", action="store_true", help="Print what sources disagree about, too.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            told = coverage.as_json()
            if options["conflicts"]:
                told["conflicts"] = [asdict(conflict) for conflict in conflicts()]
            self.stdout.write(json.dumps(told, indent=2, default=str))
            return
        self._row("", "", COLUMNS)
        for slug, views in coverage.by_provider().items():
            for view, covered in views.items():
                self._counts(slug if view == "said" else "", {"said": "says", "known": "known of them"}[view], covered)
        self._counts("catalog", "available", coverage.of_catalog())
        openai, missing = coverage.callable_at_openai()
        if openai.models:
            self.stdout.write(
                f"\nOf the {openai.models} ids of OpenAI that a chat or embeddings user would call, "
                f"{openai.context_and_price} ({openai.share:.1%}) have a context length and a price."
            )
        if missing:
            self.stdout.write(f"Without: {', '.join(missing)}")
        for conflict in conflicts() if options["conflicts"] else ():
            words = ", ".join(f"{one.source} {said(conflict.field, one.value)}" for one in conflict.said)
            self.stdout.write(f"{conflict.model_id} {label(conflict.field)}: {words}")

    def _counts(self, name: str, view: str, covered: Coverage) -> None:
        self._row(name, view, [str(getattr(covered, column)) for column in COLUMNS])

    def _row(self, name: str, view: str, cells: Any) -> None:
        self.stdout.write(f"{name:<12} {view:<14}" + "".join(f"{cell.replace('_', ' '):>20}" for cell in cells))
