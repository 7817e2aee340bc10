#!/usr/bin/env bash
# build.sh [NAME…]: the database images of dev mode (all, or the named ones such as postgres:17). Official images are
# pulled where a registry answers; what can't be pulled is built here. Nothing is done for an image that is there and
# up to date. REBUILD=1 builds anew (newer Debian packages), REGISTRY=no does not try to pull.
. "$(dirname "$0")/../lib.sh"
HERE=$ROOT/dev/images

#     name           folder    debian    official reference
LIST='postgres:17    postgres  trixie    docker.io/library/postgres:17
      postgres:15    postgres  bookworm  docker.io/library/postgres:15
      mariadb:11.8   mariadb   trixie    docker.io/library/mariadb:11.8
      mariadb:10.11  mariadb   bookworm  docker.io/library/mariadb:10.11
      mongodb:6.0    mongodb   bookworm  docker.io/library/mongo:6.0
      neo4j:5.26     neo4j     bookworm  docker.io/library/neo4j:5.26-community'

tag_of() { echo "db4sci-dev/$1"; }
sha()    { sha256sum | cut -c1-64; }
# What an image is made of: its recipe, and for all but the bases, the base's recipe.
base_content()  { { echo "$1"; cat "$HERE/base.sh"; } | sha; }
image_content() { { echo "$1"; base_content "$3"; cd "$HERE/$2" && find . -type f | LC_ALL=C sort | xargs sha256sum; } | sha; }

# --- what is wanted, and what of it is there: one question to the engine
names=() tags=()
declare -A folder suite official content state
while read -r name dir debian ref; do
  folder[$name]=$dir suite[$name]=$debian official[$name]=$ref
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  names+=("$name"); tags+=("$(tag_of "$name")")
  content[$name]=$(image_content "$name" "$dir" "$debian")
  [[ " ${bases[*]:-} " == *" $debian "* ]] || bases+=("$debian")
done <<<"$LIST"
for n in "$@"; do
  [ "$n" = base:bookworm ] || [ "$n" = base:trixie ] || [ -n "${folder[$n]:-}" ] || die "there is no image '$n'; available: ${!folder[*]} base:bookworm base:trixie"
  case $n in base:*) bases+=("${n#base:}") ;; esac
done
for b in bookworm trixie; do tags+=("$(tag_of "base:$b")"); done
while IFS='|' read -r repo_tags ours hash; do
  for t in $repo_tags; do state[${t#db4sci-dev/}]=${ours:+$hash}; [ -n "$ours" ] || state[${t#db4sci-dev/}]=pulled; done
done < <(docker image inspect "${tags[@]}" --format \
  "{{join .RepoTags \" \"}}|{{index .Config.Labels \"$LABEL_IMAGE\"}}|{{index .Config.Labels \"$LABEL_CONTENT\"}}" 2>/dev/null || true)

todo=()
for n in "${names[@]}"; do
  [ -z "${REBUILD:-}" ] && { [ "${state[$n]:-}" = pulled ] || [ "${state[$n]:-}" = "${content[$n]}" ]; } || todo+=("$n")
done

# --- pull what can be pulled; whether a registry can be reached is asked once
pull() { timeout 600 docker pull -q "${official[$1]}" && docker tag "${official[$1]}" "$(tag_of "$1")"; }
if [ ${#todo[@]} -gt 0 ] && [ "${REGISTRY:-}" != no ]; then
  if timeout 8 docker manifest inspect "${official[${todo[0]}]}" >/dev/null 2>&1; then
    left=()
    for n in "${todo[@]}"; do step "image $n: pulling" pull "$n" || left+=("$n"); done
    todo=(${left[@]+"${left[@]}"})
  else
    say "no registry can be reached; building locally: ${todo[*]}"
  fi
fi

# --- build the rest: each base, then the images on it; the chains of different bases run side by side
asked_bases=()
for n in "$@"; do case $n in base:*) asked_bases+=("${n#base:}") ;; esac; done
# A folder's fetch.sh downloads what Debian has no package of; its image gets that as fetched/ beside the folder's files.
# It is kept for as long as fetch.sh and the files of the folder that it names stay the same, so that a rebuild downloads
# nothing.
cache_of() {
  local f hash
  hash=$({ cd "$HERE/${folder[$1]}" && for f in *; do if [ "$f" = fetch.sh ] || grep -qwF -- "$f" fetch.sh; then sha256sum "$f"; fi; done; } | sha)
  echo "$VAR/cache/images/$1-$hash"
}
to_fetch() { [ -e "$HERE/${folder[$1]}/fetch.sh" ] && [ ! -e "$(cache_of "$1")" ]; }
fetch() {
  local cache new; cache=$(cache_of "$1")
  mkdir -p "${cache%/*}"
  new=$(mktemp -d "${cache%/*}/.new.XXXXXX"); mkdir "$new/fetched"; chmod 755 "$new"
  "$HERE/${folder[$1]}/fetch.sh" "$new/fetched" "${1#*:}" || { rm -rf "$new"; return 1; }
  # what is replaced goes; another build may have been faster
  rm -rf "${cache%/*}/$1"-*
  mv -T "$new" "$cache" || rm -rf "$new"
}
context() {
  local parts=(-C "$HERE/${folder[$1]}" .)
  [ ! -e "$HERE/${folder[$1]}/fetch.sh" ] || parts+=(-C "$(cache_of "$1")" fetched)
  tar -c "${parts[@]}"
}
build_image() {
  local id old
  id=$(mktemp)
  old=$(image_id "$(tag_of "$1")")
  context "$1" | docker build --force-rm --iidfile "$id" ${REBUILD:+--no-cache} --label "$LABEL_IMAGE=true" \
    --build-arg BASE="$(tag_of "base:${suite[$1]}")" --build-arg VERSION="${1#*:}" -
  # what only the finished image knows, such as the exact version, becomes its environment; then it gets its name
  { echo "FROM $(cat "$id")"
    docker run --rm --network none --entrypoint cat "$(cat "$id")" /etc/db4sci-image.env | sed 's/^/ENV /'
  } | docker build --force-rm -t "$(tag_of "$1")" --label "$LABEL_CONTENT=${content[$1]}" -
  rm -f "$id"
  remove_replaced "$old" "$(tag_of "$1")"
}
chain() { # DEBIAN: the base, then what is to be built on it; downloads go on beside that
  local debian=$1 n want rc=0 mine=(); want=$(base_content "$1")
  local -A fetching
  for n in ${todo[@]+"${todo[@]}"}; do
    [ "${suite[$n]}" = "$debian" ] || continue
    mine+=("$n")
    if to_fetch "$n"; then step "image $n: fetching" fetch "$n" & fetching[$n]=$!; fi
  done
  if [ "${state[base:$debian]:-}" != "$want" ] || [ -n "${REBUILD:-}" ]; then
    step "image base:$debian: debootstrap" as_root "$HERE/base.sh" "$debian" "$(tag_of "base:$debian")" "$want" || { wait; return 1; }
  fi
  for n in ${mine[@]+"${mine[@]}"}; do
    # a failure has been told by its step; the other images are built all the same
    { [ -z "${fetching[$n]:-}" ] || wait "${fetching[$n]}"; } && step "image $n: building" build_image "$n" || rc=1
  done
  return $rc
}
chains=() jobs=()
for b in bookworm trixie; do
  need=''
  for n in ${todo[@]+"${todo[@]}"}; do [ "${suite[$n]}" = "$b" ] && need=1; done
  for n in ${asked_bases[@]+"${asked_bases[@]}"}; do [ "$n" = "$b" ] && need=1; done
  [ -z "$need" ] || chains+=("$b")
done
[ ${#chains[@]} -gt 0 ] || exit 0
"$ROOT/dev/packages.sh" images
rc=0
for b in "${chains[@]}"; do STEP_PARALLEL=1 chain "$b" & jobs+=($!); done
for j in "${jobs[@]}"; do wait "$j" || rc=$?; done
exit $rc
