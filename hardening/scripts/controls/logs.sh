# shellcheck shell=bash disable=SC2154
logs() {
  want_file 0644 root:root /etc/systemd/journald.conf < <(logs_journal)
  logs_overrides
  want_file 0644 root:root /etc/rsyslog.d/60-icon.conf < <(logs_forwarding)
  if [[ -n $LOGS_FORWARD_TO ]]; then
    # shellcheck disable=SC2153
    want_file 0644 root:root /etc/rsyslog.d/icon-log-host.pem <<<"${LOGS_FORWARD_AUTHORITY%$'\n'}"
  else
    want_absent /etc/rsyslog.d/icon-log-host.pem
  fi
  # What rotates keeps its rights: Debian's own files would make logs readable for everybody again.
  logs_rotation
  want_file 0644 root:root /etc/tmpfiles.d/00-icon-logs.conf <<'TMPFILES'
# Made by pulumi-icon. Instead of the lines of var.conf, which let everybody read who logged in when.
f /var/log/wtmp 0640 root utmp -
f /var/log/btmp 0600 root utmp -
f /var/log/lastlog 0640 root utmp -
TMPFILES
  logs_readable
  want_on systemd-journald.service rsyslog.service logrotate.timer
}

# logs_overrides: no drop-in undoes what is set here.
logs_overrides() {
  local path
  for path in /etc/systemd/journald.conf.d/*.conf; do
    ! grep -qsE '^[[:space:]]*(Storage|SystemMaxUse|SystemKeepFree|MaxRetentionSec|ForwardToSyslog)[[:space:]]*=' "$path" || want_absent "$path"
  done
}

logs_journal() {
  cat <<CONF
# Made by pulumi-icon.
[Journal]
# On disk: what happened before a crash is still there after it.
Storage=persistent
Compress=yes
Seal=yes
SplitMode=uid
# The journal gives way long before the node has no space for its chain.
SystemMaxUse=${LOGS_SIZE}M
SystemKeepFree=${LOGS_KEEP_FREE}M
RuntimeMaxUse=64M
MaxRetentionSec=${LOGS_KEEP_DAYS}day
# One service that floods the journal loses its own lines, not those of the others.
RateLimitIntervalSec=30s
RateLimitBurst=$LOGS_RATE_BURST
# rsyslog writes the usual files, and forwards.
ForwardToSyslog=yes
ForwardToWall=no
# The kernel's audit stays as auditd has it: Debian's default is to turn it off whenever the journal starts.
Audit=
CONF
}

# logs_forwarding: the node's own lines are many. They go to the log host and stay in the journal, but are not written to disk twice.
logs_forwarding() {
  printf '# Made by pulumi-icon.\n'
  if [[ -n $LOGS_FORWARD_TO ]]; then
    local name=$LOGS_FORWARD_NAME
    [[ -n $name ]] || name=${LOGS_FORWARD_TO%:*}
    printf '%s\n' 'global(DefaultNetstreamDriverCAFile="/etc/rsyslog.d/icon-log-host.pem")' \
      '# Whoever answers has to show a certificate for that name by that authority. While nobody does, lines wait on disk.' '*.*'
    # One line, for scanners that read no others.
    printf ' %s' "action(type=\"omfwd\" protocol=\"tcp\" target=\"${LOGS_FORWARD_TO%:*}\" port=\"${LOGS_FORWARD_TO##*:}\"" \
      'StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"' "StreamDriverPermittedPeers=\"$name\"" \
      'StreamDriver.CheckExtendedKeyPurpose="on" StreamDriver.PermitExpiredCerts="off"' \
      'template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted" KeepAlive="on"' \
      'action.resumeRetryCount="-1" action.resumeInterval="10" action.resumeIntervalMax="300"' \
      'queue.type="LinkedList" queue.filename="icon-log-host" queue.maxDiskSpace="256m" queue.saveOnShutdown="on")'
    printf '\n'
  fi
  # The node's lines, and the audit's, which has its own files.
  printf '%s\n' "if \$programname == 'icon-node' or \$programname == 'goloop' or \$syslogfacility-text == 'local5' then stop"
}

logs_rotation() {
  want_file 0644 root:root /etc/logrotate.conf <<CONF
# Made by pulumi-icon.
daily
rotate $LOGS_KEEP_DAYS
create
dateext
compress
delaycompress
include /etc/logrotate.d
CONF
  local log
  for log in dpkg alternatives; do
    want_file 0644 root:root "/etc/logrotate.d/$log" <<CONF
# Made by pulumi-icon.
/var/log/$log.log {
	monthly
	rotate 12
	missingok
	notifempty
	create 640 root root
}
CONF
  done
  want_file 0644 root:root /etc/logrotate.d/wtmp <<'CONF'
# Made by pulumi-icon.
/var/log/wtmp {
	missingok
	monthly
	create 0640 root utmp
	minsize 1M
	rotate 12
}
CONF
  want_file 0644 root:root /etc/logrotate.d/btmp <<'CONF'
# Made by pulumi-icon.
/var/log/btmp {
	missingok
	monthly
	create 0600 root utmp
	rotate 12
}
CONF
}

# logs_readable: logs are for root and their groups. Those of the package tools are there before these first write to them, for everybody to read.
logs_readable() {
  local path mode
  for path in /var/log/dpkg.log /var/log/alternatives.log; do
    if [[ ! -e $path ]] && applying; then
      install -m 0640 /dev/null "$path"
      changed "$path"
    fi
  done
  while IFS=' ' read -r mode path; do
    if applying; then
      # No original is kept: a log can be large.
      chmod u-x,g-wx,o-rwx "$path"
      changed "$path: no longer $mode"
    else
      drift "$path" "mode 640 or stricter" "$mode"
    fi
  done < <(find /var/log -maxdepth 1 -type f -perm /0137 -printf '%m %p\n')
}

logs_apply() {
  needs_reload && [[ $WORD != image ]] || return 0
  rsyslogd -N1 >"$RUN/rsyslog" 2>&1 || fail "rsyslog refuses the configuration that was generated: $(tail -n 3 "$RUN/rsyslog")"
  # Both keep what is logged meanwhile: in the kernel's sockets.
  systemctl restart systemd-journald.service
  journalctl --flush
  systemctl restart rsyslog.service
}

logs_verify() {
  # What a drop-in of somebody's changes is seen here.
  local -A found=()
  local key value
  while IFS='=' read -r key value; do found[$key]=$value; done < <(systemd-analyze cat-config systemd/journald.conf | sed -n '/^[A-Z]/p')
  expect "journald: Storage" persistent "${found[Storage]-}"
  expect "journald: SystemMaxUse" "${LOGS_SIZE}M" "${found[SystemMaxUse]-}"
  expect "journald: SystemKeepFree" "${LOGS_KEEP_FREE}M" "${found[SystemKeepFree]-}"
  expect "journald: ForwardToSyslog" yes "${found[ForwardToSyslog]-}"
  expect "/var/log/journal" "a directory" "$(stat -c %F /var/log/journal 2>/dev/null | sed 's/^directory$/a directory/' || true)"
}
