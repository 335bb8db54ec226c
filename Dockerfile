# The images of the service and of Asterisk (docker-compose.yml); Postgres' is the official one.
#   docker build --target service -t ringback .
#   docker build --target asterisk -t ringback-asterisk .

FROM python:3.11.13-slim-bookworm AS base
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

# The Python environment, every file of it checked against the hashes in uv.lock.
FROM base AS environment
COPY deploy/uv.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement uv.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --no-cache --no-python-downloads --compile-bytecode

FROM base AS code
COPY --from=environment /app/.venv /app/.venv
COPY asterisk-config asterisk-config
COPY dialplan dialplan
COPY ivr ivr
COPY routing routing
RUN python -m compileall -q dialplan ivr routing

# Asterisk as on any other machine: Debian's own packages, versions and checksums in routing/local/install/asterisk.lock.toml.
FROM code AS asterisk-files
ENV XDG_CACHE_HOME=/opt
RUN python -m routing setup --asterisk

FROM code AS asterisk
ENV XDG_CACHE_HOME=/opt
COPY --from=asterisk-files /opt/ringback /opt/ringback
RUN install -d -o 10002 -g 10002 /var/lib/ringback
USER 10002:10002
ENTRYPOINT ["python", "-m", "routing"]
CMD ["asterisk", "--help"]

FROM code AS firewall
RUN apt-get update -q && apt-get install -q --yes --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["python", "-m", "routing"]
CMD ["firewall", "--help"]

FROM code AS service
USER 10001:10001
ENTRYPOINT ["python", "-m", "routing"]
CMD ["serve"]
