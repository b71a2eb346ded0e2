from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = "Catalog"

    def ready(self) -> None:
        from catalog import derived, flags, versions
        from catalog.db import prepared

        prepared.watch()
        versions.watch()
        derived.watch()
        flags.watch()
