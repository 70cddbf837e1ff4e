# Quarry's server: `docker build -t quarry .`; docs/serving.md tells how it is run.
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/quarry \
    && /opt/quarry/bin/pip install --no-cache-dir . \
    && QUARRY_CACHE=/opt/quarry/cache /opt/quarry/bin/quarry models --prepare

FROM python:3.12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        tesseract-ocr tesseract-ocr-eng tesseract-ocr-kor tesseract-ocr-osd \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home quarry \
    && install -d -m 700 -o quarry -g quarry /data
COPY --from=build /opt/quarry /opt/quarry
ENV PATH=/opt/quarry/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    QUARRY_CACHE=/opt/quarry/cache \
    QUARRY_LIBRARY=/data/library
USER 10001
VOLUME /data
EXPOSE 7700
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7700/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["quarry"]
CMD ["serve", "--host", "0.0.0.0", "--create", "--log"]
