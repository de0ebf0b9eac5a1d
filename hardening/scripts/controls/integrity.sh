# shellcheck shell=bash disable=SC2154
integrity() {
  want_file 0600 root:root /etc/aide/aide.conf < <(integrity_settings)
  want_file 0755 root:root /usr/local/lib/icon/integrity < <(integrity_program)
  want_file 0644 root:root /etc/systemd/system/aidecheck.service < <(integrity_service "Comparison of the system's files" check)
  want_file 0644 root:root /etc/systemd/system/icon-integrity.service < <(integrity_service "Renewal of the integrity database" renew)
  want_file 0644 root:root /etc/systemd/system/aidecheck.timer <<UNIT
# Made by pulumi-icon. Not all hosts at once: those of one machine share a disk.
[Unit]
Description=Daily comparison of the system's files with their database

[Timer]
OnCalendar=*-*-* $INTEGRITY_AT:00 UTC
RandomizedDelaySec=2h
Persistent=true

[Install]
WantedBy=timers.target
UNIT
  want_file 0644 root:root /etc/systemd/system/icon-integrity.path <<'UNIT'
# Made by pulumi-icon. Each step of a deploy writes its log here.
[Unit]
Description=Watch for deploys, after which the database of the system's files is renewed

[Path]
PathChanged=/var/log/icon
PathChanged=/usr/local/lib/icon
Unit=icon-integrity.service

[Install]
WantedBy=multi-user.target
UNIT
  if applying; then
    install -d -m 0750 /var/log/icon
    install -d -m 0755 /usr/local/lib/icon
    install -d -m 0700 /var/lib/aide
    # All in one call: each one has systemd read all its units again.
    if needs_reload; then systemctl -q enable aidecheck.service aidecheck.timer icon-integrity.path; fi
  fi
  want_mode 0700 root:root /var/lib/aide
  integrity_rootkits
  want_on aidecheck.timer icon-integrity.path chkrootkit.timer
  integrity_enabled
}

# integrity_rootkits: a daily search, by Debian's own timer. What it finds goes to the journal, and nothing else does.
integrity_rootkits() {
  want_file 0644 root:root /etc/chkrootkit/chkrootkit.conf <<'CONF'
# Made by pulumi-icon.
RUN_DAILY="true"
RUN_DAILY_OPTS="-q"
DIFF_MODE="false"
MAILTO=""
CONF
  want_file 0644 root:root /etc/systemd/system/chkrootkit.service.d/icon.conf <<'UNIT'
# Made by pulumi-icon. It reads what is on the host, and the node goes first.
[Service]
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle
MemoryMax=512M
RuntimeMaxSec=1h
NoNewPrivileges=yes
ProtectSystem=strict
ProtectClock=yes
ProtectKernelModules=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
UNIT
}

# integrity_enabled: the comparison also runs at each boot.
integrity_enabled() {
  local state
  state=$(systemctl show -P UnitFileState aidecheck.service)
  [[ $state != enabled ]] || return 0
  if applying; then
    systemctl -q enable aidecheck.service
    changed "aidecheck.service enabled"
  else
    drift aidecheck.service enabled "${state:-none}"
  fi
}

integrity_service() {
  cat <<UNIT
# Made by pulumi-icon.
[Unit]
Description=$1
After=local-fs.target

[Service]
# Not oneshot: nothing waits for it, the end of the boot least of all.
Type=exec
ExecStart=/usr/local/lib/icon/integrity $2
Nice=19
CPUSchedulingPolicy=idle
IOSchedulingClass=idle
CPUWeight=1
IOWeight=1
MemoryMax=512M
TimeoutStopSec=5
UMask=0077
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/aide /var/lib/icon/metrics
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UNIT
  [[ $2 != check ]] || printf '\n[Install]\nWantedBy=multi-user.target\n'
}

integrity_settings() {
  cat <<'CONF'
# Made by pulumi-icon. Programs, configuration and what starts; never the chain's data, which changes all the time.
@@define DBDIR /var/lib/aide
database=file:@@{DBDIR}/aide.db
database_out=file:@@{DBDIR}/aide.db.new
gzip_dbout=no
log_level=error
report_level=list_entries
report_format=json
report_url=stdout

# Who hides behind the tools of the audit changes these first.
CONF
  local tool
  for tool in auditctl auditd ausearch aureport autrace augenrules; do
    printf '%s\n' "/usr/sbin/$tool p+i+n+u+g+s+b+acl+selinux+xattrs+sha512"
  done
  cat <<'CONF'

# Rights and content. Not times and places on the disk: they change without anything having changed.
File = p+u+g+n+s+ftype+acl+xattrs+sha512
Dir = p+u+g+ftype+acl+xattrs
Link = l+u+g+ftype

# What the machine itself changes.
!/etc/(mtab|adjtime|resolv\.conf|\.pwd\.lock|\.updated|ld\.so\.cache|motd\.d|machine-info)$
!/etc/(.*/)?\.icon\.
!/etc/aide/.*\.(new|old)$
!/etc/lvm/(archive|backup)
!/etc/icon/node/secrets
!/usr/lib/python3(\.[0-9]+)?/.*/__pycache__
!/usr/share/(doc|doc-base|info|man|locale|lintian|icons|zoneinfo)
!/usr/lib/modules/[^/]+/modules\.
!/root/\.(cache|bash_history|lesshst|viminfo|wget-hsts|local|config)
!/boot/grub/grubenv$
CONF
  [[ -z $DATA_DIR ]] || printf '!%s(/|$)\n' "${DATA_DIR//./[.]}"
  cat <<'CONF'

/(boot|etc|opt|usr) f File
/(boot|etc|opt|usr) l Link
/(boot|etc|opt|usr) d Dir
/root f File
/root d Dir
/home/[^/]+/\.(ssh|bashrc|profile|bash_profile|bash_login|bash_logout) d Dir
/home/[^/]+/\.(ssh|bashrc|profile|bash_profile|bash_login|bash_logout) f File
/var/spool/cron f File
/var/spool/cron d Dir
CONF
}

integrity_program() {
  cat <<'PROGRAM'
#!/usr/bin/env bash
# Made by pulumi-icon. The integrity of the system's files.
#   integrity check   compares the files with their database (aide), or makes it if there is none
#   integrity renew   after a deploy has changed something: lists what that accepts, and makes the database anew
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
DB=/var/lib/aide/aide.db METRIC=/var/lib/icon/metrics/integrity.prom
umask 077

say() { printf '%s\n' "$*"; }

make_database() {
  rm -f "$DB.new"
  aide --init --config=/etc/aide/aide.conf >/dev/null
  mv -f "$DB.new" "$DB"
  say "database made: $(sha256sum "$DB" | cut -c1-64)"
}

# compare lists the differences, a line each: changed, added, removed, or package for what a package brought, and the path.
compare() {
  local code=0
  aide --check --config=/etc/aide/aide.conf >/var/lib/aide/report.json 2>/var/lib/aide/errors || code=$?
  # 1, 2 and 4 say what there is: added, removed, changed.
  if ((code >= 8)); then
    say "aide ended with $code: $(head -n 3 /var/lib/aide/errors)"
    exit 1
  fi
  ((code == 0)) || sort_out </var/lib/aide/report.json
}

# paths reads an object of the report: "PATH": "FLAGS".
paths() { sed -nE "/^  \"$1\": \{/,/^  \}/s/^    \"(\/.*)\": \".*/\1/p" /var/lib/aide/report.json; }

sort_out() {
  local kind path
  for kind in changed added removed; do
    while IFS= read -r path; do if of_package "$path"; then say "package $path"; else say "$kind $path"; fi; done < <(paths "$kind")
  done
}

# of_package PATH: it is as an installed package has it. Configuration is nobody's but the operator's, and no package brings /usr/local.
of_package() {
  local name
  case $1 in
    /etc/* | /usr/local/*) return 1 ;;
    # Made on the host by what a kernel's package runs.
    /boot/initrd.img-* | /boot/grub/*) [[ /var/lib/dpkg/status -nt $DB ]] && return ;;
  esac
  # Packages that still say /bin or /lib have their files under /usr.
  for name in "${1#/}" "${1#/usr/}"; do
    if [[ -f $1 && ! -L $1 ]]; then
      # The package database knows no rights: whatever is root's alone to change and gives nobody another's rights may have come so.
      [[ -z $(find "$1" \( -perm /6022 -o ! -user root \) -print) ]] || return 1
      ! grep -qxF "$(md5sum <"$1" | cut -d' ' -f1)  $name" /var/lib/dpkg/info/*.md5sums || return 0
    elif [[ -e $1 || -L $1 ]]; then
      ! grep -qxF "/$name" /var/lib/dpkg/info/*.list || return 0
    elif [[ $1 == /usr/* || $1 == /boot/* ]]; then
      # Gone, and no package misses it.
      ! grep -qxF "/$name" /var/lib/dpkg/info/*.list || return 1
    else
      return 1
    fi
  done
  [[ ! -e $1 && ! -L $1 ]]
}

# deployed tells whether a deploy has changed something since the database was made.
deployed() {
  [[ -z $(find /usr/local/lib/icon -newer "$DB" -type f -print -quit 2>/dev/null) ]] || return 0
  local since
  since=$(date -u -r "$DB" +%FT%TZ)
  find /var/log/icon -name '*.log' -newer "$DB" -exec cat {} + 2>/dev/null |
    awk -v since="$since" '/^=== [0-9-]+T[0-9:]+Z / { at = $2 } /^=== done, [1-9]/ && at >= since { found = 1 } END { exit !found }'
}

# quiet waits until no step has run for two minutes, half an hour at most.
quiet() {
  local minutes=0
  while ((minutes++ < 30)); do
    [[ -n $(find /var/log/icon /usr/local/lib/icon -newermt '-2 minutes' -print -quit 2>/dev/null) ]] || return 0
    sleep 60
  done
}

write_metric() {
  local what tmp
  tmp=$(mktemp "${METRIC%/*}/.integrity.XXXXXX")
  {
    say '# HELP icon_integrity_files Files that differ from the database, by how; package: as the installed package has them.'
    say '# TYPE icon_integrity_files gauge'
    for what in added changed removed package; do
      say "icon_integrity_files{change=\"$what\"} $(grep -c "^$what " <<<"$1" || true)"
    done
    say '# HELP icon_integrity_checked_timestamp_seconds When the files were last compared.'
    say '# TYPE icon_integrity_checked_timestamp_seconds gauge'
    say "icon_integrity_checked_timestamp_seconds $EPOCHSECONDS"
    say '# HELP icon_integrity_database_timestamp_seconds When the database was made: at a deploy, or by somebody else.'
    say '# TYPE icon_integrity_database_timestamp_seconds gauge'
    say "icon_integrity_database_timestamp_seconds $(stat -c %Y "$DB")"
    say '# HELP icon_integrity_seconds How long the last comparison took.'
    say '# TYPE icon_integrity_seconds gauge'
    say "icon_integrity_seconds $SECONDS"
  } >"$tmp"
  chmod 0644 "$tmp"
  mv -f "$tmp" "$METRIC"
}

found=''
[[ ${1-} != renew || ! -e $DB ]] || quiet
exec 9>/var/lib/aide/lock
flock 9
case ${1-} in
  check)
    if [[ -e $DB ]]; then
      SECONDS=0
      found=$(compare)
      if [[ -n $found ]]; then say "$found"; fi
      # What packages brought is in the next database.
      if [[ -n $found ]] && ! grep -qv '^package ' <<<"$found"; then make_database; fi
    else
      make_database
    fi
    ;;
  renew)
    if [[ -e $DB ]]; then
      deployed || exit 0
      SECONDS=0
      found=$(compare)
      while IFS= read -r line; do say "accepted with a deploy: $line"; done <<<"${found:-nothing else changed}"
      found=''
    fi
    make_database
    ;;
  *)
    say "say check or renew" >&2
    exit 64
    ;;
esac
write_metric "$found"
PROGRAM
}

# integrity_busy: a database is being made, or will be when the deploy is over.
integrity_busy() { systemctl -q is-active icon-integrity.service || systemctl -q is-active aidecheck.service; }

integrity_apply() {
  [[ $WORD != image ]] || return 0
  if [[ ! -e /var/lib/aide/aide.db ]] && ! integrity_busy; then changed "/var/lib/aide/aide.db is being made"; fi
  needs_reload || return 0
  # In the background: the first database takes some seconds, and nothing waits for them.
  systemctl start --no-block icon-integrity.service
}

integrity_verify() {
  local age=0
  # The database of a host that was just deployed is still being made.
  [[ -e /var/lib/aide/aide.db ]] || integrity_busy || drift /var/lib/aide/aide.db "a database" none
  [[ ! -e /var/lib/aide/aide.db ]] || age=$(((EPOCHSECONDS - $(stat -c %Y "$METRICS/integrity.prom" 2>/dev/null || echo 0)) / 3600))
  # The timer catches up after a boot: a comparison that is three days old does not happen any more.
  ((age <= 72)) || drift "the last comparison" "in the last 3 days" "$age hours ago"
}
