"""The project's settings, with two routes more to compare with."""

from config.settings import *  # noqa: F403 - all of them

ROOT_URLCONF = "tests.bench.urls"
