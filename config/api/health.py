"""Whether the process runs, and whether it can serve."""

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.database import RETRY_AFTER, takes_writes
from config.databases import patience


class HealthSerializer(serializers.Serializer):
    status = serializers.CharField()
    version = serializers.CharField()
    build = serializers.CharField(required=False, help_text="Where the deployment names it, in BUILD.")


class ReadinessSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=("ok", "unavailable"))
    checks = serializers.DictField(child=serializers.CharField())


class HealthViewSet(viewsets.ViewSet):
    """For load balancers: no credential, no catalog."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="health",
        summary="Whether the process runs",
        tags=["operations"],
        auth=[],
        responses=HealthSerializer,
        examples=[OpenApiExample("It runs", {"status": "ok", "version": "1.2.3", "build": "3f2a1c9"})],
    )
    def process(self, request: Request) -> Response:
        build = {"build": settings.BUILD} if settings.BUILD else {}
        answer = {"status": "ok", "version": settings.VERSION} | build
        return Response(answer, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="readiness",
        summary="Whether the database answers, takes writes and is migrated",
        tags=["operations"],
        auth=[],
        responses={200: ReadinessSerializer, 503: ReadinessSerializer},
        examples=[
            OpenApiExample(
                "It can serve",
                {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}},
                status_codes=["200"],
            ),
            OpenApiExample(
                "The database is gone",
                {"status": "unavailable", "checks": {"database": "does not answer", "migrations": "unknown"}},
                status_codes=["503"],
            ),
        ],
    )
    def ready(self, request: Request) -> Response:
        checks = {"database": "ok", "migrations": "ok"}
        if connection.vendor == "sqlite" and patience.is_locked():
            checks["database"] = "is locked by another process"
        try:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                checks["migrations"] = "some are not applied"
            if not takes_writes(connection):
                checks["database"] = "takes no writes"
        except (DatabaseError, InterfaceError):
            checks = {"database": "does not answer", "migrations": "unknown"}
        ok = set(checks.values()) == {"ok"}
        return Response(
            {"status": "ok" if ok else "unavailable", "checks": checks},
            status=200 if ok else 503,
            headers={"Cache-Control": "no-store"} | ({} if ok else {"Retry-After": str(RETRY_AFTER)}),
        )
