# The companion on a CPU: `docker build -t companion .`, then `docker run --rm -p 8000:8000 companion` shows the smoke
# book, a small sample of the whole, at http://127.0.0.1:8000. JupyterLab with the chapters:
#   docker run --rm -p 8888:8888 companion .venv/bin/jupyter lab --ip=0.0.0.0 --no-browser
FROM python:3.12-slim AS system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --shell /bin/bash reader \
    && install --directory --owner=reader --group=reader /companion
USER reader

FROM system AS companion
WORKDIR /companion
# What changes seldom comes first. PyTorch's wheels for Linux carry libraries of CUDA, which no CPU needs: most of the image.
COPY --chown=reader:reader requirements.txt ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check uv \
    && VIRTUAL_ENV=.venv .venv/bin/uv pip install --no-cache --require-hashes -r requirements.txt
COPY --chown=reader:reader . .
ENV ADVANCE_PROFILE=smoke ADVANCE_SEEDS=2
RUN make book PROFILE=smoke SEEDS=2
EXPOSE 8000
CMD [".venv/bin/python", "-m", "http.server", "--directory", "_build/books/smoke-miniature/html", "8000"]
