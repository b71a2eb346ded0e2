"""What a model is for and what it costs, by the names and the kinds of price that the rules have come to know."""

from django.db import migrations

from catalog import versions
from catalog.db.bulk import update_rows
from catalog.editing import refill
from catalog.pricing import prompt_per_million


def derive_again(apps, schema_editor):
    model = apps.get_model("catalog", "AIModel")
    changed = []
    for row in model.objects.exclude(kind="custom").only("pricing", "prompt_price").iterator(chunk_size=500):
        price = prompt_per_million(row.pricing if isinstance(row.pricing, dict) else {})
        if row.prompt_price != price:
            row.prompt_price = price
            changed.append(row)
    update_rows(model, changed, ["prompt_price"])
    # Custom models have the price of the model that they are built on.
    if refill.fill(model) or changed:
        # Processes that run meanwhile must not go on answering from what they have read.
        apps.get_model("catalog", "CatalogVersion").objects.update(number=versions.after("number"))


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0010_journal"),
    ]

    operations = [
        migrations.RunPython(derive_again, migrations.RunPython.noop),
    ]
