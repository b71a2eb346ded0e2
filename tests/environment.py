"""
What every test run starts from, whatever the shell around it holds. Loaded by pytest before the settings are.

TEST_DATABASE=sqlite (the default) or postgresql chooses the engine. For PostgreSQL, TEST_DATABASE_URL names a server
whose user may create databases; without it one is started for this run.
"""

import atexit
import os
import tempfile
from contextlib import ExitStack

SET = {
    "MODELDEX_ENV": "development",
    "SECRET_KEY": "tests-only-0123456789abcdefghijklmnopqrstuvwxyz",
    "CREDENTIAL_KEYS": "dGVzdHMtb25seS1rZXktb2YtMzItYnl0ZXMtMDEyMzQ=",
    "API_KEY_PEPPERS": "tests:only-0123456789abcdefghijklmnopqrstuvwxyz",
    "DATABASE_POOL_MAX_SIZE": "0",
    # No file's settings, and no proxy's: tests speak to loopback only.
    "ENV_FILE": os.devnull,
    "NO_PROXY": "*",
}
UNSET = (
    "ACCESS_LOG",
    "ALLOWED_HOSTS",
    "ANTHROPIC_API_KEY",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_REPLICA_URL",
    "DATABASE_REQUEST_TIMEOUT",
    "DATABASE_URL",
    "DEBUG",
    "DEFAULT_FROM_EMAIL",
    "EMAIL_URL",
    "GOOGLE_API_KEY",
    "HOST",
    "INSECURE_HTTP",
    "LOG_LEVEL",
    "LOG_STREAM",
    "MISTRAL_API_KEY",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_GROUPS_CLAIM",
    "OIDC_ISSUER_URL",
    "OIDC_ONLY",
    "OIDC_STAFF_GROUPS",
    "OLLAMA_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENROUTER_API_KEY",
    "OPENROUTER_BASE_URL",
    "PROVIDER_ALLOWED_HOSTS",
    "PROVIDER_CACHE_SECONDS",
    "PUBLIC_CATALOG",
    "SITE_URL",
    "STATIC_ROOT",
    "TRUSTED_PROXIES",
    "WEB_THREADS",
    "WEB_WORKERS",
)


def prepare() -> None:
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.update(SET)

    run = ExitStack()
    atexit.register(run.close)
    # Workers inherit the controller's directory and server; only the controller removes them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["DATA_DIR"] = run.enter_context(tempfile.TemporaryDirectory(prefix="modeldex-tests-"))

    engine = os.environ.setdefault("TEST_DATABASE", "sqlite")
    if engine == "postgresql":
        if not os.environ.get("TEST_DATABASE_URL"):
            from tests.databases import postgresql

            os.environ["TEST_DATABASE_URL"] = run.enter_context(postgresql())
        os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
    elif engine != "sqlite":
        raise SystemExit("TEST_DATABASE must be sqlite or postgresql.")


prepare()
