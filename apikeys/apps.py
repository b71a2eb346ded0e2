from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    verbose_name = "API keys"

    def ready(self) -> None:
        from apikeys import checks  # noqa: F401  # registers them
        from apikeys.for_catalog import keys_losing, named_models
        from catalog import extensions

        extensions.interests.append(named_models)
        extensions.keys_losing = keys_losing
