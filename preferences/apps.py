from django.apps import AppConfig


class PreferencesConfig(AppConfig):
    name = "preferences"
    verbose_name = "Preferences"

    def ready(self) -> None:
        from catalog import extensions
        from preferences import for_catalog, signals  # noqa: F401  # connects its receivers

        extensions.own_switches = for_catalog.own_switches
        extensions.caller_columns = for_catalog.caller_columns
        extensions.interests.append(for_catalog.chosen_models)
        extensions.default_marks = for_catalog.default_marks
