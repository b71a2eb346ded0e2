"""Django as a WSGI application: what config/asgi.py calls on its threads, and what runserver serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
