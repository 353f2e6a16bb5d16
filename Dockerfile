# The one image of the project: the engine, the participant services, the workers and the `saga` command line are one program.
FROM python:3.12.12-slim-bookworm AS build
COPY requirements.lock ./
# Wheels only: nothing is compiled, so neither stage needs a compiler.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.lock
RUN printf '#!/opt/venv/bin/python\nfrom saga.cli import main\n\nmain()\n' > /opt/venv/bin/saga \
    && chmod 755 /opt/venv/bin/saga

FROM python:3.12.12-slim-bookworm
RUN groupadd --system --gid 10001 saga && useradd --system --uid 10001 --gid saga --no-create-home saga
# A new volume that is mounted here takes over its owner.
RUN install -d -o saga -g saga /var/lib/saga-workers
RUN install -d -o saga -g saga -m 700 /var/lib/saga-engine
COPY --from=build /opt/venv /opt/venv
# The checkout's layout: `saga deploy` reads the folder bpmn beside the packages.
WORKDIR /app
COPY bpmn bpmn
COPY services services
COPY workers workers
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app:/app/workers PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["saga"]
