# The HTTP service: docker build -t ccmusic . && docker run --rm -p 127.0.0.1:8000:8000 ccmusic
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt ./
COPY src src
COPY examples examples
RUN python -m venv /opt/ccmusic \
    && /opt/ccmusic/bin/pip install --no-cache-dir --constraint constraints.txt '.[api,batch]'

FROM python:3.12-slim
COPY --from=build /opt/ccmusic /opt/ccmusic
RUN useradd --system --create-home ccmusic
USER ccmusic
ENV PATH=/opt/ccmusic/bin:$PATH CCMUSIC_HOME=/home/ccmusic/data
# matplotlib lists the fonts once, here and not in the first request.
RUN python -c "import matplotlib.font_manager"
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8000/readyz')"]
ENTRYPOINT ["ccmusic"]
CMD ["serve", "--host", "0.0.0.0"]
