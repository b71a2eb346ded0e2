"""Whatever else stands behind /api/models/ is a model's id; so these come after every other route."""

from django.urls import path

from catalog.api.views.detail import ModelViewSet

urlpatterns = [path("api/models/<path:model_id>", ModelViewSet.as_view({"get": "retrieve"}), name="model")]
