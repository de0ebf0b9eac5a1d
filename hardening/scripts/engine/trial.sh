# shellcheck shell=bash disable=SC2034,SC2154

# --- Trials --------------------------------------------------------------------------------------------------------------------------

# keep PATH: called before PATH is changed. The first original of all is kept for good; in a trial, what is there now is kept as well.
keep() {
  local path=$1 original=$STATE/original
  if [[ ! -e $original$path && ! -L $original$path && ! -e $original$path.absent ]]; then
    install -d -m 0700 "$STATE" "$original" "$original${path%/*}"
    if [[ -e $path || -L $path ]]; then
      # A copy that was cut off would pass for the original.
      rm -rf -- "$original$path.part"
      cp -a -- "$path" "$original$path.part"
      mv -T -- "$original$path.part" "$original$path"
    else
      : >"$original$path.absent"
    fi
  fi
  if ! $IN_TRIAL; then return 0; fi
  arm
  if [[ -e $ROLLBACK/files$path || -L $ROLLBACK/files$path || -e $ROLLBACK/files$path.absent ]]; then return 0; fi
  install -d -m 0700 "$ROLLBACK/files${path%/*}"
  if [[ -e $path || -L $path ]]; then cp -a -- "$path" "$ROLLBACK/files$path"; else : >"$ROLLBACK/files$path.absent"; fi
  printf '%s\n' "$path" >>"$ROLLBACK/list"
  # A copy that a power cut leaves empty would be put back empty.
  find "$ROLLBACK/files$path" "$ROLLBACK/list" -type f -exec sync -d {} + 2>/dev/null || true
}

# arm has the coming changes taken back, unless another login confirms them: by this program, by a service if this program is cut off, and
# by the same service after the next boot if the power is.
arm() {
  if $ARMED; then in_time; fi
  [[ ! -e $ROLLBACK/armed ]] || return 0
  rm -rf "$ROLLBACK"
  install -d -m 0700 "$ROLLBACK" "$RUN"
  install -m 0700 "$SELF" "$ROLLBACK/program"
  printf '%s\n' "$SESSION" >"$ROLLBACK/session"
  printf '%s\n' "$$" >"$RUN/engine"
  cat >/etc/systemd/system/icon-rollback.service <<UNIT
# Made by pulumi-icon. Takes back a change of the access to this machine that no new login has confirmed.
[Unit]
Description=Roll-back of a change of access that was not confirmed
ConditionPathExists=$ROLLBACK/armed
After=ssh.service icon-firewall.service

[Service]
Type=exec
ExecStart=/bin/bash $ROLLBACK/program rollback $((TRIAL_SECONDS + 5))

[Install]
WantedBy=multi-user.target
UNIT
  chmod 0644 /etc/systemd/system/icon-rollback.service
  systemctl daemon-reload
  systemctl -q enable icon-rollback.service
  : >"$ROLLBACK/armed"
  sync "$ROLLBACK"/{program,session,armed} "$ROLLBACK" "$STATE" /etc/systemd/system/icon-rollback.service /etc/systemd/system{,/multi-user.target.wants}
  systemctl start icon-rollback.service
  ARMED=true
  read -r ARMED_AT _ </proc/uptime
  ARMED_AT=${ARMED_AT%.*}
}

# trial_is_over tells whether the time for a trial has run out, or the service has taken it back. The clock may be set meanwhile; uptime goes on.
trial_is_over() {
  local now
  read -r now _ </proc/uptime
  [[ ! -e $ROLLBACK/armed ]] || ((${now%.*} >= ARMED_AT + TRIAL_SECONDS))
}

# in_time ends a trial that is over before all of it was tried: nothing would take back what comes now.
in_time() {
  if trial_is_over; then
    fail "the changes of access (SSH, firewall, logins) are rolled back: making them took longer than $TRIAL_SECONDS s on this host, which must be very busy or slow"
  fi
}

# await_login waits for the confirmation (confirm.sh) of what the trial changed.
await_login() {
  $ARMED || return 0
  in_time
  : >"$RUN/awaiting"
  printf 'waiting for another login to confirm the changes of access\n'
  # The service is the second to roll back, should this program be held up.
  until [[ -e $RUN/confirmed ]] && confirmed; do
    if trial_is_over; then
      fail "the changes of access (SSH, firewall, logins) are rolled back: no new login came within $TRIAL_SECONDS s. What they were is in this log; the host answers as it did before. Find out what keeps the deploying machine from a new connection"
    fi
    sleep 0.2
  done
  rm -f "$RUN/awaiting" "$RUN/confirmed"
  systemctl stop icon-rollback.service
  rm -rf "$ROLLBACK"
  printf 'confirmed by another login\n'
}

# confirmed ends the trial, unless the service has begun to take it back: then it is false, and the trial is over.
confirmed() {
  local lock
  exec {lock}>"$STATE/rollback-lock"
  flock "$lock"
  if [[ -e $ROLLBACK/armed ]]; then
    rm -f "$ROLLBACK/armed"
    ARMED=false IN_TRIAL=false
  fi
  exec {lock}>&-
  ! $ARMED
}

# abandon_trial ends a trial by a roll-back, if one is under way.
abandon_trial() {
  IN_TRIAL=false
  [[ -e $ROLLBACK/armed ]] || return 0
  roll_back
  systemctl stop icon-rollback.service || true
}

# roll_back puts everything back as it was before the trial; this program and the service may both be about to do it.
roll_back() {
  local lock
  exec {lock}>"$STATE/rollback-lock"
  flock "$lock"
  if [[ -e $ROLLBACK/armed ]]; then
    if [[ $HALF == rollback ]]; then end_engine; fi
    take_back
  fi
  exec {lock}>&-
}

# end_engine ends a program that is still at it when the service takes back its trial: what it changes from here on would stay.
end_engine() {
  local engine children=''
  { read -r engine <"$RUN/engine"; } 2>/dev/null || return 0
  [[ -r /proc/$engine/cmdline && $(tr '\0' ' ' <"/proc/$engine/cmdline") == *bash*hardening\ apply\ * ]] || return 0
  read -r children <"/proc/$engine/task/$engine/children" || true
  # shellcheck disable=SC2086
  kill -KILL "$engine" $children 2>/dev/null || true
  printf 'ended the program that tried the changes\n'
}

# take_back: what one thing cannot be put back must not keep the others from it; a roll-back that is cut off begins again after the next boot.
take_back() {
  local path id
  rm -f "$RUN/awaiting"
  if [[ -e $ROLLBACK/list ]]; then
    while read -r path; do
      if put_back "$path"; then printf 'rolled back: %s\n' "$path"; else printf 'could not be rolled back: %s\n' "$path"; fi
    done < <(tac "$ROLLBACK/list")
  fi
  for id in "${ACCESS[@]}"; do
    CONTROL=$id
    if declare -F "${id//-/_}_rollback" >/dev/null; then "${id//-/_}_rollback" || printf 'roll-back of %s ended with %d\n' "$id" $?; fi
  done
  date -u +%FT%TZ >"$STATE/rolled-back" || true
  rm -f "$ROLLBACK/armed"
  rm -rf "$ROLLBACK"
}

put_back() {
  local kept=$ROLLBACK/files$1
  if [[ -e $kept.absent ]]; then
    rm -rf -- "$1"
  elif [[ -d $kept && ! -L $kept ]]; then
    rm -rf -- "$1" && cp -a -- "$kept" "$1"
  else
    cp -a -- "$kept" "$1.icon-back" && mv -fT -- "$1.icon-back" "$1"
  fi
}
