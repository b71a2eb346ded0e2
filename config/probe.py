"""Asks our own /readyz, for a container's health check: exit 0 when it answers 200."""

import http.client
import sys

from config import environment as env


def main() -> int:
    # The host must be one that ALLOWED_HOSTS admits; ".example.com" admits example.com, and "*" anything.
    host = (env.words("ALLOWED_HOSTS") or ["localhost"])[0].lstrip("*.") or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", env.number("PORT", 8000, 1, 65_535), timeout=4)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
