#!/usr/bin/env bash
# How long main.go and an example that imports only a P-Rep on AWS take to build, with an empty build cache and again after a change, and
# how large they are. Modules are downloaded before the clock starts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

seconds() { printf '%d.%d' $(($1 / 1000)) $((($1 % 1000) / 100)); }

# Builds $1 with the cache in $scratch/$2 and says how long it took, in ms.
build() {
  local start
  start=$(date +%s%3N)
  GOCACHE=$scratch/cache-$2 go build -o "$scratch/$2" "$1"
  echo $(($(date +%s%3N) - start))
}

declare -A colds warms sizes
measure() {
  local package=$1 name=$2 cold warm size
  cold=$(build "$package" "$name")
  # A changed main file: everything else is in the cache, the program is compiled and linked again.
  rm "$scratch/$name"
  warm=$(GOFLAGS="${GOFLAGS:-} -ldflags=-X=main.changed=$cold" build "$package" "$name")
  size=$(stat -c %s "$scratch/$name")
  printf '%-24s %8s %8s %6d MB\n' "$name" "$(seconds "$cold")" "$(seconds "$warm")" $((size / 1000000))
  colds[$name]=$cold warms[$name]=$warm sizes[$name]=$size
}

percent() { echo $((100 * $1 / $2)); }

go mod download
printf '%-24s %8s %8s %9s\n' 'program' 'cold s' 'warm s' 'size'
measure . main
measure ./examples/prep-on-aws prep-on-aws
printf '%-24s %7d%% %7d%% %8d%%\n' 'prep-on-aws of main' "$(percent "${colds[prep-on-aws]}" "${colds[main]}")" \
  "$(percent "${warms[prep-on-aws]}" "${warms[main]}")" "$(percent "${sizes[prep-on-aws]}" "${sizes[main]}")"
