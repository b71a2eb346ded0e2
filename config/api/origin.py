"""Where people reach this server: what links in mails, feeds and lines to copy begin with."""

from django.conf import settings
from django.http import HttpRequest


def origin(request: HttpRequest) -> str:
    """SITE_URL; without one what the request calls us, of which ALLOWED_HOSTS checks the name and nobody the port."""
    return settings.SITE_URL or f"{request.scheme}://{request.get_host()}"
