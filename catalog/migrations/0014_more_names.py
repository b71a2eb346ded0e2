"""Fills what lists are filtered, sorted and searched by on rows that were there before those columns, or their rules.

By the rules of today, prices too: so the last migration that derives is the only one that has to.
"""

from django.db import migrations

from catalog import versions
from catalog.editing import refill


def derive_again(apps, schema_editor):
    if refill.fill(apps.get_model("catalog", "AIModel")):
        # Processes that run meanwhile must not go on answering from what they have read.
        apps.get_model("catalog", "CatalogVersion").objects.update(number=versions.after("number"))


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0013_changes_in_order"),
    ]

    operations = [
        migrations.RunPython(derive_again, migrations.RunPython.noop),
    ]
