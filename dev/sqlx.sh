#!/usr/bin/env bash
# sqlx.sh: regenerates .sqlx, the description of every statement that the compiler checks, from a PostgreSQL that has
# the tables of migrations/. Run it after changing a statement or a migration, and commit the result.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:${HOME:-/root}/.cargo/bin
cd "$ROOT"
"$ROOT/dev/packages.sh" build rust
"$ROOT/dev/engine.sh"
"$ROOT/dev/images/build.sh" postgres:17

mkdir -p "$VAR"
new=$(mktemp -d "$VAR/sqlx.XXXXXX")
server=''
clear_up() {
  [ -z "$server" ] || docker rm -f -v "$server" >/dev/null
  rm -rf "$new"
}
trap clear_up EXIT
trap 'exit 130' INT TERM HUP

# A temporary server, in memory and reachable from this machine only. Its label lets the tests' sweep find a leftover.
server=$(docker run -d --label "$LABEL_INSTANCE=$TEST_PREFIX-sqlx" -p 127.0.0.1::5432 --tmpfs /var/lib/postgresql/data \
  -e POSTGRES_PASSWORD=tables db4sci-dev/postgres:17 postgres -c fsync=off)
make_tables() {
  local i migration
  # Over TCP: the temporary server of the initialisation answers on a socket only.
  for ((i = 0; i < 300; i++)); do
    ! docker exec -e PGPASSWORD=tables "$server" psql -h 127.0.0.1 -U postgres -qc 'SELECT 1' >/dev/null 2>&1 || break
    sleep 0.2
  done
  for migration in migrations/*.sql; do
    docker exec -i -e PGPASSWORD=tables "$server" psql -h 127.0.0.1 -U postgres -q1 -v ON_ERROR_STOP=1 <"$migration" || return
  done
}
describe() {
  # cargo does not know that the macros depend on a database, so force a new check.
  touch src/lib.rs
  SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$new DATABASE_URL=postgres://postgres:tables@$(docker port "$server" 5432/tcp | head -n 1)/postgres \
    cargo check --locked --lib
}
step "a server with the tables of migrations/" make_tables
step "asking it about every statement" describe

mkdir -p .sqlx
rm -f .sqlx/query-*.json
mv "$new"/query-*.json .sqlx/
say "$(find .sqlx -name 'query-*.json' | wc -l) statements in .sqlx; $(git status --porcelain .sqlx | wc -l) files changed"
