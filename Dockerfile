# The program alone, as a user without rights: docker build -t oneway . && docker run --rm oneway --help
#
# docker run --rm -e ONEWAY_PASSWORD -v "$PWD/site:/site:ro" -v oneway:/var/lib/oneway oneway sync /site ftpes://web@ftp.example.org/htdocs
FROM rust:1.89-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin oneway

FROM debian:bookworm-slim
# The authorities that certificates of servers are held against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/release/oneway /usr/local/bin/
# Receipts and locks. A user of another number needs another place, such as a volume of their own.
RUN install -d -o 65532 -g 65532 /var/lib/oneway
ENV XDG_STATE_HOME=/var/lib/oneway
USER 65532:65532
ENTRYPOINT ["oneway"]
