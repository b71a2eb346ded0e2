from django.apps import AppConfig


class PreferencesConfig(AppConfig):
    name = "preferences"
    verbose_name = "Preferences"

    def ready(self) -> None:
        from catalog import extensions
        from preferences import marks, signals  # noqa: F401  # connects its receivers

        extensions.own_switches = marks.own_switches
        extensions.caller_columns = marks.caller_columns
        extensions.default_marks = marks.default_marks
