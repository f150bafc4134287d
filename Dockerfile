# Two images, neither with PyTorch; docs/containers.md shows how to run them.
# The HTTP service:  docker build --tag ccmusic-service --target service .
# The dashboard:     docker build --tag ccmusic-dashboard --target dashboard .
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt ./
COPY LICENSES LICENSES
COPY src src
COPY examples examples
RUN python -m venv /opt/ccmusic \
    && /opt/ccmusic/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM build AS build-dashboard
RUN /opt/ccmusic/bin/pip install --no-cache-dir --constraint constraints.txt '.[dashboard]'

FROM build AS build-service
RUN /opt/ccmusic/bin/pip install --no-cache-dir --constraint constraints.txt '.[api,batch]'

FROM python:3.13-slim AS base
# The folder of checkpoints is made here so that a volume on it belongs to this user.
RUN useradd --system --create-home --uid 1000 ccmusic \
    && install --directory --owner ccmusic --group ccmusic /home/ccmusic/data
ENV PATH=/opt/ccmusic/bin:$PATH \
    CCMUSIC_HOME=/home/ccmusic/data \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /home/ccmusic
ENTRYPOINT ["ccmusic"]

FROM base AS dashboard
COPY --from=build-dashboard /opt/ccmusic /opt/ccmusic
USER 1000
ENV STREAMLIT_SERVER_HEADLESS=true
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', 8501, timeout=4); c.request('GET', os.path.join('/', os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'), '_stcore/health')); raise SystemExit(c.getresponse().status != 200)"]
CMD ["dashboard", "--host", "0.0.0.0"]

FROM base AS service
COPY --from=build-service /opt/ccmusic /opt/ccmusic
USER 1000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["serve", "--host", "0.0.0.0"]
