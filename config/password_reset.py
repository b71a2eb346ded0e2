"""A new password for who has lost theirs, by a link in a mail, where a server that takes mail is configured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import forms, views
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.module_loading import import_string

from config.accounts import address_tried
from config.api import errors
from config.api.origin import origin
from config.quota import Quota

# For one mail address and for one address that asks.
forms_sent = Quota(3)

_TOO_MANY = "A mail was asked for several times just now. Look into your mailbox, or try again in a minute."
_SENT = "If an account with a password has this address, a mail to it is on its way."


class ResetForm(forms.PasswordResetForm):
    """Sends a link to each active account of this address that has a password which counts."""

    def get_users(self, email: str) -> Iterator[Any]:
        return (user for user in super().get_users(email) if user.is_superuser or not settings.OIDC_ONLY)

    def save(self, *args: Any, **options: Any) -> None:
        scheme, _, domain = origin(options["request"]).partition("://")
        super().save(*args, **options | {"domain_override": domain, "use_https": scheme == "https"})

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        """Beside the answer, which would otherwise come later where there is an account. Django logs what fails."""
        threading.Thread(target=super().send_mail, args=args, kwargs=kwargs).start()


_METHODS = ["get", "head", "post", "options"]


class _WithMail:
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.EMAIL_HOST:
            raise Http404
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a view's


class AskForReset(_WithMail, views.PasswordResetView):
    """Answers alike whether or not there is such an account."""

    http_method_names = _METHODS
    form_class = ResetForm
    template_name = "registration/reset.html"
    email_template_name = "registration/reset_mail.txt"
    subject_template_name = "registration/reset_subject.txt"
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        who = (f"from {address_tried(self.request)}", form.cleaned_data["email"].lower())
        if not all(map(forms_sent.allows, who)):
            return errors.answer(self.request, 429, _TOO_MANY, forms_sent.seconds)
        messages.success(self.request, _SENT)
        return super().form_valid(form)


class Reset(_WithMail, views.PasswordResetConfirmView):
    http_method_names = _METHODS
    template_name = "registration/password.html"
    success_url = reverse_lazy("login")
    extra_context = {"reset": True}

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        import_string(settings.AUDIT)("a link in a mail", self.user, "changed", {"password": [None, "a new one"]})
        messages.success(self.request, "Your password is changed. Sign in with it.")
        return answer
