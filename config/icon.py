"""What a browser asks for where a page names no icon, such as a document of JSON."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """To the logo, whose address changes with what it shows."""
    return HttpResponseRedirect(static("catalog/logo.svg"))
