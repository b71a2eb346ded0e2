"""Routes of the app."""

from django.urls import URLPattern, URLResolver, path

from providers.views import home

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
]
