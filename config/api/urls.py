"""Health, the OpenAPI schema and its pages."""

from django.urls import path

from config.api.docs import RedocView, SchemaView, SwaggerView
from config.api.health import HealthViewSet

urlpatterns = [
    path("healthz", HealthViewSet.as_view({"get": "process"}), name="healthz"),
    path("readyz", HealthViewSet.as_view({"get": "ready"}), name="readyz"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SwaggerView.as_view(), name="docs"),
    path("api/redoc", RedocView.as_view(), name="redoc"),
]
