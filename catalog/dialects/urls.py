"""Routes of OpenAI's dialect."""

from django.urls import path

from catalog.dialects.views import OpenAIModelViewSet

urlpatterns = [
    path("v1/models", OpenAIModelViewSet.as_view({"get": "list"}), name="openai-models"),
    # As one client asks; in the OpenAPI document it stands once.
    path("v1/models/", OpenAIModelViewSet.as_view({"get": "list"}, schema=None), name="openai-models-slash"),
    path("v1/models/<path:model_id>", OpenAIModelViewSet.as_view({"get": "retrieve"}), name="openai-model"),
]
