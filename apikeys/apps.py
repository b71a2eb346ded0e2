from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    verbose_name = "API keys"

    def ready(self) -> None:
        from apikeys import checks  # noqa: F401  # registers them
        from apikeys.authentication import caller_of_key, credential_of, credential_of_export
        from apikeys.for_catalog import keys_losing, named_models
        from catalog import extensions

        extensions.caller_of_key = caller_of_key
        extensions.credential_of = credential_of
        extensions.credential_of_export = credential_of_export
        extensions.interests.append(named_models)
        extensions.keys_losing = keys_losing
