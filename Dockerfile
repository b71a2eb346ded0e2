# Name a digest in production, such as --build-arg BASE=python:3.11-slim@sha256:..., so that each build starts from the same.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# What installs is no part of what is installed.
RUN python -m venv /opt/tools && python -m venv --without-pip /opt/venv
COPY requirements.lock /tmp/
# Wheels only: nothing is compiled, and no package runs code of its own while it is installed.
RUN /opt/tools/bin/pip --python /opt/venv/bin/python install --require-hashes --only-binary :all: -r /tmp/requirements.lock

WORKDIR /app
COPY . .
# Hashed names need production's settings; these values are made up for this one command, and none of them is kept.
RUN export SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    && export API_KEY_PEPPERS="build:$SECRET_KEY" ALLOWED_HOSTS=localhost DATA_DIR=/tmp/data \
    && export CREDENTIAL_KEYS="$(/opt/venv/bin/python -c 'from config.environment import new_fernet_key; print(new_fernet_key())')" \
    && /opt/venv/bin/python manage.py collectstatic --noinput \
    && /opt/venv/bin/python -m compileall -q /app


FROM ${BASE}

# The base image's own pip, and what could bring it back.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
    && groupadd --gid 10001 modeldex \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin modeldex \
    && install -d -o modeldex -g modeldex -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-m", "config.probe"]
CMD ["python", "-m", "config.serving"]
