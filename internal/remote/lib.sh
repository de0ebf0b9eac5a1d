#!/usr/bin/env bash
# The library that every step's program begins with. A step defines
#   apply   makes the host as the plan wants it, changing only what differs
#   remove  takes away what apply made
#   verify  where it has one: compares, changes nothing, and reports to descriptor 3
# and may use what is below. Everything that a step prints goes to its log on the host; only summary and fail speak to the deploy.
set -Eeuo pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
# A login's own directory for temporary files (pam_tmpdir): another user, whom something is run as, could not use it.
unset TMPDIR TMP TEMP TEMPDIR
umask 022

CHANGED=0 FAILED=false UNFINISHED=false

# summary KEY=VALUE: a line of the step's result.
summary() { printf '%s\n' "$1" >&3; }

# fail TEXT: ends the step with a message for the operator.
fail() {
  trap - ERR
  FAILED=true
  printf 'FAIL: %s\n' "$1"
  printf 'host %s, step %s: %s\n' "$HOST" "$STEP" "$1" >&4
  exit 1
}

# fail_log TEXT: the same, with the last lines of the step's log.
fail_log() {
  trap - ERR
  FAILED=true
  {
    printf 'host %s, step %s: %s\n' "$HOST" "$STEP" "$1"
    printf -- '--- last lines of %s on the host:\n' "$LOG"
    tail -n 15 "$LOG" | cut -c1-400
  } >&4
  printf 'FAIL: %s\n' "$1"
  exit 1
}

# changed WHAT: notes that something on the host was changed.
changed() {
  CHANGED=$((CHANGED + 1))
  printf 'changed: %s\n' "$1"
}

# put MODE OWNER:GROUP PATH: writes standard input to PATH, if that makes a difference. True if it did.
put() {
  local mode=$1 owner=$2 path=$3 tmp
  tmp=$(mktemp "$(dirname "$path")/.icon.XXXXXX") || fail_log "$path could not be written"
  # put is used as a condition, where bash goes on after a failure: a full disk must not leave half a file.
  if ! { cat >"$tmp" && chown "$owner" "$tmp" && chmod "$mode" "$tmp"; }; then
    rm -f "$tmp"
    fail_log "$path could not be written"
  fi
  if [[ -e $path ]] && cmp -s "$tmp" "$path" && [[ $(stat -c '%a %U:%G' "$tmp") == $(stat -c '%a %U:%G' "$path") ]]; then
    rm -f "$tmp"
    return 1
  fi
  mv -f "$tmp" "$path" || fail_log "$path could not be replaced"
  changed "$path"
}

# directory MODE OWNER:GROUP PATH: the same for a directory.
directory() {
  local mode=$1 owner=$2 path=$3
  if [[ -d $path && $(stat -c '%a %U:%G' "$path") == "${mode#0} $owner" ]]; then return 0; fi
  install -d -m "$mode" -o "${owner%%:*}" -g "${owner##*:}" "$path"
  changed "$path"
}

# packages NAME…: installs what is missing, waiting for another package run to end.
packages() {
  local missing=() p
  for p in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true) == installed ]] || missing+=("$p")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  apt-get -q -o DPkg::Lock::Timeout=300 update
  apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install --no-install-recommends "${missing[@]}"
  changed "packages ${missing[*]}"
}

# unit NAME: installs a systemd unit from standard input. True if a service that runs has to be restarted for it: the unit is another,
# or a step that was cut off may have installed it without systemd's knowing.
unit() {
  if put 0644 root:root "/etc/systemd/system/$1" || $UNFINISHED; then
    systemctl daemon-reload || fail_log "systemd does not read its units anew"
    return 0
  fi
  return 1
}

# enable UNIT [restart|reload]: starts a unit now and at every boot. One that runs already is restarted or reloaded, if that is asked for.
enable() {
  systemctl is-enabled -q "$1" 2>/dev/null || {
    systemctl enable -q "$1"
    changed "$1 enabled"
  }
  if ! systemctl is-active -q "$1"; then
    systemctl start "$1"
    # A unit whose conditions leave it out on this machine starts without becoming active.
    if systemctl is-active -q "$1"; then changed "$1 started"; fi
  elif [[ -n ${2:-} ]]; then
    systemctl "$2" "$1"
    changed "$1 ${2}ed"
  fi
}

# disable UNIT: the opposite; a unit that is not there is as good as disabled.
disable() {
  [[ -e /etc/systemd/system/$1 ]] || return 0
  systemctl disable -q --now "$1"
  rm -f "/etc/systemd/system/$1"
  systemctl daemon-reload
  systemctl reset-failed -q "$1" 2>/dev/null || true
  changed "$1 removed"
}

on_error() {
  local code=$1 line=$2 command=$3
  fail_log "line $line ended with $code: ${command%%$'\n'*}"
}

# on_exit takes the step's files away, and speaks for a bash that ends without a word, where a variable is not set for example.
on_exit() {
  local code=$1
  rm -rf "$STEP_DIR"
  [[ $code -eq 0 || $FAILED == true ]] || fail_log "ended with $code"
}

# run_apply notes whose the thing is that the step makes, and that the step has begun: one that was cut off leaves UNFINISHED=true to
# the next, which must not take a file that is in place for a sign that it was also taken into use.
run_apply() {
  local thing=${THING:-$STEP}
  # shellcheck disable=SC2034
  [[ ! -e /run/icon/unfinished-$thing ]] || UNFINISHED=true
  touch "/run/icon/unfinished-$thing"
  install -d -m 0755 /etc/icon/owners
  printf '%s\n' "$HOST ${ROLE:-}" >"/etc/icon/owners/$thing"
  apply
  rm -f "/run/icon/unfinished-$thing"
}

# run_remove leaves alone what somebody else has taken over: a machine that gets another name or role in the plan has the new steps
# applied before the old ones are removed.
run_remove() {
  local owner=/etc/icon/owners/${THING:-$STEP}
  if [[ -e $owner && $(<"$owner") != "$HOST ${ROLE:-}" ]]; then
    summary "kept=taken over by $(<"$owner")"
    return 0
  fi
  remove
  rm -f "$owner" "/run/icon/unfinished-${THING:-$STEP}"
}

# run_verify compares, and changes nothing: the step's function verify writes its report to the deploy.
run_verify() {
  declare -F verify >/dev/null || fail "has nothing to verify"
  verify
}

main() {
  local half=$1
  HOST=$2 STEP=$3 CONNECTION=$4
  export HOST STEP STEP_DIR CONNECTION
  LOG=/var/log/icon/$STEP.log
  exec 3>&1 4>&2
  [[ $EUID -eq 0 ]] || fail "needs root: let the login user be root, or one with sudo without a password"
  install -d -m 0750 /var/log/icon
  install -d -m 0700 /run/icon
  # One step at a time on a host, whoever deploys.
  trap 'fail "was still waiting for another step on this host when its time limit was over"' TERM
  exec 9>/run/icon/lock
  flock -w 900 9 || fail "another step has been running on this host for 15 minutes (lock /run/icon/lock)"
  [[ ! -e $LOG || $(stat -c %s "$LOG") -lt 1000000 ]] || mv -f "$LOG" "$LOG.1"
  exec >>"$LOG" 2>&1
  chmod 0640 "$LOG"
  trap 'on_error $? $LINENO "$BASH_COMMAND"' ERR
  STEP_DIR=$(mktemp -d "/run/icon/$STEP.XXXXXX")
  trap 'on_exit $?' EXIT
  local begin=${EPOCHREALTIME/./}
  printf '=== %s %s %s\n' "$(date -u +%FT%TZ)" "$STEP" "$half"
  trap 'fail_log "did not end within its time limit"' TERM
  umask 077
  lay_files
  umask 022
  "run_$half"
  printf '=== done, %d changed, %d ms\n' "$CHANGED" "$(((${EPOCHREALTIME/./} - begin) / 1000))"
  [[ $half == verify ]] || summary "changed=$CHANGED"
}
