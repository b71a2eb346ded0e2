from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = "Catalog"

    def ready(self) -> None:
        from catalog import deriving, flags, versions

        versions.watch()
        deriving.watch()
        flags.watch()
