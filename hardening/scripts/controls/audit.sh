# shellcheck shell=bash disable=SC2154
audit() {
  want_file 0644 root:root /etc/systemd/system/auditd.service.d/icon.conf <<'UNIT'
# Made by pulumi-icon. The kernel's audit belongs to the machine: in a container the daemon could only fail.
[Unit]
ConditionVirtualization=!container
UNIT
  want_file 0640 root:root /etc/audit/auditd.conf < <(audit_daemon_settings)
  want_file 0600 root:root /etc/audit/rules.d/audit.rules < <(audit_base)
  # augenrules puts -D, -b and -f of whatever file first, and all else in the order of the files' names.
  want_file 0600 root:root /etc/audit/rules.d/00-icon.rules <<'RULES'
# Made by pulumi-icon. Nothing waits for the audit, the node least of all.
--backlog_wait_time 0
# A rule for something that this machine does not have must not keep those behind it out, at boot either.
-i
RULES
  want_file 0600 root:root /etc/audit/rules.d/50-icon.rules < <(audit_rules)
  want_file 0600 root:root /etc/audit/rules.d/60-icon-privileged.rules < <(audit_privileged)
  if [[ $AUDIT_IMMUTABLE == true ]]; then
    want_file 0600 root:root /etc/audit/rules.d/99-finalize.rules <<'RULES'
# Made by pulumi-icon. No change of the rules before the next boot.
-e 2
RULES
  else
    want_absent /etc/audit/rules.d/99-finalize.rules
  fi
  want_file 0640 root:root /etc/audit/plugins.d/syslog.conf < <(audit_forwarding)
  audit_key_units
  want_mode 0750 root:root /etc/audit /etc/audit/rules.d
  want_mode 0750 root:adm /var/log/audit
  # The log has its rights before its first record.
  if applying && [[ ! -e /var/log/audit/audit.log ]]; then install -m 0640 -o root -g adm /dev/null /var/log/audit/audit.log; fi
  # Who changes the tools of the audit hides behind it.
  want_mode 0755 root:root /sbin/auditctl /sbin/auditd /sbin/augenrules /sbin/aureport /sbin/ausearch /sbin/autrace
  if applying && needs_reload; then
    [[ $WORD == image ]] || systemctl daemon-reload
    systemctl -q reset-failed auditd.service acct.service 2>/dev/null || true
  fi
  audit_accounting
  audit_files
  want_on auditd.service acct.service icon-audit-files.timer
}

# audit_files takes away the oldest files once an hour. In between, admin_space_left bounds them: there auditd itself gives up old ones.
audit_files() {
  want_file 0644 root:root /etc/systemd/system/icon-audit-files.service <<UNIT
# Made by pulumi-icon.
[Unit]
Description=Clean-up of the audit's log: $AUDIT_FILES files stay

[Service]
Type=oneshot
ExecStart=/usr/bin/find /var/log/audit -maxdepth 1 -type f -regextype posix-extended -regex '.*/audit[.]log[.][0-9]+' \
  -exec /bin/sh -c 'for f; do [ "\$\${f##*.}" -lt $AUDIT_FILES ] || rm -f -- "\$\$f"; done' sh {} +
CapabilityBoundingSet=CAP_DAC_OVERRIDE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/log/audit
ProtectHome=yes
PrivateDevices=yes
PrivateNetwork=yes
UNIT
  want_file 0644 root:root /etc/systemd/system/icon-audit-files.timer <<'UNIT'
# Made by pulumi-icon.
[Unit]
Description=Hourly clean-up of the audit's log

[Timer]
OnCalendar=hourly
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target
UNIT
}

# audit_accounting: the kernel writes 64 bytes when a process ends, and stops by itself while 2 % of the disk are left.
audit_accounting() {
  want_file 0644 root:root /etc/systemd/system/acct.service.d/icon.conf <<'UNIT'
# Made by pulumi-icon. The kernel's accounting belongs to the machine.
[Unit]
ConditionVirtualization=!container
UNIT
  # Days; the package's daily job exchanges the file.
  want_setting /etc/default/acct ACCT_LOGGING '"30"' =
}

# What a full disk does to the node: "rotate" gives up the oldest records, "halt" stops the machine, as CIS asks.
audit_daemon_settings() {
  local full=rotate
  [[ $AUDIT_WHEN_FULL == rotate ]] || full=halt
  cat <<CONF
# Made by pulumi-icon.
local_events = yes
write_logs = yes
log_file = /var/log/audit/audit.log
log_group = adm
log_format = ENRICHED
# A record may be lost with the power, not the node's time to a disk that syncs for every record.
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = $AUDIT_FILE_SIZE
num_logs = $AUDIT_FILES
# Whoever writes records until the telling ones are gone would succeed in seconds: files beyond num_logs stay until icon-audit-files.timer.
max_log_file_action = keep_logs
priority_boost = 4
# Records that are forwarded say where they come from.
name_format = HOSTNAME
# MiB that are free on the file system of the log. "email" also writes an alert to the system's log.
space_left = $((AUDIT_FILE_SIZE * 8))
space_left_action = email
verify_email = yes
action_mail_acct = root
admin_space_left = $((AUDIT_FILE_SIZE * 4))
admin_space_left_action = $full
disk_full_action = $full
disk_error_action = syslog
use_libwrap = yes
tcp_listen_queue = 5
tcp_max_per_addr = 1
tcp_client_max_idle = 0
transport = TCP
distribute_network = no
q_depth = 2000
overflow_action = SYSLOG
max_restarts = 10
plugin_dir = /etc/audit/plugins.d
end_of_event_timeout = 2
CONF
}

# audit_forwarding hands the records to rsyslog where that forwards them (control logs): only there are they beyond an intruder's reach.
audit_forwarding() {
  local active=no
  [[ -z ${LOGS_FORWARD_TO-} ]] || active=yes
  cat <<CONF
# Made by pulumi-icon.
active = $active
direction = out
path = /sbin/audisp-syslog
type = always
args = LOG_INFO LOG_LOCAL5
format = string
CONF
}

audit_base() {
  cat <<'RULES'
# Made by pulumi-icon.
-D
# Records that wait for the daemon. When there are more, they are dropped and counted.
-b 8192
# The kernel tells of failures, and does not stop the machine.
-f 1
RULES
}

# audit_call KEY CALLS CONDITION…: a rule for system calls of programs of both word lengths.
audit_call() {
  local key=$1 calls=$2 call b64=''
  shift 2
  if [[ $HOSTTYPE == aarch64 ]]; then
    # That architecture has only the newer of some pairs of calls.
    for call in ${calls//,/ }; do
      case $call in
        creat | open | chmod | chown | lchown | rename | unlink | rmdir | create_module | query_module) ;;
        *) b64+=,$call ;;
      esac
    done
  else
    b64=,$calls
  fi
  [[ -z $b64 ]] || printf '%s\n' "-a always,exit -F arch=b64 -S ${b64#,}${*:+ $*} -F key=$key"
  printf '%s\n' "-a always,exit -F arch=b32 -S $calls${*:+ $*} -F key=$key"
}

# audit_watch KEY ACCESS PATH…
audit_watch() {
  local key=$1 access=$2 path
  shift 2
  for path in "$@"; do printf '%s\n' "-w $path -p $access -k $key"; done
}

audit_run() {
  local path
  for path in "$@"; do printf '%s\n' "-a always,exit -F path=$path -F perm=x -F auid>=1000 -F auid!=unset -F key=privileged"; done
}

# auid is who logged in, whatever they have become since; services have none.
audit_rules() {
  local people='-F auid>=1000 -F auid!=unset'
  printf '# Made by pulumi-icon.\n# The clock is set by chrony all the time: only others are of interest.\n'
  printf '%s\n' '-a never,exit -F arch=b64 -S adjtimex,clock_adjtime -F exe=/usr/sbin/chronyd'
  audit_call time-change adjtimex,settimeofday
  audit_call time-change clock_settime -F a0=0x0
  printf '%s\n' '-a always,exit -F arch=b32 -S stime -F key=time-change'
  audit_watch time-change wa /etc/localtime /etc/chrony
  printf '# Who may what.\n'
  audit_watch identity wa /etc/group /etc/passwd /etc/gshadow /etc/shadow /etc/nsswitch.conf
  audit_watch identity wa /etc/security /etc/security/opasswd /etc/pam.conf /etc/pam.d/ /root/.ssh
  audit_watch scope wa /etc/sudoers /etc/sudoers.d/
  audit_watch sudo-log wa /var/log/sudo.log
  audit_call user-emulation execve -C 'euid!=uid' -F 'auid!=unset'
  audit_watch mac-policy wa /etc/apparmor /etc/apparmor.d /usr/share/apparmor
  printf '# Sessions and logins.\n'
  audit_watch session wa /var/run/utmp /var/log/wtmp /var/log/btmp
  audit_watch logins wa /var/log/lastlog /var/run/faillock /var/log/faillock
  printf '# Name and network.\n'
  audit_call system-locale sethostname,setdomainname
  audit_watch system-locale wa /etc/issue /etc/issue.net /etc/hosts /etc/hostname /etc/networks /etc/network/ /etc/netplan /etc/resolv.conf
  printf '# What people do to files: refused access, rights, deletion, mounts.\n'
  local refused
  for refused in EACCES EPERM; do
    # shellcheck disable=SC2086
    audit_call access creat,open,openat,open_by_handle_at,truncate,ftruncate -F exit=-$refused $people
  done
  # shellcheck disable=SC2086
  {
    audit_call perm_mod chmod,fchmod,fchmodat $people
    audit_call perm_mod chown,fchown,lchown,fchownat $people
    audit_call perm_mod setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr $people
    audit_call delete rename,renameat,renameat2,unlink,unlinkat,rmdir $people
    audit_call mounts mount,umount2 $people
  }
  audit_run /usr/bin/chcon /usr/bin/setfacl /usr/bin/chacl /usr/sbin/usermod /usr/bin/kmod
  printf '# What the kernel loads.\n'
  audit_call modules init_module,finit_module,delete_module,create_module,query_module
  audit_watch modules x /sbin/insmod /sbin/rmmod /sbin/modprobe
  audit_watch modules wa /etc/modprobe.d /etc/modules-load.d /etc/sysctl.conf /etc/sysctl.d
  printf '# The memory of another process: a node has its key there.\n'
  audit_call icon-memory ptrace,process_vm_readv,process_vm_writev -F 'auid!=unset'
  printf '# What this installation is made of, and what starts with the machine.\n'
  audit_watch icon-config wa /etc/icon /usr/local/lib/icon /etc/haproxy /etc/ssh /etc/nftables.conf /etc/containers /etc/docker
  audit_watch icon-start wa /etc/systemd /etc/cron.d /etc/crontab /var/spool/cron /etc/ld.so.preload /etc/apt
  audit_watch icon-audit wa /etc/audit /etc/rsyslog.conf /etc/rsyslog.d /etc/aide /var/lib/aide
  audit_watch icon-audit x /sbin/auditctl /sbin/augenrules
  [[ -z $DATA_DIR ]] || printf '# The node'"'"'s key: also who reads it.\n%s\n' "-w $DATA_DIR/key -p rwa -k icon-key"
}

# audit_privileged makes a rule for each program that runs with another's rights. Chain data and container images are not looked through.
audit_privileged() {
  local path
  local -a places=(/usr)
  for path in /opt /srv /root /home; do [[ ! -d $path ]] || places+=("$path"); done
  printf '# Made by pulumi-icon.\n'
  while read -r path; do audit_run "$path"; done < <({
    # A container runtime may bring these later.
    printf '%s\n' /usr/bin/newgidmap /usr/bin/newuidmap
    find "${places[@]}" -xdev \( -path "${DATA_DIR:-/nowhere}" -prune \) -o -type f -perm /6000 -print
  } | LC_ALL=C sort -u)
}

# audit_key_units load the rules once more when the directory of the key appears: no rule can be made for one that does not exist yet.
audit_key_units() {
  if [[ -z $DATA_DIR ]]; then
    want_off_file icon-audit-key.path
    want_off_file icon-audit-key.service
    return 0
  fi
  want_file 0644 root:root /etc/systemd/system/icon-audit-key.path <<UNIT
# Made by pulumi-icon.
[Unit]
Description=Waits for the directory of the node's key, to have its use recorded
ConditionVirtualization=!container

[Path]
PathExists=$DATA_DIR/key

[Install]
WantedBy=multi-user.target
UNIT
  want_file 0644 root:root /etc/systemd/system/icon-audit-key.service <<UNIT
# Made by pulumi-icon.
[Unit]
Description=Rule of the audit for the node's key
After=auditd.service
ConditionVirtualization=!container

[Service]
Type=oneshot
RemainAfterExit=yes
# If the rules are locked, the rule comes with the next boot.
ExecStart=-/sbin/auditctl -w $DATA_DIR/key -p rwa -k icon-key
CapabilityBoundingSet=CAP_AUDIT_CONTROL CAP_DAC_READ_SEARCH
NoNewPrivileges=yes
ProtectSystem=strict
UNIT
  if applying && needs_reload && [[ $WORD != image ]]; then systemctl daemon-reload; fi
  want_on icon-audit-key.path
}

want_off_file() {
  [[ -e /etc/systemd/system/$1 ]] || return 0
  if applying; then systemctl -q disable --now "$1" 2>/dev/null || true; fi
  want_absent "/etc/systemd/system/$1"
  if applying && [[ $WORD != image ]]; then systemctl daemon-reload; fi
}

audit_locked() { [[ $(auditctl -s 2>/dev/null | sed -n 's/^enabled //p') == 2 ]]; }

audit_apply() {
  if ! augenrules --check | grep -q 'No change'; then
    augenrules >/dev/null
    changed /etc/audit/audit.rules
  fi
  [[ $CONTAINER == none && $WORD != image ]] || return 0
  if needs_reload; then systemctl kill -s HUP auditd.service; fi
  if audit_locked; then
    needs_reload || return 0
    cat /proc/sys/kernel/random/boot_id >"$STATE/audit-pending"
    printf 'the rules of the audit are locked: the new ones are in force after the next boot\n'
    return 0
  fi
  if ! needs_reload && [[ $(audit_state) == enabled && -z $(audit_missing) ]]; then return 0; fi
  # All but the lock, which comes with the next boot: until then a second deploy can still correct the first.
  local rules=$RUN/audit.rules
  sed '/^-e 2/d' /etc/audit/audit.rules >"$rules"
  auditctl -R "$rules" >/dev/null 2>&1 || printf 'auditctl did not take all rules; verification tells which are missing\n'
  rm -f "$rules"
  auditctl -e 1 >/dev/null
  needs_reload || changed "rules loaded"
}

audit_verify() {
  augenrules --check 2>&1 | grep -q 'No change' || drift /etc/audit/audit.rules "what /etc/audit/rules.d holds" "other rules"
  if not_here "the kernel's audit cannot be used in a container: the rules are in place, and not in force"; then return 0; fi
  local missing
  if audit_locked && [[ $(cat "$STATE/audit-pending" 2>/dev/null) == "$(cat /proc/sys/kernel/random/boot_id)" ]]; then
    printf 'the rules of the audit are in force after the next boot\n'
    return 0
  fi
  expect "the kernel's audit" "enabled" "$(audit_state)"
  missing=$(audit_missing)
  expect "rules in force, by key" "as in /etc/audit/audit.rules" "${missing:-as in /etc/audit/audit.rules}"
}

audit_state() { if auditctl -s | grep -q '^enabled 0$'; then printf disabled; else printf enabled; fi; }

# audit_missing: "COUNT KEY" of the keys that have fewer or more rules in the kernel than in the file.
audit_missing() {
  local wanted
  wanted=$(audit_keys </etc/audit/audit.rules)
  [[ -d ${DATA_DIR:-/nowhere}/key ]] || wanted=$(sed '/ icon-key$/d' <<<"$wanted")
  comm -23 <(printf '%s\n' "$wanted") <(auditctl -l | audit_keys) | paste -sd ','
}

# audit_keys counts rules by key: "COUNT KEY".
audit_keys() { sed -nE 's/^-[aw] .*(-k |key=)([^ ]+)$/\2/p' | LC_ALL=C sort | uniq -c | sed 's/^ *//' | LC_ALL=C sort; }
