"""Routes that fail in every way, beside the real ones."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import urls

RAISED: dict[str, type[Exception]] = {
    "not-found": Http404,
    "denied": PermissionDenied,
    "suspicious": SuspiciousOperation,
    "gone": OperationalError,
    "bug": ZeroDivisionError,
}


class Echo(APIView):
    """Answers what it was sent."""

    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response(request.query_params)

    def post(self, request: Request) -> Response:
        return Response({"sent": request.data})

    patch = post


class Raising(APIView):
    permission_classes = (AllowAny,)
    # The session is no matter here.
    authentication_classes = ()

    def get(self, request: Request, what: str) -> Response:
        if what == "throttled":
            raise exceptions.Throttled(9)
        if what == "nested":
            raise exceptions.ValidationError({"meta": {"tags": [{}, {"name": ["Too long."]}]}})
        if what == "coded":
            raise exceptions.ValidationError({"id": ["Not this one."]}, code="model_not_usable")
        raise RAISED[what]("SECRET detail of /srv/app, SELECT 1")


class Private(APIView):
    """For those who are signed in."""

    def post(self, request: Request) -> Response:
        return Response({"ok": True})

    patch = post


def raising(request: HttpRequest, what: str) -> HttpResponse:
    raise RAISED[what]("SECRET detail of /srv/app, SELECT 1")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<p>hello</p>")


urlpatterns: list[Any] = [
    *[
        route
        for prefix in ("api", "v1")
        for route in (
            path(f"{prefix}/echo", Echo.as_view()),
            path(f"{prefix}/private", Private.as_view()),
            path(f"{prefix}/raising/<str:what>", Raising.as_view()),
            path(f"{prefix}/plain/<str:what>", raising),
        )
    ],
    path("page", page),
    path("plain/<str:what>", raising),
    *urls.urlpatterns,
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500
