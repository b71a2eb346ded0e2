"""
Typed reading of settings from the environment.

Every failure is a SystemExit with one sentence that names the variable and never shows its value, so that a process
which cannot start says why on the last line of its log, and exits with a status that is not zero.
"""

import os
import re
import secrets
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import environ
from cryptography.fernet import Fernet

from config.api import base_urls

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
# Django's name of a database's backend -> ours, which keeps requests from waiting for it too long.
ENGINES = {
    "django.db.backends.postgresql": "config.databases.postgresql",
    "django.db.backends.sqlite3": "config.databases.sqlite3",
}
PLACEHOLDERS = ("changeme", "change-me", "change_me", "django-insecure-", "replace-me", "your-secret")


def refuse(sentence: str) -> NoReturn:
    raise SystemExit(f"Modeldex cannot start: {sentence}")


def text(name: str, default: str = "") -> str:
    """The variable without the blanks around it, or what stands in the file that NAME_FILE names; else the default."""
    return os.environ.get(name, "").strip() or _from_file(name) or default


def _from_file(name: str) -> str:
    """One line of text. An empty file is a mistake, such as a secret that was not mounted, and no default."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return ""
    try:
        # Written with a line end, as editors do.
        value = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        refuse(f"the file that {name}_FILE names cannot be read ({reason}).")
    if odd := next((character for character in value if not character.isprintable()), None):
        refuse(f"the file that {name}_FILE names is not one line of text: it holds the character U+{ord(odd):04X}.")
    if not value.strip():
        refuse(f"the file that {name}_FILE names is empty: write the value into it, or leave out {name}_FILE.")
    return value.strip()


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        refuse(f"{name} must be one of true, false, 1, 0, yes, no, on, off.")
    return value in TRUE


def number(name: str, default: int, minimum: int, maximum: int) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
        refuse(f"{name} must be a whole number from {minimum} to {maximum}.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without empty entries."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(word, strict=False) for word in words(name)]
    except ValueError:
        refuse(f"{name} must be a comma-separated list of addresses or networks, such as 10.0.0.0/8.")


# As browsers write an origin: no path, no default port, in lower case.
_ORIGIN = re.compile(
    r"(?:http(?!://[^/]*:80\Z)|https(?!://[^/]*:443\Z))://(?:[a-z0-9_.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
)


def _is_origin(value: str) -> bool:
    if not _ORIGIN.fullmatch(value) or ".." in value:
        return False
    port = value.rpartition(":")[2]
    return not port.isdecimal() or int(port) < 65536


def origins(name: str) -> list[str]:
    """A comma-separated list of origins, as browsers send them."""
    found = words(name)
    if not all(map(_is_origin, found)):
        refuse(
            f"{name} must be a comma-separated list of origins as browsers send them, such as https://app.example.com "
            "or http://localhost:3000: no *, no path, no closing slash."
        )
    return found


def site_url(name: str, needed: bool, insecure: bool) -> str:
    """The origin at which people reach us; "" where none is set."""
    value = text(name).removesuffix("/")
    if not value and needed:
        refuse(f"set {name} (where people reach it, such as https://models.example.com), for the links in its mails.")
    if value and not (_is_origin(value) and (insecure or value.startswith("https://"))):
        refuse(
            f"{name} must be an origin as browsers show it, such as https://models.example.com or "
            f"https://models.example.com:8443: no path{'' if insecure else ', and https'}."
        )
    return value


def base_url(name: str, default: str = "") -> str:
    """An http or https URL without credentials, query or closing slash; "" where none is set."""
    value = text(name, default)
    if value and (problem := base_urls.problem_of(value.rstrip("/"))):
        refuse(f"{name} {problem}.")
    return value.rstrip("/")


def single_sign_on(insecure: bool) -> tuple[str, str, str]:
    """The issuer, the client's id and its secret; "" all three where there is no single sign-on."""
    found = base_url("OIDC_ISSUER_URL"), text("OIDC_CLIENT_ID"), text("OIDC_CLIENT_SECRET")
    if any(found) and not all(found):
        refuse("set OIDC_ISSUER_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET together, or none of them.")
    if not any(found) and (words("OIDC_STAFF_GROUPS") or flag("OIDC_ONLY", False)):
        refuse("OIDC_STAFF_GROUPS and OIDC_ONLY need OIDC_ISSUER_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
    if found[0].startswith("http://") and not insecure:
        refuse("OIDC_ISSUER_URL must begin with https://: the client's secret travels to it.")
    if len(found[0]) > 200:
        refuse("OIDC_ISSUER_URL must have at most 200 characters.")
    return found


# How a server that takes mail is spoken to: the port, STARTTLS, TLS from the first byte.
_MAIL = {"smtp": (25, False, False), "smtp+tls": (587, True, False), "smtps": (465, False, True)}


def mail(name: str) -> tuple[str, int, str, str, bool, bool]:
    """Of the server that takes mail: host, port, user, password, STARTTLS, TLS. Without one the host is ""."""
    value = text(name)
    if not value:
        return "", 25, "", "", False, False
    try:
        url = urlsplit(value)
        port, starttls, tls = _MAIL[url.scheme]
        found = (url.hostname or "", url.port or port, unquote(url.username or ""), unquote(url.password or ""))
    except (KeyError, ValueError):
        found = ("", 25, "", "")
    if not found[0] or not text("DEFAULT_FROM_EMAIL"):
        refuse(
            f"{name} must be smtp://, smtp+tls:// or smtps://USER:PASSWORD@HOST:PORT, and DEFAULT_FROM_EMAIL say whom "
            "mails come from."
        )
    return *found, starttls, tls


def database(name: str, default_file: Path) -> dict[str, Any]:
    """Django's connection settings for a postgresql:// or sqlite:/// URL; SQLite at `default_file` without one."""
    url = text(name)
    if not url:
        return {"ENGINE": "config.databases.sqlite3", "NAME": str(default_file)}
    return database_of(url) or refuse(f"{name} must be postgresql://USER:PASSWORD@HOST:PORT/NAME or sqlite:///PATH.")


def database_of(url: str) -> dict[str, Any] | None:
    """Django's connection settings for a postgresql:// or sqlite:/// URL; None where it is neither."""
    try:
        found = dict(environ.Env.db_url_config(url))
    except Exception:
        # Whatever the parser raises may quote the URL, and with it the password.
        return None
    engine = ENGINES.get(found.get("ENGINE", ""))
    return found | {"ENGINE": engine} if engine and found.get("NAME") else None


def secret(name: str, check: Callable[[str], str | None], generate: Callable[[], str], data_dir: Path | None) -> str:
    """
    The variable, held to `check`, which answers what is wrong with a value or None.

    With `data_dir` (in development) an unset one is generated once and kept there for every later process.
    """
    value = text(name)
    if not value and data_dir is None:
        refuse(f"set {name} ({HINTS[name]}), or MODELDEX_ENV=development to try it out.")
    if not value and data_dir is not None:
        value = _kept(data_dir / name.lower(), generate)
    if problem := check(value):
        refuse(f"{name} {problem}; set it to {HINTS[name]}.")
    return value


def _kept(path: Path, generate: Callable[[], str]) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            # Written whole under a private name, then linked: of two processes that start together one wins, and
            # neither ever reads half a file.
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(generate() + "\n")
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()
    except OSError as error:
        refuse(f"{path} cannot be written or read ({error.strerror}); set {path.name.upper()} or DATA_DIR.")


def weak_secret_key(value: str) -> str | None:
    if len(value) < 32 or len(set(value)) < 8:
        return "is too weak"
    if any(word in value.lower() for word in PLACEHOLDERS):
        return "is a placeholder"
    return None


def bad_fernet_keys(value: str) -> str | None:
    keys = [key.strip() for key in value.split(",")]
    try:
        for key in keys:
            Fernet(key)
    except ValueError:
        return "holds something that is not a Fernet key"
    return None


def bad_peppers(value: str) -> str | None:
    pairs = [tuple(part.strip() for part in entry.partition(":")[::2]) for entry in value.split(",")]
    if any(not (name.isascii() and name.replace("_", "").replace("-", "").isalnum()) for name, _ in pairs):
        return "holds an entry that is not id:secret"
    if len({name for name, _ in pairs}) < len(pairs):
        return "names an id twice"
    if any(weak_secret_key(pepper) for _, pepper in pairs):
        return "holds a secret that is missing, too short or a placeholder"
    return None


def new_secret_key() -> str:
    return secrets.token_urlsafe(48)


def new_fernet_key() -> str:
    return Fernet.generate_key().decode()


def new_pepper() -> str:
    return f"p1:{secrets.token_urlsafe(32)}"


HINTS = {
    "SECRET_KEY": "at least 32 random characters",
    "CREDENTIAL_KEYS": "one or more Fernet keys, comma-separated, newest first",
    "API_KEY_PEPPERS": "one or more id:secret pairs with secrets of at least 32 random characters, newest first",
}
