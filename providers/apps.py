from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = "Providers"

    def ready(self) -> None:
        from catalog import extensions
        from providers import checks, for_catalog, signals  # noqa: F401  # checks and signals register themselves

        extensions.offers_of = for_catalog.offers_of
        extensions.sources_of = for_catalog.sources_of
        extensions.is_available = for_catalog.is_available
        extensions.price_history_of = for_catalog.price_history_of
        extensions.provider_names = for_catalog.provider_names
        extensions.address_of_run = for_catalog.address_of_run
