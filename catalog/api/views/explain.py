"""/api/models/access"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import extensions
from catalog.access import rules
from catalog.access.callers import caller_of
from catalog.access.rights import Rights
from catalog.access.viewers import Viewer
from catalog.api.base import CallerMixin
from catalog.api.examples import EXPLANATION, answered
from catalog.api.serializers.custom_models import ExplanationSerializer
from catalog.api.views.detail import NoSuchModel
from catalog.models import AIModel

# With one of these, staff see every model in the admin.
_SEES_ALL = ("catalog.view_aimodel", "catalog.change_aimodel", "catalog.view_as")


class ExplanationViewSet(CallerMixin, viewsets.ViewSet):
    """Why somebody can or cannot see and use a model."""

    query_parameters = frozenset({"model_id", "user", "key"})

    @extend_schema(
        operation_id="models_access",
        summary="Why the caller can or cannot use a model",
        description="Each condition in a fixed order. Staff may ask for another user or key; everybody else "
        "asks only about models that they find.",
        tags=["models"],
        parameters=[
            OpenApiParameter("model_id", str, required=True),
            OpenApiParameter("user", str, description="Staff: the name of the user to ask for."),
            OpenApiParameter("key", str, description="Staff: the public id of the API key to ask for."),
        ],
        examples=[answered("A model that was switched off", EXPLANATION)],
        responses={200: ExplanationSerializer, 404: None},
    )
    def list(self, request: Request) -> Response:
        model_id = request.query_params.get("model_id", "")
        if not model_id:
            raise ValidationError({"model_id": ["Say which model."]}, code="required")
        viewer = self._asked_for()
        model = self._model(model_id)
        checks = rules.explain(viewer, model)
        failed = next((check.check for check in checks if not check.ok), None)
        visible = rules.sees(viewer, model)
        return Response(
            {
                "model_id": model.model_id,
                "visible": visible,
                "usable": failed is None,
                "decided_by": failed,
                "checks": [{"check": check.check, "ok": check.ok, "detail": check.detail} for check in checks],
            }
        )

    def _model(self, model_id: str) -> AIModel:
        models = AIModel.objects.filter(model_id=model_id)
        staff = self.viewer.is_staff and any(map(self.request.user.has_perm, _SEES_ALL))
        if not staff:
            models = models.findable_by(self.viewer)
        model = models.first()
        is_custom = model is not None and model.kind == AIModel.Kind.CUSTOM
        if is_custom and AIModel.Kind.CUSTOM not in Rights(self.request.user).kinds_shown:
            model = models.findable_by(self.viewer).first()
        # A key never learns of what is outside its policy, whosever it is.
        if model is None or not rules.permitted(self.viewer, model):
            raise NoSuchModel
        return model

    def _asked_for(self) -> Viewer:
        user, key = (self.request.query_params.get(name) for name in ("user", "key"))
        if user is None and key is None:
            return self.viewer
        if user is not None and key is not None:
            raise ValidationError({"key": ["Ask for a user or for a key."]})
        if not (self.viewer.is_staff and self.request.user.has_perm("catalog.view_as")):
            raise PermissionDenied("Only staff who may see others' lists ask for others.")
        return self._of_key(key) if key is not None else self._of_user(user or "")

    @staticmethod
    def _of_user(name: str) -> Viewer:
        user: Any = get_user_model()._default_manager.filter(username=name).first()
        if user is None:
            raise ValidationError({"user": ["There is no such user."]})
        return caller_of(user).viewer

    @staticmethod
    def _of_key(key_id: str) -> Viewer:
        caller = extensions.caller_of_key(key_id)
        if caller is None:
            raise ValidationError({"key": ["No such key works."]})
        return caller.viewer
