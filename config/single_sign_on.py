"""Signing in at an OpenID provider: who comes back is whom, and which groups they are in.

django-allauth leads the conversation: state, PKCE, the exchange of the code, issuer, audience and expiry. Here are our
two addresses (none of its own is served), and what it leaves out: the signature is checked always, a nonce binds the
token to this sign-in, and what the provider tells beside the token must be of the same person.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount import app_settings
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit, statekit
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from cachetools import LRUCache
from django.conf import settings
from django.contrib import auth
from django.contrib.auth import views
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.crypto import constant_time_compare, get_random_string
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.views import View
from django.views.decorators.cache import never_cache
from requests import RequestException, Response, Session

from config.accounts import address_tried
from config.api import errors
from config.quota import Quota

logger = logging.getLogger("modeldex.single_sign_on")

# In each process. A provider that hangs must not hold every thread.
MOST_AT_ONCE = 2
slots = threading.BoundedSemaphore(MOST_AT_ONCE)
# Sign-ins that one address may begin, and end. Each writes a session, and may end in questions to the provider.
begun, ended = Quota(60), Quota(60)

# Besides the library's own error: what an answer of another shape than OpenID Connect's ends in.
_BROKEN = (OAuth2Error, RequestException, KeyError, TypeError, ValueError, AttributeError)
_FORGOTTEN = "This sign-in was begun elsewhere or more than ten minutes ago. Sign in again."
_CANCELLED = "You were not signed in: it was cancelled at the identity provider."
_SILENT = "The identity provider does not answer. Try again in a moment."
_UNTRUSTED = (
    "What the identity provider answered cannot be trusted, so nobody was signed in. Sign in again; if that does not "
    "help, ask who runs this server: its log says why."
)
_SWITCHED_OFF = "Your account is switched off here. Ask a member of staff."
# Seconds, as the sentence above says.
_REMEMBERED = 600
_BUSY = "Too many people are signing in right now. Try again in a moment."
_TOO_MANY = "Too many sign-ins were begun from your address just now. Try again in a minute."


class Published:
    """What the provider publishes to all, its addresses and its keys, read once in a few minutes by each process.

    After a refusal it is read anew, as it may have changed; not sooner than `AGAIN`, or refusals were a way to have it
    read each time.
    """

    KEPT, AGAIN = 300, 10

    def __init__(self) -> None:
        self._answers: LRUCache[str, tuple[float, Response]] = LRUCache(maxsize=4)
        self._lock = threading.Lock()

    def has(self, url: str) -> bool:
        with self._lock:
            return url in self._answers

    def get(self, url: str) -> Response | None:
        """None says: ask the provider. Of those who ask for what is old one is told so; the others go on with it."""
        with self._lock:
            at, answer = self._answers.get(url, (0.0, None))
            if answer is None or monotonic() - at < self.KEPT:
                return answer
            self._answers[url] = (monotonic() - self.KEPT + self.AGAIN, answer)
            return None

    def keep(self, url: str, answer: Response) -> None:
        with self._lock:
            self._answers[url] = (monotonic(), answer)

    def doubt(self) -> None:
        with self._lock:
            for url, (at, answer) in list(self._answers.items()):
                if monotonic() - at >= self.AGAIN:
                    self._answers[url] = (monotonic() - self.KEPT, answer)

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


published = Published()


class Requests(Session):
    """As the library speaks to the provider."""

    def get(self, url: Any, **options: Any) -> Response:
        # What is asked for with a header is of one person.
        if options:
            return super().get(url, **options)
        if (answer := published.get(url)) is None:
            answer = super().get(url)
            answer.raise_for_status()
            published.keep(url, answer)
        return answer

    def request(self, *args: Any, **options: Any) -> Response:
        return super().request(*args, **{"timeout": app_settings.REQUESTS_TIMEOUT} | options)


class Conversation(OpenIDConnectOAuth2Adapter):
    """One sign-in, as the provider sees it."""

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return request.build_absolute_uri(reverse("single-sign-on-callback"))

    @property
    def openid_config(self) -> dict[str, Any]:
        if not published.has(self.get_provider().server_url):
            _take_slot(self.request)
        config: dict[str, Any] = super().openid_config
        if config["issuer"].rstrip("/") != settings.OIDC_ISSUER_URL:
            raise OAuth2Error("The provider calls itself by another issuer")
        return config

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        try:
            claims = self._claims(app, kwargs["response"]["id_token"])
        except OAuth2Error:
            # The provider may have changed its keys.
            published.doubt()
            claims = self._claims(app, kwargs["response"]["id_token"])
        if "exp" not in claims or claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("The token has no end, or was made for another client")
        if not (len(claims["sub"]) <= app_settings.UID_MAX_LENGTH and claims["sub"].isprintable()):
            raise OAuth2Error("The subject is none that can be stored")
        if "userinfo_endpoint" in self.openid_config:
            told = self._fetch_user_info(token.token)
            if told["sub"] != claims["sub"]:
                raise OAuth2Error("The provider tells of another person than the token")
            claims = told | claims
        login = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def _claims(self, app: Any, token: str) -> dict[str, Any]:
        return jwtkit.verify_and_decode(
            credential=token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )


class Issuer(OpenIDConnectProvider):
    """The provider that the environment names."""

    @cached_property
    def conversation(self) -> Conversation:
        return Conversation(self.request, self.app.provider_id)

    def get_oauth2_adapter(self, request: HttpRequest) -> Conversation:
        """The same each time, so that the provider is asked once where its addresses are."""
        return self.conversation

    def get_scope(self) -> list[str]:
        """Groups too, where the provider asks for that scope before it tells them."""
        offered = self.conversation.openid_config.get("scopes_supported", [])
        groups = settings.OIDC_GROUPS_CLAIM
        return [*super().get_scope(), *([groups] if groups in offered else [])]

    def extract_uid(self, data: Any) -> str:
        return data["sub"]

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        """Nothing of what it tells of a person is stored but what a user here has."""
        return {}

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        return {}

    def extract_email_addresses(self, data: Any) -> list[Any]:
        """None: nobody is recognised by an address, and no mail is sent."""
        return []


class Adapter(DefaultSocialAccountAdapter):
    """How django-allauth meets us: the one provider, what is refused in which words, and who is signed in."""

    def get_provider(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> Issuer:
        app = SocialApp(
            provider=Issuer.id,
            # What a link is stored under beside the subject: a subject means nothing at another issuer.
            provider_id=settings.OIDC_ISSUER_URL,
            name="single sign-on",
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_ISSUER_URL, "oauth_pkce_enabled": True},
        )
        return Issuer(request, app=app)

    def get_requests_session(self) -> Requests:
        return Requests()

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = AuthError.UNKNOWN,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        if error == AuthError.CANCELLED:
            raise ImmediateHttpResponse(errors.answer(request, 403, _CANCELLED))
        if exception is None and "error" not in request.GET:
            raise ImmediateHttpResponse(errors.answer(request, 403, _FORGOTTEN))
        raise ImmediateHttpResponse(_refused(request, exception))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """The end of each sign-in: the rest of the library's ways, through forms and mails, is not used."""
        claims = sociallogin.claims
        if not constant_time_compare(str(claims.get("nonce")), sociallogin.state["nonce"]):
            raise OAuth2Error("The token was made for another sign-in")
        with transaction.atomic():
            user = _user_of(sociallogin.account, claims)
            if user.is_active:
                _give_rights(user, claims)
        if not user.is_active:
            raise ImmediateHttpResponse(errors.answer(request, 403, _SWITCHED_OFF))
        auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        request.session.set_expiry(None)
        raise ImmediateHttpResponse(HttpResponseRedirect(sociallogin.state.get("next") or resolve_url("home")))


def _refused(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    """The log names the kind of fault and the provider's own code for it; its words may hold a token."""
    if exception is not None:
        published.doubt()
    cause = (exception and exception.__cause__) or exception
    code = re.search(r'"error": ?"(\w{1,64})"', str(exception)) or re.match(
        r"(\w{1,64})\Z", request.GET.get("error", "")
    )
    kind = type(cause).__name__ if cause else "refused by the provider"
    logger.warning("A single sign-on was refused: %s%s.", kind, f", {code[1]}" if code else "")
    if isinstance(exception, RequestException):
        return errors.answer(request, 503, _SILENT)
    return errors.answer(request, 403, _UNTRUSTED)


def _user_of(link: SocialAccount, claims: dict[str, Any]) -> User:
    """The user who is linked to this subject of this issuer, made where there is none. Names are not looked at."""
    of_person = SocialAccount.objects.filter(provider=link.provider, uid=link.uid).select_related("user")
    # Twice: another tab of a new person may be as far, and be the first to write.
    for _ in range(2):
        if found := of_person.first():
            return found.user
        with suppress(IntegrityError), transaction.atomic():
            user = User(username=_free_name(claims), email=_text(claims, "email")[:254])
            user.first_name, user.last_name = _text(claims, "given_name")[:150], _text(claims, "family_name")[:150]
            user.set_unusable_password()
            user.save()
            SocialAccount.objects.create(user=user, provider=link.provider, uid=link.uid)
            _audit(user, "added", {"username": [None, user.username], "email": [None, user.email]})
            return user
    raise OAuth2Error("The user cannot be made")


def _free_name(claims: dict[str, Any]) -> str:
    """As the provider calls the person, in the letters that names have here; with a number where it is taken."""
    told = (_text(claims, claim) for claim in ("preferred_username", "email", "sub"))
    names = (re.sub(r"[^\w.@+-]", "", User.normalize_username(text))[:140] for text in told)
    name = next(filter(None, names), "user")
    found, number = name, 1
    while User.objects.filter(username__iexact=found).exists():
        number += 1
        found = f"{name}-{number}"
    return found


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return "".join(filter(str.isprintable, value)).strip() if isinstance(value, str) else ""


def _give_rights(user: User, claims: dict[str, Any]) -> None:
    """Groups are those of the claim that exist here; a claim that is absent or no list of words names none."""
    told = claims.get(settings.OIDC_GROUPS_CLAIM)
    names = set(told) if isinstance(told, list) and all(isinstance(name, str) for name in told) else set()
    changes: dict[str, Any] = {}
    is_staff = not names.isdisjoint(settings.OIDC_STAFF_GROUPS)
    if settings.OIDC_STAFF_GROUPS and is_staff != user.is_staff:
        changes["is_staff"] = [user.is_staff, is_staff]
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])
    groups = [group for group in Group.objects.all() if group.name in names]
    before, after = sorted(group.name for group in user.groups.all()), sorted(group.name for group in groups)
    if before != after:
        changes["groups"] = [before, after]
        user.groups.set(groups)
    if changes:
        _audit(user, "changed", changes)


def _audit(user: User, action: str, changes: dict[str, Any]) -> None:
    import_string(settings.AUDIT)("single sign-on", user, action, changes)


def _in_words(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view, where single sign-on is configured, and with each way that it may end in words of ours."""

    @never_cache
    def wrapped(request: HttpRequest) -> HttpResponseBase:
        if not settings.OIDC_ISSUER_URL:
            raise Http404
        try:
            return view(request)
        except ImmediateHttpResponse as answered:
            return answered.response
        except _BROKEN as error:
            return _refused(request, error)
        finally:
            if hasattr(request, "has_slot"):
                slots.release()

    return wrapped


def _take_slot(request: HttpRequest) -> None:
    """One of the few in which the provider is asked, until this request is answered."""
    if not hasattr(request, "has_slot"):
        if not slots.acquire(blocking=False):
            raise ImmediateHttpResponse(errors.answer(request, 503, _BUSY))
        request.has_slot = True  # type: ignore[attr-defined]


class Start(views.RedirectURLMixin, View):
    """Sends the browser to the provider.

    By GET, as OpenID Connect has it: a form's redirect to another host is what our Content-Security-Policy forbids.
    """

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        if not begun.allows(address_tried(request)):
            return errors.answer(request, 429, _TOO_MANY, begun.seconds)
        nonce = get_random_string(32)
        if not request.user.is_authenticated:
            # What is remembered of a sign-in that nobody ends: strangers may begin as many as they like.
            request.session.set_expiry(_REMEMBERED)
        return (
            Adapter()
            .get_provider(request)
            .redirect(
                request,
                AuthProcess.LOGIN,
                next_url=self.get_redirect_url(),
                auth_params={"nonce": nonce},
                nonce=nonce,
            )
        )


def _come_back(request: HttpRequest) -> HttpResponse:
    if request.method != "GET":
        return errors.answer(request, 405, "Signing in ends with a GET.")
    # Before the library, which forgets the state: who finds no slot may load the page again.
    if request.GET.get("state") in statekit.get_states(request):
        if not ended.allows(address_tried(request)):
            return errors.answer(request, 429, _TOO_MANY, ended.seconds)
        _take_slot(request)
    return OAuth2CallbackView.adapter_view(Conversation(request, settings.OIDC_ISSUER_URL))(request)


start = _in_words(Start.as_view())
callback = _in_words(_come_back)
