#!/usr/bin/env python3
import gc
import os
import signal
import sys
from pathlib import Path


def after_make_run() -> None:
    """In a checkout that `make run` made, whose secrets lie beside it, a command needs no variable in the environment.

    Where SECRET_KEY is set, as in production it must be, nothing is taken from there.
    """
    named = ("MODELDEX_ENV", "DEBUG", "SECRET_KEY", "SECRET_KEY_FILE")
    data = Path(os.environ.get("DATA_DIR") or Path(__file__).resolve().parent / "data")
    if not any(os.environ.get(name) for name in named) and (data / "secret_key").is_file():
        os.environ["MODELDEX_ENV"] = "development"


def main() -> None:
    # What is loaded at the start stays. To look through it for garbage again and again takes a twentieth of the time.
    gc.set_threshold(50_000)
    after_make_run()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # A command's standard output is its result, such as the one line of create_api_key.
    os.environ.setdefault("LOG_STREAM", "stderr")
    # A command is one caller. A pool would only hide why there is no connection.
    os.environ["DATABASE_POOL_MAX_SIZE"] = "0"
    try:
        from django.core.management import BaseCommand, execute_from_command_line

        from config.databases.trouble import NotUsable, sentence
    except ModuleNotFoundError:
        raise SystemExit(
            "This Python lacks Modeldex's packages: run `make install`, then `.venv/bin/python manage.py ...`."
        ) from None

    # Checks load every view, and find the same each time in one release: `manage.py check` makes them.
    BaseCommand.requires_system_checks = ()

    try:
        try:
            execute_from_command_line(sys.argv)
        except NotUsable as error:
            if "--traceback" in sys.argv or not (said := sentence(error)):
                raise
            sys.exit(said)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as `head`, has had enough. What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


if __name__ == "__main__":
    main()
