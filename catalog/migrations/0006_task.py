"""What a model is for, as a field. Its words, and prices, follow in 0014_more_names."""

from django.db import migrations, models
from django.db.models import F

from catalog.capabilities import ABILITIES, OTHER, TASKS
from catalog.db.bulk import update_rows
from catalog.db.fields import ExactCharField
from catalog.derived import facet
from catalog.pricing import prompt_per_million
from catalog.validation import model_ids

BATCH = 500
WRITTEN = ("task", "facets", "prompt_price")
READ = (
    "kind", "model_id", "base_model", "input_modalities", "output_modalities", "supports_embeddings", "pricing",
    *(field for _, field in ABILITIES), *WRITTEN,
)  # fmt: skip


def rewrite(row, words, price):
    """Puts these capabilities in place of those that the facets name. Returns whether the row differs."""
    before = (row.facets, row.prompt_price)
    others = [line for line in row.facets.split("\n") if line and not line.startswith("capability:")]
    row.facets = "".join([*(facet("capability", word) for word in words), *(f"\n{line}\n" for line in others)])
    row.prompt_price = price
    return before != (row.facets, row.prompt_price)


def write(model, rows, change):
    batch = []
    for row in rows.iterator(chunk_size=BATCH):
        if change(row):
            batch.append(row)
        if len(batch) == BATCH:
            update_rows(model, batch, WRITTEN)
            batch = []
    update_rows(model, batch, WRITTEN)


def former_words(row):
    chat = not row.supports_embeddings and (not row.output_modalities or "text" in row.output_modalities)
    flags = (("embeddings", "supports_embeddings"), *ABILITIES)
    return [*(["chat"] if chat else []), *(word for word, field in flags if getattr(row, field))]


def backwards(apps, schema_editor):
    model = apps.get_model("catalog", "AIModel")
    write(
        model,
        model.objects.only(*READ),
        lambda row: rewrite(row, former_words(row), prompt_per_million({"prompt": row.pricing.get("prompt")})),
    )
    apps.get_model("catalog", "CatalogVersion").objects.update(number=F("number") + 1)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_custom_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="aimodel",
            name="task",
            field=models.CharField(
                blank=True, choices=[(word, word) for word in (*TASKS, OTHER)], default="", max_length=32
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="aimodel",
            name="alias_of",
            field=ExactCharField(blank=True, max_length=model_ids.MAX_LENGTH, validators=[model_ids.validate]),
        ),
        migrations.RunPython(migrations.RunPython.noop, backwards),
    ]
