"""What staff send from the forms of the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from waffle import get_waffle_flag_model

from catalog.models import AIModel
from tests.admin_forms import fields_of

User, Flag = get_user_model(), get_waffle_flag_model()


def keys(model):
    return [str(pk) for pk in model.objects.values_list("pk", flat=True)]


def key_of(model_id):
    return str(AIModel.objects.get(model_id=model_id).pk)


def grant_to_clerk(sent):
    return {"principal_type": "user", "user": str(User.objects.get(username="clerk").pk), "permission": "write"}


def permissions(*models):
    return Permission.objects.filter(
        content_type__app_label__in=[model._meta.app_label for model in models],
        content_type__model__in=[model._meta.model_name for model in models],
    )


def page(model, view, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def confirmed(client, address, wanted):
    """The answer to a form whose preview, where there is one, is confirmed as it was shown."""
    answer = client.post(address, wanted)
    seal = (answer.context or {}).get("seal") if answer.status_code == 200 else None
    return client.post(address, wanted | {"_narrow": "1", "_seal": seal}) if seal else answer


def send(client, address, form, **changes):
    return client.post(address, fields_of(client.get(address).content.decode(), form) | changes)
