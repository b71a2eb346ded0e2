"""Going back, a run must have a provider again: those of deleted providers go, before the column is narrowed."""

from typing import Any

from django.db import migrations


def delete_orphans(apps: Any, schema_editor: Any) -> None:
    apps.get_model("providers", "SyncRun").objects.filter(provider=None).delete()


class Migration(migrations.Migration):
    dependencies = [("providers", "0003_runs_outlive_their_provider")]

    operations = [migrations.RunPython(migrations.RunPython.noop, delete_orphans)]
