# shellcheck shell=bash disable=SC2154
# The distribution's own packages, signed; what the benchmarks want gone is purged by the engine (PURGE), along with all installations.

for name in $PACKAGES_KEEP; do
  PURGE=" $PURGE "
  PURGE=${PURGE/" $name "/ }
done

packages() {
  want_file 0644 root:root /etc/apt/apt.conf.d/99icon-packages <<'CONF'
// Made by pulumi-icon. No package without a signature, whatever a source says or an operator types by habit.
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
CONF
  # Who can write there decides whose packages are root's.
  want_mode 0644 root:root /etc/apt/trusted.gpg.d/*.gpg /etc/apt/trusted.gpg.d/*.asc /usr/share/keyrings/*.gpg /etc/apt/keyrings/*.gpg \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources
  want_setting /etc/default/debsums CRON_CHECK weekly =
}

packages_verify() {
  local key value
  while read -r key value; do
    [[ -z $(packages_other "$key" "$value") ]] || drift "apt: $key" '"false"' "$value"
  done < <(apt-config dump | grep -iE '^(APT::Get::AllowUnauthenticated|Acquire::Allow(Insecure|DowngradeToInsecure|Weak)Repositories) ')
  expect "packages that are not wanted" "" "$(comm -12 <(tr ' ' '\n' <<<"$PURGE" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^.[ic] *//p' | sort -u) | sed '/^$/d' | paste -sd ' ')"
  packages_sources
}

# packages_other KEY VALUE: says something if the value, as apt-config writes it, allows what is not wanted.
packages_other() {
  case "${2%;}" in
    '"false"' | '"0"' | '"no"' | '"off"') ;;
    *) echo "$1" ;;
  esac
}

# A source may say of itself that it needs no signature, in one line or in a paragraph.
packages_sources() {
  local uri prefix unsigned=()
  while read -r uri; do
    for prefix in $PACKAGES_UNSIGNED_SOURCES; do
      if [[ $uri == "$prefix"* ]]; then continue 2; fi
    done
    unsigned+=("$uri")
  done < <(
    sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]+\[[^]]*(trusted|allow-insecure|allow-weak)=yes[^]]*\][[:space:]]+([^[:space:]]+).*/\3/p' \
      /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
    awk 'BEGIN { RS = "" } tolower($0) ~ /(^|\n)(trusted|allow-insecure|allow-weak): *yes/ {
      if (match(tolower($0), /(^|\n)uris: *[^ \n]+/)) { line = substr($0, RSTART, RLENGTH); sub(/^[^:]*: */, "", line); print line } }' \
      /etc/apt/sources.list.d/*.sources 2>/dev/null || true
  )
  ((${#unsigned[@]})) || return 0
  # The packages of a test's containers come from the machine that they run on.
  if not_here "packages without signature come from ${unsigned[*]}: on a machine this would be a difference (unsignedSources)"; then return 0; fi
  drift "package sources without signature" "none" "${unsigned[*]}"
}
