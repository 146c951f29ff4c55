# One image for every part of Relayline: `relayline api`, `worker`, `migrate`.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /src
COPY . .
# the wheel of this checkout, and of each dependency the version that CI tests with
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --constraint constraints.txt --wheel-dir /wheels '.[server]'
# no pip in it; compiled once and for all, since whoever runs it can't write there
RUN python -m venv --without-pip /opt/relayline \
    && pip --python /opt/relayline/bin/python install --no-index --find-links /wheels --no-compile 'relayline[server]' \
    && /opt/relayline/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/relayline/lib

FROM ${PYTHON_IMAGE} AS runtime
# /files is what the file tools see, /data the API's data folder; volumes that are mounted there take over owner and mode
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin relayline \
    && install --directory --owner=relayline --group=relayline /files /data \
    && install --directory --owner=relayline --group=relayline --mode=700 /secrets /first-key
COPY --from=builder /opt/relayline /opt/relayline
ENV PATH="/opt/relayline/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RELAYLINE_FILES_ROOT=/files
WORKDIR /files
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# of the API; whoever runs the image as something else says so (docker-compose.yml does)
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as http; http.urlopen('http://127.0.0.1:' + os.environ.get('RELAYLINE_API_PORT', '8000') + '/healthz', timeout=4)"]
ENTRYPOINT ["relayline"]
CMD ["api"]
