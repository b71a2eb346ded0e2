"""Derived nothing since 0014_more_names derives every row by the rules of today: that is done once in an upgrade."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0010_journal"),
    ]

    operations = []
