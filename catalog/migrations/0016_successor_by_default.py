from django.db import migrations

import catalog.db.fields
import catalog.validation.model_ids


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0015_lifecycle"),
    ]

    operations = [
        migrations.AlterField(
            model_name="aimodel",
            name="successor",
            field=catalog.db.fields.ExactCharField(
                blank=True,
                db_default="",
                default="",
                max_length=255,
                validators=[catalog.validation.model_ids.validate],
            ),
        ),
    ]
