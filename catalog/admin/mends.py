"""The ways to change why somebody does not see a model, each for those who may take it: links, and one button."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import Group
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from waffle import get_waffle_flag_model

from catalog.access import rules
from catalog.admin import grants
from catalog.admin.entries import address_of
from catalog.admin.view_as import Mend, Subject, mends, subjects
from catalog.models import AIModel


def of_the_entry(request: HttpRequest, subject: Subject, model: AIModel) -> Iterator[Mend]:
    kind = "aimodel" if model.kind == AIModel.Kind.CATALOG else "custommodel"
    if request.user.has_perm(f"catalog.change_{kind}"):
        yield Mend(f"Change {model.model_id}", address_of(model))


def of_its_flag(request: HttpRequest, subject: Subject, model: AIModel) -> Iterator[Mend]:
    flag = model.requires_feature_flag
    if flag in ("", *subject.caller.viewer.flags):
        flag = rules.EXPERIMENTAL_FLAG
    if request.user.has_perm("waffle.change_flag"):
        row = get_waffle_flag_model().objects.filter(name=flag).first()
        if row:
            yield Mend(f"Give the flag {flag}", reverse("admin:waffle_flag_change", args=[row.pk]))
        else:
            yield Mend(f"Make the flag {flag}", reverse("admin:waffle_flag_add"))
    yield from of_the_entry(request, subject, model)


def of_its_grants(request: HttpRequest, subject: Subject, model: AIModel) -> Iterator[Mend]:
    user = subject.user
    if user is not None and request.user.has_perm("catalog.add_accessgrant"):
        # The form of a grant, filled in; its own checks decide.
        form = {"model": model.model_id, "principal_type": "user", "user": user.pk, "permission": "read"}
        yield Mend(f"Grant it to {user.get_username()}", reverse("admin:catalog_accessgrant_add"), form)
    if request.user.has_perm("catalog.view_accessgrant"):
        names = Group.objects.filter(model_grants__model=model).order_by("name").values_list("name", flat=True)
        groups = ", ".join(names[:5])
        yield Mend(f"Its grants ({groups})" if groups else "Its grants", grants.address(model))
    if user is not None and request.user.has_perm("auth.change_user"):
        address = reverse("admin:auth_user_change", args=[user.pk])
        yield Mend(f"The groups of {user.get_username()}", f"{address}#id_groups_from")


def of_what_it_stands_on(request: HttpRequest, subject: Subject, model: AIModel) -> Iterator[Mend]:
    if below := model.alias_of or (model.base_model and model.base_model.model_id):
        query = QueryDict(mutable=True)
        query.update({kind: request.GET[kind] for kind in subjects if kind in request.GET})
        query["model"] = below
        yield Mend(f"Why not {below}", f"?{query.urlencode()}")
    yield from of_the_entry(request, subject, model)


for _check in ("active", "not_hidden", "available", "enabled"):
    mends[_check].append(of_the_entry)
for _check in ("feature_flag", "experimental"):
    mends[_check].append(of_its_flag)
for _check in ("alias_target", "base_model"):
    mends[_check].append(of_what_it_stands_on)
mends["readable"].append(of_its_grants)
