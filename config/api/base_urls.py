"""What the address of an upstream may be, in the environment and in the admin alike."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def problem_of(url: str) -> str | None:
    """What a base URL must be and `url` is not, or None where it is one.

    Paths are put behind it, and it is shown to staff and stored in the audit log: so it has no query, and no user name
    or password anywhere.
    """
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    # By its marks, since an empty query, fragment or user name is none to urlsplit. Servers may decode a path before
    # they read it, and a parameter in it (`;key=...`) may be a secret.
    if not well_formed or {"?", "#"} & set(url) or "@" in parts.netloc:
        return "must be an http or https URL without user name, password or query"
    path = unquote(parts.path)
    if set(";?#\\") & set(path) or {".", ".."} & set(path.split("/")):
        return "must be an http or https URL whose path is plain: without ;, an encoded ? or #, and steps such as /../"
    return None
