from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    verbose_name = "API keys"

    def ready(self) -> None:
        from apikeys import checks  # noqa: F401  # registers them
        from apikeys.losing import keys_losing
        from catalog.access import audience

        audience.also_losing.append(keys_losing)
