"""Gunicorn's settings: `gunicorn -c python:config.serving config.wsgi`."""

from config import environment as env

# Read first, and with them the .env file of development, which may say how to serve.
from config import settings  # noqa: F401

bind = f"{env.text('HOST', '127.0.0.1')}:{env.number('PORT', 8000, 1, 65_535)}"
worker_class = "config.worker.BufferingWorker"
workers = env.number("WEB_WORKERS", 2, 1, 256)
threads = env.number("WEB_THREADS", 8, 1, 256)
# Settings are read once, before there are workers: one that stops the start then stops gunicorn, where a worker that
# cannot start would be started again for ever.
preload_app = True
# No default: Django decides by TRUSTED_PROXIES whether a forwarded scheme counts.
forwarded_allow_ips = ""
# A model id is up to 255 characters, each up to 12 bytes when percent-encoded.
limit_request_line = 8190
# It would be a file in the home directory, which a container's user does not have.
control_socket_disable = True
timeout = 60
graceful_timeout = 20
keepalive = 5
_access = env.flag("ACCESS_LOG", False)
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s bytes %(M)s ms [%({x-request-id}o)s]'
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.api.logging.OneLineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
    },
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}},
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
        "gunicorn.access": {
            "handlers": ["stdout"] if _access else [],
            "level": "INFO" if _access else "CRITICAL",
            "propagate": False,
        },
    },
}
