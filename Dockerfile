# Two stages: one with the compiler, one with the binary and nothing else: no shell, no package manager.
#
#   docker build --build-arg REVISION=$(git rev-parse --short HEAD) -t wrapup .
#
# Both base images can be replaced, by a mirror's name or by a digest. They must share Debian's release: the binary
# links the glibc of the first and runs on that of the second.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src

# Dependencies are a layer of their own, built again only when Cargo.toml or Cargo.lock changes. They need a C
# compiler (aws-lc, SQLite), which the image has, and no cmake. Tests and benches are cut out of the manifest here,
# because Cargo insists that every target it names has a file.
COPY Cargo.toml Cargo.lock ./
# How SQLite is compiled.
COPY .cargo .cargo
RUN awk '/^\[/ { skip = /^\[\[(test|bench|example)\]\]/ } !skip' Cargo.toml > Cargo.toml.cut \
 && mv Cargo.toml.cut Cargo.toml \
 && mkdir src && : > src/lib.rs && echo 'fn main() {}' > src/main.rs \
 && cargo build --release --locked \
 # Files keep their times when they are copied: the empty program could count as newer than the real one.
 && cargo clean --release --locked --package wrapup \
 && rm -r src

# What is compiled: the source, and the files of config/ that are built into the binary for the demo.
COPY src src
COPY config config
ARG REVISION=unknown
ENV WRAPUP_REVISION=${REVISION}
RUN cargo build --release --locked --bin wrapup \
 && install -D target/release/wrapup /image/usr/local/bin/wrapup \
 && strip --strip-debug /image/usr/local/bin/wrapup \
 && install -D -m 0644 -t /image/etc/wrapup config/wrapup.toml config/rules.toml \
 && install -d -m 0700 /volumes/data

FROM ${RUN_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wrapup" \
      org.opencontainers.image.description="Turns post-call survey answers into wrap-up codes on contact-centre interactions." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /image/ /
# /data, the only place that is written to. A new named volume takes over this folder's owner and mode.
COPY --from=build --chown=65532:65532 /volumes/ /
VOLUME ["/data"]

# 65532 is `nonroot` of the base image; as a number, so that Kubernetes' runAsNonRoot can see that it is not 0.
USER 65532:65532
ENV WRAPUP_CONFIG=/etc/wrapup/wrapup.toml \
    WRAPUP_LOG_FORMAT=json \
    WRAPUP__STORE__URL=sqlite:/data/wrapup.db \
    WRAPUP__ADMIN__LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/wrapup", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wrapup"]
CMD ["serve"]
