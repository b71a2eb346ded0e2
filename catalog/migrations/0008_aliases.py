from django.conf import settings
from django.db import migrations, models
from django.db.models import F


def inherit_alias(apps, schema_editor):
    """Custom models built on an alias are judged with what it stands for, so they have it on their own rows."""
    rows = apps.get_model("catalog", "AIModel").objects
    # Twice, as a custom model may be built on another one.
    for _ in range(2):
        built = rows.filter(kind="custom", delegated=False, base_model__alias_of__gt="").order_by("pk")
        for pk, target in built.values_list("pk", "base_model__alias_of"):
            rows.filter(pk=pk).update(alias_of=target)
    # What readers get has changed, and so have the tags of their answers.
    apps.get_model("catalog", "CatalogVersion").objects.update(number=F("number") + 1)


def forget_alias(apps, schema_editor):
    apps.get_model("catalog", "AIModel").objects.filter(kind="custom").update(alias_of="")


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0007_sent_forms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="aimodel",
            name="aimodel_created",
        ),
        migrations.AddIndex(
            model_name="aimodel",
            index=models.Index(
                fields=["created_at", "model_id"],
                include=(
                    "id",
                    "kind",
                    "active",
                    "hidden",
                    "experimental",
                    "requires_feature_flag",
                    "restricted",
                    "owner",
                    "alias_of",
                ),
                name="aimodel_created",
            ),
        ),
        migrations.AddIndex(
            model_name="aimodel",
            index=models.Index(
                condition=models.Q(("alias_of__gt", "")), fields=["alias_of"], include=("id",), name="aimodel_alias"
            ),
        ),
        # After the indexes: PostgreSQL makes none on a table with changes of the same transaction to check.
        migrations.RunPython(inherit_alias, forget_alias),
    ]
