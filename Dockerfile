# The program, built from source; SQLite and TLS are compiled in, so the image needs nothing but certificates.
FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin rectify && cp target/release/rectify /usr/local/bin/rectify

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data rectify \
 && install -d -o rectify /data
COPY --from=build /usr/local/bin/rectify /usr/local/bin/rectify
USER rectify
WORKDIR /data
ENV RECTIFY_DATA_DIR=/data RECTIFY_LOG_FORMAT=json
EXPOSE 8080
ENTRYPOINT ["rectify"]
CMD ["serve"]
