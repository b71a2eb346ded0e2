import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet

from config import environment

RANDOM = "Qw8zLk2mNv5xRt7yPb3cJd6fHg9sAe1u4iO0"
FERNET_KEY = "dGVzdHMtb25seS1rZXktb2YtMzItYnl0ZXMtMDEyMzQ="


@pytest.fixture
def production(tmp_path):
    return {
        "SECRET_KEY": RANDOM,
        "CREDENTIAL_KEYS": f"{Fernet.generate_key().decode()},{FERNET_KEY}",
        "API_KEY_PEPPERS": f"p2:{RANDOM}2,p1:{RANDOM}",
        "ALLOWED_HOSTS": "models.example.com",
        "DATA_DIR": str(tmp_path),
    }


@pytest.fixture
def python(project_dir):
    def run(environment, *arguments):
        # Nothing but what the test states, so that no setting of the run leaks in.
        environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **environment}
        return subprocess.run(
            [sys.executable, *arguments], cwd=project_dir, env=environment, capture_output=True, text=True, timeout=60
        )

    return run


def test_production_passes_the_deployment_checks_without_a_warning(python, production):
    done = python(production, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", "  "),
        ("SECRET_KEY", "too-short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "django-insecure-" + RANDOM),
        ("CREDENTIAL_KEYS", None),
        ("CREDENTIAL_KEYS", "not-a-fernet-key"),
        ("CREDENTIAL_KEYS", f"{FERNET_KEY},"),
        ("API_KEY_PEPPERS", None),
        ("API_KEY_PEPPERS", RANDOM),
        ("API_KEY_PEPPERS", "p1:"),
        ("API_KEY_PEPPERS", f"p1:{RANDOM},p1:{RANDOM}2"),
        ("ALLOWED_HOSTS", None),
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "postgresql://someone:hunter2@/"),
        ("DATABASE_URL", "mysql://someone:hunter2@db/x"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        *(
            ("CORS_ALLOWED_ORIGINS", value)
            for value in (
                "*",
                "null",
                "app.example.com",
                "https://app.example.com/",
                "https://App.example.com",
                "ftp://x",
                "https://app.example.com:443",
                "https://a:b@app.example.com",
                "https://*.example.com",
                "https://app.example.com,http://",
                "https://app.example.com/page",
                "https://x y",
            )
        ),
        ("OLLAMA_BASE_URL", "ftp://ollama"),
        ("PROVIDER_CACHE_SECONDS", "-1"),
        ("OIDC_ISSUER_URL", "https://id.example.com"),
        ("OIDC_CLIENT_SECRET", "hunter2"),
        ("OIDC_STAFF_GROUPS", "heads"),
        ("OIDC_ONLY", "true"),
        ("EMAIL_URL", "smtp://someone:hunter2@mail"),
    ],
)
def test_production_refuses_a_bad_setting_in_one_sentence_that_names_it(python, production, name, value):
    environment = {key: text for key, text in {**production, name: value}.items() if text is not None}
    done = python(environment, "-c", "import config.settings")
    assert done.returncode == 1
    assert done.stderr.startswith("Modeldex cannot start: ")
    assert name in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


SSO = {"OIDC_ISSUER_URL": "https://id.example.com/", "OIDC_CLIENT_ID": "c", "OIDC_CLIENT_SECRET": "hunter2"}
MAIL = {
    "EMAIL_URL": "smtp+tls://someone:hun%2Fter2@mail.example.com",
    "DEFAULT_FROM_EMAIL": "models@example.com",
    "SITE_URL": "https://models.example.com:8443/",
}


@pytest.mark.parametrize(
    ("whole", "name", "value"),
    [
        *((SSO, name, "") for name in SSO),
        (SSO, "OIDC_ISSUER_URL", "http://id.example.com"),
        (SSO, "OIDC_ISSUER_URL", "https://id.example.com/" + "x" * 200),
        (SSO, "OIDC_ONLY", "perhaps"),
        (MAIL, "DEFAULT_FROM_EMAIL", ""),
        *((MAIL, "EMAIL_URL", url) for url in ("mail.example.com", "http://mail", "smtp://", "smtp://mail:port")),
        *(
            (MAIL, "SITE_URL", url)
            for url in (
                "",
                "models.example.com",
                "http://models.example.com",
                "https://x/y",
                "https://a.example:99999",
                "https://a..example",
            )
        ),
    ],
)
def test_half_of_what_belongs_together_is_refused_in_one_sentence(python, production, whole, name, value):
    done = python({**production, **whole, name: value}, "-c", "import config.settings")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert name in done.stderr
    assert "hunter2" not in done.stderr


def test_single_sign_on_and_mail_are_read_from_the_environment(python, production, tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    environment = {
        **production,
        **SSO,
        **MAIL,
        "OIDC_CLIENT_SECRET": "",
        "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
    }
    show = "from config.settings import *; print(OIDC_ISSUER_URL, OIDC_CLIENT_SECRET, EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_PASSWORD, EMAIL_USE_TLS, SITE_URL)"
    told = python(environment, "-c", show)
    assert (
        told.stdout
        == "https://id.example.com from a file mail.example.com 587 hun/ter2 True https://models.example.com:8443\n"
    ), told.stderr


def test_a_missing_secret_names_the_way_to_try_it_out(python, tmp_path):
    # Not where `make run` has been: its secrets are found there.
    done = python({"DATA_DIR": str(tmp_path)}, "manage.py", "check")
    assert done.returncode == 1
    assert "MODELDEX_ENV=development" in done.stderr


def test_a_python_without_the_packages_is_told_where_they_are(python):
    # -S leaves out the environment's packages.
    done = python({"MODELDEX_ENV": "development"}, "-S", "manage.py", "check")
    assert done.returncode == 1
    assert "make install" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_command_ends_quietly_when_nobody_reads_on(project_dir, tmp_path):
    read, write = os.pipe()
    os.close(read)
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "MODELDEX_ENV": "development",
        "DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "help"]
    try:
        done = subprocess.run(
            command, cwd=project_dir, env=environment, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_env_file_says_how_to_serve_too(python, tmp_path):
    file = tmp_path / "development.env"
    file.write_text("PORT=8123\nACCESS_LOG=true\n")
    environment = {"MODELDEX_ENV": "development", "DATA_DIR": str(tmp_path), "ENV_FILE": str(file)}
    code = "from config import serving, settings, asgi; print(serving.HOST, settings.PORT, asgi.ACCESS_LOG)"
    assert python(environment, "-c", code).stdout == "127.0.0.1 8123 True\n"
    assert python({**environment, "PORT": "8124"}, "-c", code).stdout == "127.0.0.1 8124 True\n"


def test_debug_is_refused_in_production(python, production):
    done = python({**production, "MODELDEX_ENV": "production", "DEBUG": "true"}, "-c", "import config.settings")
    assert done.returncode == 1
    assert "DEBUG" in done.stderr


def test_processes_that_start_together_in_development_share_the_generated_secrets(python, tmp_path):
    environment = {"MODELDEX_ENV": "development", "DATA_DIR": str(tmp_path / "data")}
    code = "from config import settings as s; print(s.SECRET_KEY, s.CREDENTIAL_KEYS, s.API_KEY_PEPPERS)"
    with ThreadPoolExecutor(4) as pool:
        answers = {done.stdout for done in pool.map(lambda _: python(environment, "-c", code), range(4))}
    assert len(answers) == 1
    assert answers != {""}
    files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert files == dict.fromkeys(["secret_key", "credential_keys", "api_key_peppers"], 0o600)


def test_postgresql_gets_a_pool_in_each_process(python, production):
    environment = {**production, "DATABASE_URL": "postgresql://u:p%40ss@db:5432/x", "DATABASE_POOL_MAX_SIZE": "7"}
    code = "from config.settings import DATABASES as d; d = d['default']; print(d['PASSWORD'], d['OPTIONS']['pool'])"
    done = python(environment, "-c", code)
    assert done.stdout == "p@ss {'min_size': 1, 'max_size': 7, 'timeout': 2, 'reconnect_timeout': 2}\n", done.stderr


def test_a_setting_may_stand_in_a_file(python, production, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(production["SECRET_KEY"] + "\n")
    rest = {name: value for name, value in production.items() if name != "SECRET_KEY"}
    show = "from config import settings; print(settings.SECRET_KEY)"
    told = python(rest | {"SECRET_KEY_FILE": str(secret)}, "-c", show)
    assert told.stdout.strip() == production["SECRET_KEY"]
    told = python(rest | {"SECRET_KEY_FILE": str(tmp_path / "none")}, "-c", show)
    assert "SECRET_KEY_FILE names cannot be read (No such file or directory)" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"true\n\n", "U+000A"),
        (b"fal\nse\n", "U+000A"),
        (b"\xef\xbb\xbffalse\n", "U+FEFF"),
        (b"false\0", "U+0000"),
        (b"\xff\xfe", "not text"),
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "PUBLIC_CATALOG"])
def test_a_file_without_one_line_of_text_stops_the_start(monkeypatch, tmp_path, name, content, why):
    file = tmp_path / "setting"
    file.write_bytes(content)
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(file))
    with pytest.raises(SystemExit, match=rf"cannot start: the file that {name}_FILE names .*{re.escape(why)}"):
        environment.text(name, "true")
    file.write_bytes(b" false\r\n")
    assert environment.text(name, "true") == "false"


def test_the_version_and_the_build_are_told(api, settings):
    settings.BUILD = "3f2a1c9"
    assert api.get("/healthz").json() == {"status": "ok", "version": settings.VERSION, "build": "3f2a1c9"}


@pytest.mark.parametrize(
    ("sent", "id_"),
    [
        (
            {"HTTP_TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "0af7651916cd43dd8448eb211c80319c",
        ),
        (
            {
                "HTTP_X_REQUEST_ID": "mine",
                "HTTP_TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            },
            "mine",
        ),
        ({"HTTP_TRACEPARENT": "00-" + "0" * 32 + "-b7ad6b7169203331-01"}, None),
        ({"HTTP_TRACEPARENT": "a" * 60_000}, None),
    ],
)
def test_a_trace_gives_the_request_its_id(api, sent, id_):
    told = api.get("/healthz", **sent).headers["X-Request-Id"]
    assert told == id_ if id_ else len(told) == 32


def test_the_image_holds_what_the_settings_read(project_dir, production, tmp_path):
    """What `.dockerignore` lets in is enough for a server of production to start from."""
    image, rules = tmp_path / "image", (project_dir / ".dockerignore").read_text().split()
    image.mkdir()
    for name in (rule.removeprefix("!") for rule in rules if rule.startswith("!")):
        (image / name).symlink_to(project_dir / name)
    # As it is there: files of its own, and not the checkout that they lead to.
    (image / "config").unlink()
    shutil.copytree(project_dir / "config", image / "config")
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **production}
    done = subprocess.run(
        [sys.executable, "-c", "import config.asgi"], cwd=image, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
