#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034,SC2154
# The hardening of one host: the engine (scripts/engine), then values, then one script for each control. Made by pulumi-icon.
#
# A control ID defines the function ID (with "_" for "-"), which says by the want_… functions what is wanted. They make it so in the half
# apply, and compare in the half verify. What they cannot express is in
#   ID_apply     after ID, with CHANGES counting what ID changed: reloads
#   ID_verify    after ID: whether what is wanted is also in force, by expect
#   ID_rollback  takes into use again what a roll-back has put back (controls with access only)
set -Eeuo pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
# A login's own directory for temporary files (pam_tmpdir): another user, whom something is run as, could not use it.
unset TMPDIR TMP TEMP TEMPDIR
umask 022

STATE=/var/lib/icon/hardening    # what outlives a boot
RUN=/run/icon/hardening          # what does not
ROLLBACK=$STATE/rollback         # what a trial would put back; ROLLBACK/armed exists while one is under way
PROGRAM=/usr/local/lib/icon/hardening
METRICS=/var/lib/icon/metrics
TRIAL_SECONDS=48                 # from the first change of access to the confirmation; with the roll-back itself less than 60 s
HALF='' CONTROL='' CHANGES=0 DRIFTS=0 DIRTY=false IN_TRIAL=false ABSENT_HERE='' TOTAL=0
SESSION='' SELF='' FAILED=false ARMED=false ARMED_AT=0

# --- What a control uses -------------------------------------------------------------------------------------------------------------

# applying tells whether the host is to be changed.
applying() { [[ $HALF == apply ]]; }

# changed WHAT: notes that something was changed.
changed() {
  CHANGES=$((CHANGES + 1))
  printf 'changed: %s: %s\n' "$CONTROL" "$1"
}

# drift WHAT EXPECTED FOUND: notes a difference, in the half verify.
drift() {
  DRIFTS=$((DRIFTS + 1))
  report drift "$CONTROL" "$1" "$2" "$3"
}

# expect WHAT EXPECTED FOUND: a drift, if the two differ.
expect() { [[ $2 == "$3" ]] || drift "$1" "$2" "$3"; }

# fail TEXT: ends the program with a message for the operator.
fail() {
  local control=$CONTROL
  trap - ERR
  FAILED=true
  printf 'FAIL: %s: %s\n' "$control" "$1"
  # Half a change of access is none.
  if $IN_TRIAL; then abandon_trial; fi
  report fail "$control" "$1"
  exit 1
}

# not_here REASON: in a container, notes that the control cannot be in force there, and is true; on a machine it is false.
not_here() {
  [[ $CONTAINER != none ]] || return 1
  ABSENT_HERE=$1
}

# not_in_force REASON: notes what of the control is not in force, and is not to be mended here: it takes a boot, or another kernel.
not_in_force() { ABSENT_HERE=$1; }
