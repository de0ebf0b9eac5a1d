# shellcheck shell=bash disable=SC2154
SUDO_FILE=/etc/sudoers.d/zz-icon # read last, and of two settings the last counts
SUDO_GROUP=sudogrp

sudo() {
  local problem
  if applying; then
    problem=$(sudo_rules | visudo -cf - 2>&1) || fail "visudo refuses the rules of the control sudo; nothing was changed: $problem"
  fi
  sudo_members
  want_file 0440 root:root $SUDO_FILE < <(sudo_rules)
  want_mode 0750 root:root /etc/sudoers.d
  # sudo takes others too, but whoever checks the rules (visudo -c) does not.
  want_mode 0440 root:root /etc/sudoers /etc/sudoers.d/*
  want_file 0644 root:root /etc/logrotate.d/icon-sudo <<<'# Made by pulumi-icon.
/var/log/sudo.log {
  weekly
  rotate 26
  compress
  missingok
  notifempty
}'
  sudo_binary
}

sudo_rules() {
  local user
  cat <<RULES
# Made by pulumi-icon.
# In a terminal of its own, a program that goes on in the background cannot type into the caller's.
Defaults use_pty
Defaults env_reset
Defaults ignore_dot
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults umask=0077
Defaults logfile="/var/log/sudo.log"
Defaults passwd_timeout=1
Defaults timestamp_timeout=$SUDO_TIMEOUT_MINUTES
# Whoever may run an editor or a pager does not thereby run a shell.
Defaults noexec
Defaults requiretty
RULES
  # Root is root already. The deploy runs bash, over a connection without a terminal.
  printf 'Defaults:root !noexec,!requiretty\n'
  [[ $LOGIN_USER == root ]] || printf 'Defaults:%s !noexec,!requiretty\n' "$LOGIN_USER"
  for user in $SUDO_UNRESTRICTED; do [[ $user == "$LOGIN_USER" ]] || printf 'Defaults:%s !noexec,!requiretty\n' "$user"; done
}

# Those who may call it at all: the deploy, whoever has a rule, and whom the distribution's group or the operator names.
sudo_members() {
  local user group members ruled
  ruled=$(sed -nE 's/^([a-z_][a-z0-9_-]*)[[:space:]][^=]*=.*/\1/p' /etc/sudoers /etc/sudoers.d/* 2>/dev/null | sort -u || true)
  # The members of groups that have a rule (%admin), those whose own group it is included.
  for group in $(sed -nE 's/^%([a-z_][a-z0-9_-]*)[[:space:]][^=]*=.*/\1/p' /etc/sudoers /etc/sudoers.d/* 2>/dev/null | sort -u || true); do
    group=$(getent group "$group") || continue
    ruled+=" $(tr , ' ' <<<"${group##*:}") $(awk -F: -v id="$(cut -d: -f3 <<<"$group")" '$4 == id { print $1 }' /etc/passwd)"
  done
  if ! getent group $SUDO_GROUP >/dev/null; then
    applying || { drift "group $SUDO_GROUP" "a group" "none" && return 0; }
    keep /etc/group
    keep /etc/gshadow
    groupadd --system $SUDO_GROUP
    changed "group $SUDO_GROUP"
  fi
  members=,$(getent group $SUDO_GROUP),
  members=,${members##*:}
  for user in $LOGIN_USER $SUDO_UNRESTRICTED $ruled; do
    if [[ $user == root || $members == *",$user,"* ]] || ! getent passwd "$user" >/dev/null; then continue; fi
    applying || { drift "group $SUDO_GROUP" "$user in it" "${members//,/ }" && continue; }
    keep /etc/group
    keep /etc/gshadow
    gpasswd -a "$user" $SUDO_GROUP >/dev/null
    members+=$user,
    changed "$user in group $SUDO_GROUP"
  done
}

# Only the group can run it, and nobody can read it. dpkg knows, so that an upgrade of the package keeps it so. No copy of a program that
# makes root of anybody is kept, so the roll-back is by hand.
sudo_binary() {
  local found
  found=$(stat -c '%a %U:%G' /usr/bin/sudo)
  if [[ $found == "4110 root:$SUDO_GROUP" ]] && grep -qx "root $SUDO_GROUP 4110 /usr/bin/sudo" /var/lib/dpkg/statoverride; then return 0; fi
  applying || { drift /usr/bin/sudo "4110 root:$SUDO_GROUP" "$found" && return 0; }
  keep /var/lib/dpkg/statoverride
  dpkg-statoverride --quiet --force-all --update --add root $SUDO_GROUP 4110 /usr/bin/sudo
  changed "/usr/bin/sudo: 4110 root:$SUDO_GROUP"
}

sudo_rollback() {
  if ! grep -q ' /usr/bin/sudo$' /var/lib/dpkg/statoverride; then
    chown root:root /usr/bin/sudo
    chmod 4755 /usr/bin/sudo
  fi
}

# What sudo itself makes of all its files, for root and for the deploy.
sudo_verify() {
  local problem setting user found
  problem=$(visudo -c 2>&1) || drift "visudo -c" "no mistake" "$problem"
  # A file behind ours could take back for other users what it says.
  found=$(find /etc/sudoers.d -type f ! -name '*.*' ! -name '*~' -printf '%f\n' | sort | tail -n 1)
  expect "last file of /etc/sudoers.d" "${SUDO_FILE##*/}" "$found"
  for user in root "$LOGIN_USER"; do
    found=$(/usr/bin/sudo -n -l -U "$user" 2>&1 || true)
    # Long lines are folded.
    found=" $(tr -s '\n ' ' ' <<<"$found"),"
    for setting in use_pty env_reset ignore_dot umask=0077 logfile=/var/log/sudo.log "timestamp_timeout=$SUDO_TIMEOUT_MINUTES"; do
      [[ $found == *" $setting,"* || $found == *" $setting "* ]] || drift "sudo -l -U $user" "$setting" "not in force"
      [[ $found != *" !${setting%%=*}"[,\ ]* ]] || drift "sudo -l -U $user" "$setting" "!${setting%%=*}"
    done
    [[ $LOGIN_USER != root ]] || break
  done
}
