import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def delete_keys_of_groups(apps, schema_editor):
    """On the way back: the release before knows no such owner, and nobody else may get what the keys opened.

    They and their export tokens are gone for good; the audit log keeps what was done with them.
    """
    apps.get_model("apikeys", "ApiKey").objects.filter(user=None).delete()
    # PostgreSQL alters no table on which checks of foreign keys still wait for the end of the transaction.
    schema_editor.connection.check_constraints()


class Migration(migrations.Migration):
    dependencies = [
        ("apikeys", "0003_exports"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="group",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="api_keys",
                to="auth.group",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="api_keys",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("group", None), ("user__isnull", False)),
                    models.Q(("group__isnull", False), ("user", None)),
                    _connector="OR",
                ),
                name="key_of_a_user_or_a_group",
                violation_error_message="A key belongs to a user or to a group.",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, delete_keys_of_groups, elidable=False),
    ]
