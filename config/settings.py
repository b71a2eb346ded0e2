"""
Django settings. Everything that differs between deployments comes from the environment; the README has the table.

MODELDEX_ENV=development or DEBUG=true is development. Anything else is production, where a setting that is missing,
weak or malformed stops the start.
"""

import tomllib
from datetime import timedelta
from pathlib import Path

import environ

from config import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

MODELDEX_ENV = env.text("MODELDEX_ENV").lower()
if MODELDEX_ENV == "development" or (not MODELDEX_ENV and env.flag("DEBUG", False)):
    _env_file = Path(env.text("ENV_FILE", str(BASE_DIR / ".env")))
    if _env_file.is_file():
        environ.Env.read_env(_env_file)
DEBUG = env.flag("DEBUG", False)
DEVELOPMENT = DEBUG or MODELDEX_ENV == "development"
if DEBUG and MODELDEX_ENV not in ("", "development"):
    env.refuse("DEBUG must be off where MODELDEX_ENV is not development.")

DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "data")))

# What runs here: the version of the project, and which build of it where the deployment says so.
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
BUILD = env.text("BUILD")

# Secrets.

_generated = DATA_DIR if DEVELOPMENT else None
SECRET_KEY = env.secret("SECRET_KEY", env.weak_secret_key, env.new_secret_key, _generated)
# Fernet keys for the credentials of providers, newest first: the first encrypts, all of them decrypt.
CREDENTIAL_KEYS = [
    key.strip() for key in env.secret("CREDENTIAL_KEYS", env.bad_fernet_keys, env.new_fernet_key, _generated).split(",")
]
# Pepper id -> pepper for the hashes of API keys, newest first: new keys use the first.
API_KEY_PEPPERS = {
    name.strip(): pepper.strip()
    for name, _, pepper in (
        entry.partition(":")
        for entry in env.secret("API_KEY_PEPPERS", env.bad_peppers, env.new_pepper, _generated).split(",")
    )
}

# Who may reach us, and how.

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEVELOPMENT else "")
if not ALLOWED_HOSTS:
    env.refuse("set ALLOWED_HOSTS (a comma-separated list of the host names that it answers to).")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
# Web apps of other origins that call the API with a key. Cookies are never asked for: each call brings its credential.
CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
# Whatever a client's library sends: each names itself, its runtime and its retries in headers of its own, and the call
# fails with one that is not allowed. To browsers `*` is all but `authorization`, and that only without cookies.
CORS_ALLOW_HEADERS = ("*", "authorization", "content-type", "if-none-match", "if-match", "x-request-id")
CORS_EXPOSE_HEADERS = (
    "X-Request-Id", "ETag", "Link", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After",
    "Deprecation", "Sunset",
    # Where Anthropic's clients look for the request's id.
    "Request-Id",
)  # fmt: skip
# Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; config/client_ip.py takes the latter from others.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# For a private network without TLS. Sessions and keys then travel in the clear.
INSECURE_HTTP = env.flag("INSECURE_HTTP", DEVELOPMENT)

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = not INSECURE_HTTP
# Probes and Prometheus come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else env.number("HSTS_SECONDS", 31_536_000, 0, 63_072_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", False)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_HTTP
# A page's own form carries the token; no script needs to read the cookie.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "config.api.errors.csrf_failure"

SILENCED_SYSTEM_CHECKS = [
    # Other services may live on our subdomains; whether HSTS covers and preloads them is the deployment's decision.
    "security.W005",
    "security.W021",
    # Our own check of SECRET_KEY, at the top, is the one that counts.
    "security.W009",
]
if INSECURE_HTTP:
    # Asked for by name: no HSTS, no redirect to HTTPS, no secure cookies.
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W012", "security.W016"]

# The application.

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "catalog.apps.CatalogConfig",
    "preferences.apps.PreferencesConfig",
    "providers.apps.ProvidersConfig",
    "apikeys.apps.ApiKeysConfig",
    # Django's admin, under our rule for its lists.
    "config.admin_site.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Before staticfiles, so that runserver serves static files the way production does.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    # For its script: the pages' tags name it themselves.
    "django_htmx",
    "waffle",
    "axes",
    "corsheaders",
    # For its tables: which subject of which issuer is whom. config/single_sign_on.py has the only addresses.
    "allauth.account",
    "allauth.socialaccount",
]

MIDDLEWARE = [
    # Outermost, so that every answer has a request id, a refusal of the middleware below it included.
    "config.api.request_id.RequestIdMiddleware",
    "config.metrics.MetricsMiddleware",
    # Around all that may refuse, so that a browser shows its page a refusal too, and before anything asks for a key.
    "corsheaders.middleware.CorsMiddleware",
    "config.client_ip.ForwardedMiddleware",
    "config.databases.patience.PatienceMiddleware",
    "config.api.security.SecurityHeadersMiddleware",
    "config.api.errors.ErrorsMiddleware",
    "config.passwords.BusyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "apikeys.rate_limit_headers.RateLimitHeadersMiddleware",
    "config.api.compression.CompressionMiddleware",
    # Reads with a key are answered here, and pass nothing of what follows.
    "catalog.api.direct.DirectReadsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # Innermost, as django-axes asks: it turns a lock-out, signalled during sign-in, into the answer.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
# A redirect between the forms of an address would hide a caller's mistake, and drop the body of a POST.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' own, so that templates/admin/ overrides the admin's.
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "preferences.pages.theme.theme",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["config.formats"]

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# The database.

DATABASES = {"default": env.database("DATABASE_URL", DATA_DIR / "modeldex.sqlite3")}
_database = DATABASES["default"]
_options = _database.setdefault("OPTIONS", {})
# Seconds that a request waits for the answer to one statement. Commands and syncs wait as long as it takes.
DATABASE_REQUEST_TIMEOUT = env.number("DATABASE_REQUEST_TIMEOUT", 2, 1, 300)
if _database["ENGINE"] == env.ENGINES["django.db.backends.sqlite3"]:
    # Kept for as long as the thread lives.
    _database["CONN_MAX_AGE"] = None
    if _database["NAME"] != ":memory:":
        Path(_database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    _options |= {
        # A transaction takes the write lock when it begins. One that upgrades from reading to writing halfway fails
        # at once when another wrote in between, whatever the timeout.
        "transaction_mode": "IMMEDIATE",
        # Seconds, for commands and syncs: a request waits less (config/databases/patience.py).
        "timeout": 20,
        # WAL lets readers go on while one process writes. The timeout comes first: switching to WAL needs a lock too.
        "init_command": "PRAGMA busy_timeout=20000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    _pool_max = env.number("DATABASE_POOL_MAX_SIZE", 10, 0, 1000)
    # Seconds. Without it a host that does not answer holds a request for minutes.
    _options.setdefault("connect_timeout", 2)
    # A host that is gone without a word is noticed in half a minute, by commands too, and not in hours.
    for _name, _value in (("keepalives_idle", 10), ("keepalives_interval", 5), ("keepalives_count", 3)):
        _options.setdefault(_name, _value)
    # Milliseconds, for what was sent and never acknowledged.
    _options.setdefault("tcp_user_timeout", 30_000)
    if _pool_max:
        # One pool a process. Django refuses persistent connections beside a pool. The backend looks after those that
        # the server has dropped: the pool's own check asks the server each time.
        _database["CONN_MAX_AGE"] = 0
        _options["pool"] = {
            "min_size": min(env.number("DATABASE_POOL_MIN_SIZE", 1, 0, 1000), _pool_max),
            "max_size": _pool_max,
            "timeout": env.number("DATABASE_POOL_TIMEOUT", 2, 1, 300),
            # A pool that cannot connect gives up soon, so that the next request tries anew. By itself it would wait
            # twice as long after each failure, and so long after the server is back.
            "reconnect_timeout": 2,
        }
    # An external pooler in transaction mode, such as PgBouncer, cannot keep a cursor between statements. One that is
    # met sets this by itself: catalog/db/prepared.py.
    _database["DISABLE_SERVER_SIDE_CURSORS"] = env.flag("DISABLE_SERVER_SIDE_CURSORS", False)
if env.text("DATABASE_REPLICA_URL"):
    _replica = env.database("DATABASE_REPLICA_URL", Path())
    if not {_database["ENGINE"], _replica["ENGINE"]} <= {env.ENGINES["django.db.backends.postgresql"]}:
        env.refuse("DATABASE_REPLICA_URL is for a PostgreSQL that follows the one of DATABASE_URL.")
    # As the primary is asked, but for what an address says by itself.
    DATABASES["replica"] = {**_database, **_replica, "OPTIONS": {**_options, **_replica.get("OPTIONS", {})}}
    DATABASE_ROUTERS = ["config.api.replica.ReplicaRouter"]

# Nothing is cached in a process behind the others' backs: waffle would otherwise answer with flags that another
# process has long changed.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

# Signing in.

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "config.passwords.OverlongPasswords",
    "config.passwords.SuperusersOnly",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["config.passwords.BoundedHasher"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "config.passwords.MaximumLengthValidator"}] + [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"
# Ten wrong passwords lock one name from one address for a quarter of an hour, a hundred under whatever names the
# address. A name alone is never locked, or anyone could lock out anyone.
AXES_HANDLER = "config.accounts.Tries"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
SIGN_IN_FAILURES_PER_ADDRESS = 100
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "config.accounts.locked_out"
AXES_CLIENT_IP_CALLABLE = "config.accounts.address_tried"
AXES_USERNAME_CALLABLE = "config.accounts.name_tried"
AXES_VERBOSE = False
# Its lists are catalog/admin/sign_ins.py: they are read, and change nothing but to unlock.
AXES_ENABLE_ADMIN = False
# It keeps who was tried and from where, and what was sent: of passwords a mask.
AXES_SENSITIVE_PARAMETERS = ["old_password", "new_password1", "new_password2"]

# Single sign-on by OpenID Connect, where the first three are set: config/single_sign_on.py.
OIDC_ISSUER_URL, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = env.single_sign_on(INSECURE_HTTP)
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", "groups")
OIDC_STAFF_GROUPS = env.words("OIDC_STAFF_GROUPS")
OIDC_ONLY = env.flag("OIDC_ONLY", False)
SOCIALACCOUNT_ADAPTER = "config.single_sign_on.Adapter"
# Seconds for connecting, and for one silence while reading.
SOCIALACCOUNT_REQUESTS_TIMEOUT = (2, 5)
# Writes to the audit log what happens to users outside of the admin.
AUDIT = "catalog.editing.history.audit_by_name"

# Mail, for lost passwords; without a server there is no such page.
(EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_TLS, EMAIL_USE_SSL) = env.mail("EMAIL_URL")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "webmaster@localhost")
EMAIL_TIMEOUT = 10
# Where `config.serving` listens.
PORT = env.number("PORT", 8000, 1, 65_535)
# What links begin with. A request's `Host` may name another port, where somebody else listens: no mail repeats that.
SITE_URL = env.site_url("SITE_URL", needed=bool(EMAIL_HOST) and not DEVELOPMENT, insecure=INSECURE_HTTP)
PASSWORD_RESET_TIMEOUT = 3600

# Static files.

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
# In development files are found where they lie; production serves what collectstatic gathered, under hashed names.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEVELOPMENT
_static_storage = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEVELOPMENT
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
}

# The API.

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apikeys.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.NumberedPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "config.api.auto_schema.DeclaredSchema",
    "EXCEPTION_HANDLER": "config.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    # `format` is a parameter of our own, as in ?format=cli.
    "URL_FORMAT_OVERRIDE": None,
}
# The one parser of JSON, which the parser of requests shares with the apps.
STRICT_JSON = "catalog.validation.strict_json.loads"
SPECTACULAR_SETTINGS = {
    "TITLE": "Modeldex",
    "DESCRIPTION": (BASE_DIR / "config" / "api" / "introduction.md").read_text(),
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    # Wherever the document is served.
    "SERVERS": [{"url": "/"}],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        # Last: it completes what the others made.
        "config.api.openapi.complete",
    ],
    # Two fields are called `source`.
    "ENUM_NAME_OVERRIDES": {
        "VendorListSource": ("api", "curated", "curated_fallback"),
        "LocalListSource": ("ollama", "ollama_unreachable"),
    },
    # Without a validator of its own choosing: it would send the document's address to another host.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "displayRequestDuration": True, "validatorUrl": None},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "GET_LIB_DOC_EXCLUDES": "catalog.api.serializers.answers.not_described",
}

# Feature flags: one that does not exist is off, and asking for it does not create it.

WAFFLE_CREATE_MISSING_FLAGS = False
WAFFLE_FLAG_DEFAULT = False
WAFFLE_SECURE = not INSECURE_HTTP

# The catalog and its providers.

# Whether the catalog can be read without signing in.
PUBLIC_CATALOG = env.flag("PUBLIC_CATALOG", True)
# Hosts that providers entered in the admin may use although they are not public: host, host:port or CIDR.
PROVIDER_ALLOWED_HOSTS = env.words("PROVIDER_ALLOWED_HOSTS")
# How old, in seconds, a provider's list may be when it is answered.
PROVIDER_CACHE_SECONDS = env.number("PROVIDER_CACHE_SECONDS", 300, 0, 86_400)
OPENROUTER_BASE_URL = env.base_url("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1")
OPENROUTER_API_KEY = env.text("OPENROUTER_API_KEY")
OPENAI_BASE_URL = env.base_url("OPENAI_BASE_URL", "https://api.openai.com/v1")
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OLLAMA_BASE_URL = env.base_url("OLLAMA_BASE_URL", "http://127.0.0.1:11434")
ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")
GOOGLE_API_KEY = env.text("GOOGLE_API_KEY")
MISTRAL_API_KEY = env.text("MISTRAL_API_KEY")

# What an export for clients of models.dev tells them to call: the address, none where it is "", and the npm package.
EXPORT_API_URL = env.base_url("EXPORT_API_URL")
EXPORT_API_NPM = env.text("EXPORT_API_NPM", "@ai-sdk/openai-compatible")

# The bearer token for /metrics; without one there is no such address.
METRICS_TOKEN = env.text("METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    env.refuse("METRICS_TOKEN must have at least 16 characters.")
METRICS_COLLECTORS = ["catalog.api.metrics.gauges", "providers.metrics.gauges"]

# Logs: a line a record, on standard output. manage.py moves them to standard error, because what a command prints is
# its result.

_log_level = env.text("LOG_LEVEL", "INFO").upper()
if _log_level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    env.refuse("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
_log_stream = env.text("LOG_STREAM", "stdout")
if _log_stream not in ("stdout", "stderr"):
    env.refuse("LOG_STREAM must be stdout or stderr.")
_log_format = env.text("LOG_FORMAT", "line")
if _log_format not in ("line", "json"):
    env.refuse("LOG_FORMAT must be line or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.api.logging.OneLineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
        "json": {"()": "config.api.logging.JSONFormatter"},
    },
    "handlers": {
        "stream": {"class": "logging.StreamHandler", "stream": f"ext://sys.{_log_stream}", "formatter": _log_format},
    },
    "root": {"handlers": ["stream"], "level": _log_level},
    "loggers": {
        # Django gives this logger handlers of its own: mail to administrators, and a console in DEBUG only.
        "django": {"handlers": [], "level": _log_level, "propagate": True},
        # The URL of an upstream may hold a credential in its query.
        "urllib3": {"level": "WARNING"},
        # It warns of each try to connect; what an outage is, is told once a minute where requests meet it.
        "psycopg.pool": {"level": "ERROR"},
    },
}
