"""Django as a WSGI application: what config/asgi.py calls on its threads, and what runserver serves."""

import os

from django.core.wsgi import get_wsgi_application

from config.checks import warn_at_start
from config.headers import BoundedHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = BoundedHeaders(get_wsgi_application())
warn_at_start()
