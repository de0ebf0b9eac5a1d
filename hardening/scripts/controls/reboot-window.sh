# shellcheck shell=bash disable=SC2154
# The program that restarts the machine in its slot and tells the monitoring; its timer and service.

reboot_window() {
  # The values first, then the program, which is the same on all hosts.
  want_file 0755 root:root /usr/local/lib/icon/reboot < <(
    printf '#!/usr/bin/env bash\n# Made by pulumi-icon. Changes here are lost.\n'
    printf '%s=%q\n' MODE "$REBOOT_WINDOW_MODE" DAYS "$REBOOT_WINDOW_DAYS" FROM "$REBOOT_WINDOW_FROM" MINUTES "$REBOOT_WINDOW_MINUTES" \
      SLOT "$REBOOT_WINDOW_SLOT_MINUTES" ORDER "$ORDER" NODE "$NODE" SSH_PORTS "$SSH_PORTS" STATE "$STATE" METRICS "$METRICS"
    reboot_window_program
  )
  want_file 0644 root:root /etc/systemd/system/icon-reboot.service <<'UNIT'
# Made by pulumi-icon.
[Unit]
Description=Restart for updates in this host's slot, and its metric
After=icon-node.service icon-sentry.service

[Service]
Type=oneshot
ExecStart=/bin/bash /usr/local/lib/icon/reboot
TimeoutStartSec=2min
# It looks at what other users' processes run, and asks systemd to restart the machine.
CapabilityBoundingSet=CAP_SYS_PTRACE
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/icon
RuntimeDirectory=icon-reboot
RuntimeDirectoryPreserve=yes
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
SystemCallFilter=~@privileged @resources
UMask=0077
UNIT
  want_file 0644 root:root /etc/systemd/system/icon-reboot.timer <<'UNIT'
# Made by pulumi-icon.
[Unit]
Description=Looks every five minutes whether this host needs a restart

[Timer]
OnBootSec=90s
OnCalendar=*:0/5
AccuracySec=15s

[Install]
WantedBy=timers.target
UNIT
}

reboot_window_apply() {
  reload_units
  want_on icon-reboot.timer
}

reboot_window_verify() { want_on icon-reboot.timer; }

reboot_window_program() {
  cat <<'PROGRAM'
set -euo pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PENDING=$STATE/reboot        # its time, from the request to restart until the machine is well again or was given up
ASKED=/run/icon-reboot/asked  # the same, until the machine does restart
RESULT=$STATE/rebooted       # "time 1|0", of the last one
PATIENCE=1800                # seconds that a machine has to be well again
SOCKETS='/proc/net/tcp /proc/net/tcp6'

main() {
  local weekday hour minute
  read -r NOW weekday hour minute < <(date -u '+%s %u %H %M')
  REQUIRED=0 SINCE=0 HELD=0
  if [[ -e /run/reboot-required ]]; then REQUIRED=1 SINCE=$(stat -c %Y /run/reboot-required); fi
  look_back
  if [[ $MODE == window && ! -e $PENDING ]] && slot_open "$weekday" "$hour" "$minute"; then use_slot; fi
  write_metric
  if [[ ${GO-} == reboot ]]; then
    : >"$ASKED"
    printf '%s\n' "$NOW" >"$PENDING"
    sync "$PENDING"
    echo 'restarting: an update needs it, it is this host'"'"'s slot, and it is well'
    systemctl reboot
  fi
}

# slot_open WEEKDAY HOUR MINUTE: the week of all days' slots, of which this host has the one of its number. One host after the other takes
# another day: an update with which a machine does not come back must not reach the next sentry before somebody has seen it. Only the first
# half of a slot begins something, so that it is over when the next host's begins.
slot_open() {
  local days=() names=(Mon Tue Wed Thu Fri Sat Sun) i day perday index turn start now
  for i in "${!names[@]}"; do if [[ " $DAYS " == *" ${names[i]} "* ]]; then days+=("$i"); fi; done
  perday=$((MINUTES / SLOT))
  index=$((ORDER % (perday * ${#days[@]})))
  day=${days[index % ${#days[@]}]} turn=$((index / ${#days[@]}))
  start=$((day * 1440 + 10#${FROM%:*} * 60 + 10#${FROM#*:} + turn * SLOT))
  now=$((($1 - 1) * 1440 + 10#$2 * 60 + 10#$3))
  (((now - start + 2 * 10080) % 10080 < SLOT / 2))
}

# use_slot decides what the slot is used for: a restart, or HAProxy taking up its own upgrade, which loses no connection.
use_slot() {
  if ((REQUIRED)); then
    if undisturbed && well; then GO=reboot; else HELD=1; fi
  elif systemctl is-active -q icon-sentry.service && outdated icon-sentry.service && undisturbed; then
    echo 'HAProxy takes up its upgrade'
    systemctl reload icon-sentry.service
  fi
}

# look_back tells how the last restart went.
look_back() {
  local at
  [[ -e $PENDING ]] || return 0
  read -r at <"$PENDING" || true
  if [[ ! -e $ASKED ]] && well; then
    printf '%s 1\n' "$at" >"$RESULT"
    rm -f "$PENDING"
  elif ((NOW - ${at:-0} > PATIENCE)); then
    echo 'the machine was not well again in time, or was not restarted'
    printf '%s 0\n' "${at:-0}" >"$RESULT"
    rm -f "$PENDING"
  fi
}

# undisturbed: nobody is logged in, nothing is being installed, and no change of access waits for its confirmation.
undisturbed() {
  local port lock
  for port in $SSH_PORTS; do
    # Established (01), by the local port.
    # shellcheck disable=SC2086
    ! grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$port") [^ ]+ 01 " $SOCKETS ||
      { echo "held: somebody is logged in on port $port" && return 1; }
  done
  for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock; do
    [[ ! -e $lock ]] || ! grep -q ":$(stat -c %i "$lock") " /proc/locks || { echo 'held: packages are being installed' && return 1; }
  done
  [[ ! -e $STATE/rollback/armed ]] || { echo 'held: a change of access is under way' && return 1; }
}

# well: the host does what its role is for, as far as it can see by itself.
well() {
  case $(systemctl is-system-running || true) in
    running | degraded) ;;
    *) echo 'not well: systemd is starting or stopping' && return 1 ;;
  esac
  [[ $NODE != true ]] || node_well || return 1
  [[ ! -e /etc/icon/sentry/haproxy.cfg ]] || sentry_well || return 1
}

# node_well: the chain is started, and its last block is of this minute. Such a node has peers, and is in step with them.
node_well() {
  local body time
  body=$(http 'GET /admin/chain' '') || { echo 'not well: the node does not answer' && return 1; }
  [[ $body == *'"state":"started"'* ]] || { echo 'not well: the chain is not started' && return 1; }
  body=$(http 'POST /api/v3' '{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}') || { echo 'not well: no last block' && return 1; }
  time=$(sed -n 's/.*"time_stamp" *: *\([0-9]\{10,\}\).*/\1/p' <<<"$body")
  ((${time:-0} / 1000000 > NOW - 60)) || { echo 'not well: the last block is older than a minute' && return 1; }
}

# http REQUEST BODY: the answer's body, of the node on this machine.
http() {
  local status
  exec 5<>/dev/tcp/127.0.0.1/9000 || return 1
  printf '%s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$1" "${#2}" "$2" >&5
  IFS= read -t 10 -r status <&5 || { exec 5>&-; return 1; }
  [[ $status == *' 200 '* ]] || { exec 5>&-; return 1; }
  timeout 10 sed '1,/^\r$/d' <&5 || true
  exec 5>&-
} 2>/dev/null

# sentry_well: HAProxy runs, and so does every node that it stands in front of.
sentry_well() {
  local address
  systemctl is-active -q icon-sentry.service || { echo 'not well: HAProxy does not run' && return 1; }
  while read -r address; do
    timeout 3 bash -c "exec 5<>/dev/tcp/${address%:*}/${address##*:}" 2>/dev/null || { echo "not well: $address does not answer" && return 1; }
  done < <(awk '$1 == "backend" || $1 == "listen" { front = $2 ~ /seed|relay/ } $1 == "server" && !front { print $3 }' /etc/icon/sentry/haproxy.cfg)
}

# outdated UNIT: it runs a program or library that an upgrade has replaced.
outdated() {
  local pid
  pid=$(systemctl show -P MainPID "$1")
  [[ ${pid:-0} != 0 ]] && grep -qE ' r-xp .* /(usr|lib|opt).* \(deleted\)$' "/proc/$pid/maps" 2>/dev/null
}

metric() { printf '# HELP %s %s\n# TYPE %s gauge\n' "$1" "$2" "$1"; }

write_metric() {
  local tmp unit at=0 ok=1
  tmp=$(mktemp "$METRICS/.reboot.XXXXXX")
  [[ ! -e $RESULT ]] || read -r at ok <"$RESULT" || true
  {
    metric icon_reboot_required 'An update waits for a restart of the machine.'
    printf 'icon_reboot_required{mode="%s"} %d\n' "$MODE" "$REQUIRED"
    metric icon_reboot_required_since_timestamp_seconds 'When the update was installed, 0 if none waits.'
    printf 'icon_reboot_required_since_timestamp_seconds %d\n' "$SINCE"
    metric icon_reboot_held 'In this slot, the machine was not restarted because it was not well, or somebody was at it.'
    printf 'icon_reboot_held %d\n' "$HELD"
    metric icon_reboot_last_timestamp_seconds 'The last restart for an update, 0 if there was none.'
    printf 'icon_reboot_last_timestamp_seconds %d\n' "$at"
    metric icon_reboot_last_ok 'The machine was well again after it.'
    printf 'icon_reboot_last_ok %d\n' "$ok"
    metric icon_restart_required 'The service runs a program or library that an update has replaced.'
    for unit in icon-node.service icon-sentry.service; do
      systemctl is-active -q "$unit" || continue
      printf 'icon_restart_required{unit="%s"} %d\n' "$unit" "$(if outdated "$unit"; then echo 1; else echo 0; fi)"
    done
    metric icon_updates_timestamp_seconds 'When security updates were last installed or looked for.'
    printf 'icon_updates_timestamp_seconds %d\n' "$(stat -c %Y /var/lib/apt/periodic/upgrade-stamp 2>/dev/null || echo 0)"
  } >"$tmp"
  chmod 0644 "$tmp"
  mv -f "$tmp" "$METRICS/reboot.prom"
}

main
PROGRAM
}
