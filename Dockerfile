# The portal's image. With a registry:  docker build -t db4sci .
# Without one, `make image` gives other base images and a binary built on the host (a file `db4sci` in the context).
ARG BASE=debian:bookworm-slim
ARG BUILD_BASE=rust:1.95-bookworm

FROM ${BUILD_BASE} AS build
LABEL db4sci.build-stage=true
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin
WORKDIR /src
COPY . .
# The portal is not root, yet may listen on ports 80 and 443.
RUN if [ ! -f db4sci ]; then cargo build --release --locked --bin db4sci && cp target/release/db4sci .; fi \
 && install -m 755 db4sci /usr/local/bin/db4sci && setcap cap_net_bind_service=+ep /usr/local/bin/db4sci

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libcap2-bin \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 db4sci \
 && useradd --uid 10001 --gid db4sci --home-dir /opt/db4sci --no-create-home --shell /usr/sbin/nologin db4sci
WORKDIR /opt/db4sci
COPY dbconfig dbconfig
COPY prod prod
COPY dev dev
RUN chown db4sci:db4sci /opt/db4sci prod dev
COPY --from=build /usr/local/bin/db4sci /usr/local/bin/db4sci
# old builders lose the capability in the copy
RUN getcap /usr/local/bin/db4sci | grep -q cap_net_bind_service || setcap cap_net_bind_service=+ep /usr/local/bin/db4sci

ENV DB4SCI_MODE=prod
USER db4sci
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["db4sci", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["db4sci"]
CMD ["serve"]
