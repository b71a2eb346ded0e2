"""The OpenAPI document and its two readers. Their assets are served by us."""

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.permissions import AllowAny


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class SwaggerView(SpectacularSwaggerView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    url_name = "schema"


class RedocView(SpectacularRedocView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    url_name = "schema"
