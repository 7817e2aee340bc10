#!/usr/bin/env bash
# build.sh [NAME…]: provides the database images of dev mode (all, or those named, such as postgres:17). Pulls the
# official images if a registry can be reached, and builds the others here. Skips images that are up to date. REBUILD=1
# rebuilds (for newer Debian packages); REGISTRY=no does not try to pull. --ready only reports whether all are up to
# date, by its exit status.
. "$(dirname "$0")/../lib.sh"
HERE=$ROOT/dev/images
only_ask=''
if [ "${1:-}" = --ready ]; then only_ask=1; shift; fi

#     name           folder    debian    official reference
LIST='postgres:17    postgres  trixie    docker.io/library/postgres:17
      postgres:15    postgres  bookworm  docker.io/library/postgres:15
      mariadb:11.8   mariadb   trixie    docker.io/library/mariadb:11.8
      mariadb:10.11  mariadb   bookworm  docker.io/library/mariadb:10.11
      mongodb:6.0    mongodb   bookworm  docker.io/library/mongo:6.0
      neo4j:5.26     neo4j     bookworm  docker.io/library/neo4j:5.26-community'

tag_of() { echo "db4sci-dev/$1"; }
sha()    { sha256sum | cut -c1-64; }
# The hash of what an image is built from: its own recipe and, except for base images, the recipe of its base.
base_content()  { { echo "$1"; cat "$HERE/base.sh"; } | sha; }
image_content() { { echo "$1"; base_content "$3"; cd "$HERE/$2" && find . -type f | LC_ALL=C sort | xargs sha256sum; } | sha; }

# --- find out which images are wanted and which exist, with one request to the engine
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

[ -z "$only_ask" ] || exit $((${#todo[@]} > 0))

# --- pull what can be pulled; whether a registry can be reached is checked once
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

# --- build the rest: each base, then the images on it; the chains of different bases run in parallel
asked_bases=()
for n in "$@"; do case $n in base:*) asked_bases+=("${n#base:}") ;; esac; done
# A folder's fetch.sh downloads what Debian does not package. The build gets the result as fetched/, next to the
# folder's files. The download is kept until fetch.sh, or a file of the folder that it names, changes, so that a rebuild
# downloads nothing.
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
  # remove replaced downloads; another build may have finished first
  rm -rf "${cache%/*}/$1"-*
  mv -T "$new" "$cache" || rm -rf "$new"
}
context() {
  local parts=(-C "$HERE/${folder[$1]}" .)
  [ ! -e "$HERE/${folder[$1]}/fetch.sh" ] || parts+=(-C "$(cache_of "$1")" fetched)
  tar -c "${parts[@]}"
}
build_image() {
  local id old rc=0
  id=$(mktemp)
  old=$(image_id "$(tag_of "$1")")
  # `step` turns errexit off, so a failure has to be returned explicitly
  build_and_tag "$1" "$id" || rc=$?
  rm -f "$id"
  [ $rc = 0 ] || return $rc
  remove_replaced "$old" "$(tag_of "$1")"
}
build_and_tag() { # NAME FILE-FOR-ITS-ID
  local values
  context "$1" | docker build --force-rm --iidfile "$2" ${REBUILD:+--no-cache} --label "$LABEL_IMAGE=true" \
    --build-arg BASE="$(tag_of "base:${suite[$1]}")" --build-arg VERSION="${1#*:}" - || return
  # values known only after the build, such as the exact version, become environment variables; then the image is tagged
  values=$(docker run --rm --network none --entrypoint cat "$(cat "$2")" /etc/db4sci-image.env) || return
  { echo "FROM $(cat "$2")"; [ -z "$values" ] || sed 's/^/ENV /' <<<"$values"; } |
    docker build --force-rm -t "$(tag_of "$1")" --label "$LABEL_CONTENT=${content[$1]}" -
}
chain() { # DEBIAN: the base, then the images built on it; downloads run in parallel
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
    # the step has reported its failure; the other images are still built
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
groups=images
for n in ${todo[@]+"${todo[@]}"}; do if to_fetch "$n"; then groups='images fetch'; fi; done
# shellcheck disable=SC2086
"$ROOT/dev/packages.sh" $groups
rc=0
for b in "${chains[@]}"; do STEP_PARALLEL=1 chain "$b" & jobs+=($!); done
for j in "${jobs[@]}"; do wait "$j" || rc=$?; done
exit $rc
