#!/usr/bin/env bash
# sqlx.sh: writes .sqlx anew: what a PostgreSQL with the tables of migrations/ says of each statement that the compiler
# checks. Run it after a change of a statement or a migration, and commit what it wrote.
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

# For as long as this runs: in memory, and for nobody but this machine. By its label the tests' sweep finds one that is left.
server=$(docker run -d --label "$LABEL_INSTANCE=$TEST_PREFIX-sqlx" -p 127.0.0.1::5432 --tmpfs /var/lib/postgresql/data \
  -e POSTGRES_PASSWORD=tables db4sci-dev/postgres:17 postgres -c fsync=off)
make_tables() {
  local i migration
  # Over TCP: the server that the image sets itself up with answers on a socket only.
  for ((i = 0; i < 300; i++)); do
    ! docker exec -e PGPASSWORD=tables "$server" psql -h 127.0.0.1 -U postgres -qc 'SELECT 1' >/dev/null 2>&1 || break
    sleep 0.2
  done
  for migration in migrations/*.sql; do
    docker exec -i -e PGPASSWORD=tables "$server" psql -h 127.0.0.1 -U postgres -q1 -v ON_ERROR_STOP=1 <"$migration" || return
  done
}
describe() {
  # cargo knows nothing of the database that the macros ask.
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
