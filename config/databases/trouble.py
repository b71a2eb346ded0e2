"""What is wrong with the database, in one sentence for the person who typed a command."""

from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError

from config.api.logging import masked

NotUsable = (OperationalError, InterfaceError, ProgrammingError)
# As SQLite and PostgreSQL say that a table or a column is not there.
_NOT_MIGRATED = ("no such table", "no such column", "does not exist")


def sentence(error: Exception) -> str:
    """One line without a credential, which says what to do; "" where the mistake is in a statement of ours."""
    said = masked(" ".join(str(error).split()))
    database = settings.DATABASES["default"]
    place = database["NAME"]
    if host := database.get("HOST"):
        place = f"{place} at {host}{':' if database.get('PORT') else ''}{database.get('PORT') or ''}"
    # psycopg's is that the database itself does not exist.
    is_gone = isinstance(error, OperationalError) and type(error.__cause__).__module__.partition(".")[0] == "psycopg"
    if any(words in said for words in _NOT_MIGRATED) and not is_gone:
        return f"The database {place} is not what this version expects: run `manage.py migrate` ({said})."
    if isinstance(error, ProgrammingError):
        return ""
    return f"The database {place} cannot be used: see that it runs, and that DATABASE_URL is right ({said})."
