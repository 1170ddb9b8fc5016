# Builds the program from source. SQLite and TLS are compiled in, so the final image only needs CA certificates, which
# come from the first image: installing their package would add a package manager's files to the layer.
# The base images are set to exact versions. To pin them by content as well, pass digests that you have checked:
#   docker build --build-arg RUST_IMAGE=rust:1.95.0-bookworm@sha256:… \
#     --build-arg DEBIAN_IMAGE=debian:12.12-slim@sha256:… .
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG DEBIAN_IMAGE=debian:12.12-slim

FROM ${RUST_IMAGE} AS build
# Embeds the list of all crates in the program; `make sbom` and scanners such as trivy and grype read it.
ARG CARGO_AUDITABLE=0.7.7
RUN cargo install --locked --version ${CARGO_AUDITABLE} cargo-auditable
WORKDIR /source
COPY . .
# Addresses that the loader has to adjust take a tenth of their room in this form, which Debian 12 and later read.
ENV RUSTFLAGS="-C link-arg=-Wl,-z,pack-relative-relocs"
# Crates and what was compiled stay in caches of this machine, so that a new version builds only what has changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo auditable build --release --locked --bin rectify \
 && strip --strip-all --keep-section=.dep-v0 target/release/rectify -o /usr/local/bin/rectify

FROM ${DEBIAN_IMAGE}
# Only the program can access its data. /secrets is for the database password that docker-compose.yml generates.
RUN useradd --system --uid 10001 --home-dir /data rectify \
 && install -d -o rectify -m 0700 /data /secrets
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/rectify /usr/local/bin/rectify
USER rectify
WORKDIR /data
ENV RECTIFY_DATA_DIR=/data RECTIFY_LOG_FORMAT=json
EXPOSE 8080
ENTRYPOINT ["rectify"]
CMD ["serve"]
