"""The admin of providers, of what they offer, and of the runs that read them."""

from django.contrib import admin

from providers.admin import decisions
from providers.admin.offers import ProviderModelAdmin
from providers.admin.providers import ProviderAdmin
from providers.admin.runs import SyncRunAdmin
from providers.models import Provider, ProviderModel, SyncRun

__all__ = ["decisions"]

admin.site.register(Provider, ProviderAdmin)
admin.site.register(ProviderModel, ProviderModelAdmin)
admin.site.register(SyncRun, SyncRunAdmin)
