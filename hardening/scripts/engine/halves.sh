# shellcheck shell=bash disable=SC2034,SC2154

# --- The halves ----------------------------------------------------------------------------------------------------------------------

# report WORD FIELD…: a line for whoever started this program.
report() {
  local line=$1 field
  shift
  for field in "$@"; do
    field=${field//[$'\t\r']/ }
    line+=$'\t'${field//$'\n'/ ¦ }
  done
  printf '%s\n' "$line" >&3
}

run_control() {
  local begin=${EPOCHREALTIME/./}
  CONTROL=$1 CHANGES=0 DRIFTS=0 ABSENT_HERE='' DIRTY=false
  local function=${1//-/_}
  if applying; then
    # One that was cut off may have put a file in place and not taken it into use.
    [[ ! -e $RUN/unfinished-$1 ]] || DIRTY=true
    : >"$RUN/unfinished-$1"
  fi
  if declare -F "$function" >/dev/null; then "$function"; fi
  if declare -F "${function}_$HALF" >/dev/null; then "${function}_$HALF"; fi
  local took=$(((${EPOCHREALTIME/./} - begin) / 1000))
  # The clock may have been set meanwhile.
  ((took >= 0 && took < 86400000)) || took=0
  if applying; then
    rm -f "$RUN/unfinished-$1"
    TOTAL=$((TOTAL + CHANGES))
    report control "$1" "$( ((CHANGES)) && printf changed || printf ok)" "$CHANGES" "$took"
  elif ((DRIFTS)); then
    report control "$1" drift "$DRIFTS" "$took"
  elif [[ -n $ABSENT_HERE ]]; then
    report control "$1" n/a "$ABSENT_HERE" "$took"
  else
    report control "$1" ok '' "$took"
  fi
}

# needs_reload tells whether a control that has just run has something to take into use.
needs_reload() { ((CHANGES)) || $DIRTY; }

apply_all() {
  local id
  install -d -m 0755 /var/lib/icon "$METRICS"
  install -d -m 0700 "$STATE" "$RUN"
  # A trial that was cut off ends before another begins.
  if [[ -e $ROLLBACK/armed ]]; then
    printf 'a trial of before was not confirmed\n'
    abandon_trial
  fi
  rm -f "$RUN/awaiting" "$RUN/confirmed"
  look_first
  CONTROL=packages
  install_packages
  for id in "${ORDINARY[@]}"; do run_control "$id"; done
  if [[ $WORD == apply && -n $SESSION ]]; then IN_TRIAL=true; fi
  for id in "${ACCESS[@]}"; do
    run_control "$id"
    if $ARMED; then in_time; fi
  done
  CONTROL=''
  reload_units
  await_login
  if [[ $(readlink -f "$SELF") != "$PROGRAM" ]] && ! cmp -s "$SELF" "$PROGRAM"; then
    install -D -m 0700 "$SELF" "$PROGRAM.new"
    mv -f "$PROGRAM.new" "$PROGRAM"
  fi
  ((TOTAL == 0)) || sync
  rm -f "$STATE/unsynced"
  report_left_out
}

# look_first: what a machine is used for already, and a control would break, is for the operator to decide on before anything is changed.
# ID_before of a control writes a line for each such thing.
look_first() {
  local id said found=''
  [[ $WORD == apply ]] || return 0
  CONTROL=packages
  said=$(purge_before)
  [[ -z $said ]] || found+=$'\n'$said
  for id in "${ORDINARY[@]}" "${ACCESS[@]}"; do
    declare -F "${id//-/_}_before" >/dev/null || continue
    CONTROL=$id
    said=$("${id//-/_}_before")
    [[ -z $said ]] || found+=$'\n'$said
  done
  [[ -z $found ]] || { CONTROL='' && fail "this machine is used for what the hardening would break; nothing was changed:$found"; }
}

verify_all() {
  local id code drifted=0 good=0 lines
  for id in "${ORDINARY[@]}" "${ACCESS[@]}"; do
    # Each in a shell of its own: one that stumbles is reported, and the others go on.
    trap - ERR
    set +e
    lines=$(verify_control "$id")
    code=$?
    set -e
    trap 'on_error $? $LINENO "$BASH_COMMAND"' ERR
    if pass_on "$id" "$code" "$lines"; then
      good=$((good + 1))
    else
      drifted=$((drifted + 1))
      DRIFTED+=("$id")
    fi
  done
  report_left_out
  write_metric "$good" "$drifted"
}
DRIFTED=()

verify_control() {
  exec 3>&1 >&4
  set -e
  CONTROL_SHELL=$BASHPID
  trap 'stumbled $? $LINENO "$BASH_COMMAND"' ERR
  run_control "$1"
}

# pass_on ID CODE LINES: reports what the shell of a control has reported; true if nothing differs. A drift that a part of that shell found (of a
# pipe, for example) is not in the control's own count, and one that stumbled has no line of its own.
pass_on() {
  local id=$1 code=$2 line own='' drifts=0 why="it ended with $2"
  while IFS= read -r line; do
    case "$line" in
      drift$'\t'*)
        drifts=$((drifts + 1))
        printf '%s\n' "$line" >&3
        ;;
      # It speaks for this control alone: the others are looked at.
      fail$'\t'*) why=${line##*$'\t'} ;;
      control$'\t'*) own=$line ;;
    esac
  done <<<"$3"
  if ((code && !drifts)); then
    drifts=1
    report drift "$id" "its verification" "an answer" "$why"
  fi
  if ((drifts)); then
    [[ -n $own ]] || own=$'\t0'
    report control "$id" drift "$drifts" "${own##*$'\t'}"
    return 1
  fi
  printf '%s\n' "$own" >&3
}

# stumbled is for the control's own shell: what fails in a part of it, and is not looked at, is no drift.
stumbled() {
  [[ $BASHPID == "$CONTROL_SHELL" ]] || return 0
  report drift "$CONTROL" "its verification" "an answer" "line $2 ended with $1: ${3%%$'\n'*}"
}

report_left_out() {
  local id
  for id in "${!LEFT_OUT[@]}"; do report control "$id" left "${LEFT_OUT[$id]}" 0; done
}

# write_metric leaves the result where node_exporter's textfile collector finds it.
write_metric() {
  local tmp id
  install -d -m 0755 /var/lib/icon "$METRICS"
  tmp=$(mktemp "$METRICS/.hardening.XXXXXX")
  {
    printf '# HELP icon_hardening_controls Controls of the hardening profile by the result of their last verification.\n# TYPE icon_hardening_controls gauge\n'
    printf 'icon_hardening_controls{profile="%s",state="%s"} %d\n' "$PROFILE" ok "$1" "$PROFILE" drift "$2" "$PROFILE" left "${#LEFT_OUT[@]}"
    printf '# HELP icon_hardening_drift Controls that differ from what the last deploy wanted.\n# TYPE icon_hardening_drift gauge\n'
    for id in "${DRIFTED[@]}"; do printf 'icon_hardening_drift{control="%s"} 1\n' "$id"; done
    printf '# HELP icon_hardening_verified_timestamp_seconds When the controls were last verified.\n# TYPE icon_hardening_verified_timestamp_seconds gauge\n'
    printf 'icon_hardening_verified_timestamp_seconds %d\n' "$EPOCHSECONDS"
  } >"$tmp"
  chmod 0644 "$tmp"
  mv -f "$tmp" "$METRICS/hardening.prom"
}

# PURGE_RUNNING are packages that are purged even while they run: they hold nobody's data, and chrony takes the place of the other clocks.
PURGE_RUNNING=' systemd-timesyncd ntp ntpsec openntpd rpcbind avahi-daemon cups '

# purge_before: packages of the machine's own that would go along with those that are purged, and services that somebody uses.
purge_before() {
  local name going=() gone='' unit installed
  installed=$'\n'$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n')$'\n'
  for name in $PURGE; do [[ $installed != *$'\n'?i?" $name"$'\n'* ]] || going+=("$name"); done
  ((${#going[@]})) || return 0
  for name in "${going[@]}"; do
    [[ $PURGE_RUNNING != *" $name "* ]] || continue
    while IFS= read -r unit; do
      ! systemctl -q is-active "$unit" || printf '%s\n' "package $name is not wanted, and its ${unit##*/} runs: a purge would take its \
configuration too. Name $name in packages.keep, or remove it yourself"
    done < <(sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket))$#\2#p' "/var/lib/dpkg/info/$name.list" 2>/dev/null || true)
  done
  # Packages that only stand for others (metapackages) may go.
  while read -r _ gone _; do
    [[ " $PURGE " == *" $gone "* || $(dpkg-query -W -f '${Section}' "$gone" 2>/dev/null) == *metapackages ]] ||
      printf '%s\n' "package $gone needs one that is not wanted, and would be removed with it (${going[*]}): name what it needs in packages.keep, or remove $gone yourself"
  done < <(apt-get -s -q -o APT::Install-Recommends=false install --purge "${going[@]/%/-}" 2>/dev/null | grep -E '^(Remv|Purg) ' || true)
}

# finish_packages configures what a power cut in the middle of an installation has left. A run of the machine's own apt that is under way (at
# the first boot for example) has such packages as well: it holds dpkg's lock, and is waited for.
finish_packages() {
  local i said
  for ((i = 0; i < 60; i++)); do
    dpkg-query -W -f '${db:Status-Abbrev}\n' | grep -E '^.[UFHWt]' >/dev/null || return 0
    if said=$(dpkg --configure -a --force-confold 2>&1); then return 0; fi
    printf '%s\n' "$said"
    [[ $said == *'locked by another process'* ]] || return 1
    sleep 5
  done
  return 1
}

# whole_packages installs again what a power cut has damaged: dpkg does not wait for the disk here (force-unsafe-io), so that packages that
# were installed a moment before it may have empty files.
whole_packages() {
  local boot path damaged=() names=()
  [[ -e $STATE/unsynced ]] || return 0
  boot=$(<"$STATE/unsynced")
  [[ $boot != "$(</proc/sys/kernel/random/boot_id)" ]] || return 0
  printf 'the power was cut before packages were on the disk: looking at their files\n'
  while read -r path; do
    # A setting that somebody has changed is no damage; an empty one is taken away, and comes back with the package.
    if [[ $path == 'c '* ]]; then
      path=${path#c }
      [[ -f $path && ! -s $path ]] || continue
      rm -f "$path"
    fi
    damaged+=("$path")
  done < <(dpkg --verify | sed -nE 's/^..5[^ ]* +//p' || true)
  if ((${#damaged[@]})); then
    mapfile -t names < <(dpkg-query -S "${damaged[@]}" | grep -v "^diversion" | sed 's/: .*//; s/, /\n/g' | sort -u)
    update_lists || fail "apt-get update failed; see the log: does the host reach its package mirrors (icon:maintenance)?"
    NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confmiss \
      install --reinstall "${names[@]}" || fail "a power cut has damaged the packages ${names[*]}, and apt-get install --reinstall failed; see the log"
    TOTAL=$((TOTAL + 1))
    printf 'changed: packages %s\n' "${names[*]}"
  fi
  rm -f "$STATE/unsynced"
}

# update_lists: apt-get update does not wait for the machine's own run of it (apt-daily, at the first boot for example).
update_lists() {
  local i said
  for ((i = 0; i < 60; i++)); do
    if said=$(apt-get -q update 2>&1); then return 0; fi
    printf '%s\n' "$said"
    [[ $said == *'Could not get lock'* ]] || return 1
    sleep 5
  done
  return 1
}

# install_packages has one run of apt for all controls and the host's role.
install_packages() {
  local missing=() gone=() installed name
  finish_packages || fail "dpkg --configure -a failed: packages of an interrupted installation are in the way; see the log"
  whole_packages
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n')
  # No process for each name: there are a hundred. A line is like "ii  name".
  installed=$'\n'$installed$'\n'
  for name in $PACKAGES; do [[ $installed == *$'\n'?i?" $name"$'\n'* ]] || missing+=("$name"); done
  for name in $PURGE; do [[ $installed != *$'\n'?[ic]?" $name"$'\n'* ]] || gone+=("$name-"); done
  ((${#missing[@]} + ${#gone[@]})) || return 0
  local options=(-q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io -o APT::Install-Recommends=false)
  ((${#missing[@]} == 0)) || update_lists || fail "apt-get update failed; see the log: does the host reach its package mirrors (icon:maintenance)?"
  cat /proc/sys/kernel/random/boot_id >"$STATE/unsynced"
  sync "$STATE/unsynced" "$STATE"
  # Nothing that is restarted by itself while packages are exchanged: needrestart is set to list only, and may not be installed yet.
  NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l apt-get "${options[@]}" install --purge "${missing[@]}" "${gone[@]}" ||
    fail "apt-get install ${missing[*]} ${gone[*]} failed; see the log"
  TOTAL=$((TOTAL + 1))
  printf 'changed: packages %s %s\n' "${missing[*]}" "${gone[*]}"
}

on_error() { fail "line $2 ended with $1: ${3%%$'\n'*}"; }

# on_exit speaks for a bash that ends without a word, where a variable is not set for example.
on_exit() { [[ $1 -eq 0 ]] || $FAILED || fail "ended with $1; see the log"; }

find_system() {
  # shellcheck disable=SC1091
  OS=$(. /etc/os-release && printf '%s-%s' "${ID:-unknown}" "${VERSION_ID:-unknown}")
  case "$OS" in
    debian-12 | ubuntu-24.04) ;;
    *) fail "operating system is ${OS/-/ }: supported are debian 12 and ubuntu 24.04. Nothing was changed" ;;
  esac
  CONTAINER=$(systemd-detect-virt --container || true)
}

main() {
  WORD=${1-}
  SELF=$(readlink -f "${BASH_SOURCE[0]}")
  { : >&3; } 2>/dev/null || exec 3>&1
  exec 4>&1
  [[ $EUID -eq 0 ]] || fail "needs root"
  find_system
  trap 'on_error $? $LINENO "$BASH_COMMAND"' ERR
  trap 'on_exit $?' EXIT
  case "$WORD" in
    apply | image)
      HALF=apply SESSION=${2-}
      [[ $WORD == apply ]] || SESSION=''
      apply_all
      ;;
    verify)
      HALF=verify
      verify_all
      ;;
    rollback)
      HALF=rollback
      sleep "${2-0}"
      roll_back
      ;;
    *) fail "say apply, image, verify or rollback" ;;
  esac
}
