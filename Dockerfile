# The worker, the intake and the simulated services of the demo: one image, three commands.
# Another base, such as one from your own registry: --build-arg PYTHON_IMAGE=registry.example.com/python:3.12-slim
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --constraint constraints.txt build hatchling
COPY pyproject.toml README.md LICENSE worker.py ./
COPY activities ./activities
COPY watchkeeper ./watchkeeper
COPY workflows ./workflows
RUN python -m build --no-isolation --wheel --outdir /dist
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/watchkeeper \
    && /opt/watchkeeper/bin/python -m pip install --constraint constraints.txt /dist/*.whl

FROM ${PYTHON_IMAGE}
ENV PATH=/opt/watchkeeper/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Volumes mounted here inherit the owner, user 10001. The root file system is read-only.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/watchkeeper /var/lib/watchkeeper-demo
COPY --from=build /opt/watchkeeper /opt/watchkeeper
WORKDIR /var/lib/watchkeeper
USER 10001:10001
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["watchkeeper"]
CMD ["worker"]
