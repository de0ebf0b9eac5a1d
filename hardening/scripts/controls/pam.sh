# shellcheck shell=bash disable=SC2154
# Profiles of pam-auth-update, as packages bring them, so that upgrades keep them. "icon" takes the place of Debian's "unix".
PAM_AUTH=('auth required pam_faillock.so preauth'
  'auth [success=1 default=ignore] pam_unix.so try_first_pass'
  'auth [default=die] pam_faillock.so authfail'
  'auth sufficient pam_faillock.so authsucc')

pam() {
  # Debian's allows empty passwords (nullok). no_pass_expiry: a password that has run out does not keep a key from logging in.
  want_file 0644 root:root /usr/share/pam-configs/icon <<PROFILE
Name: Passwords, with a lock after failures and a history (pulumi-icon)
Default: yes
Priority: 256
Conflicts: unix
Auth-Type: Primary
Auth:
	required	pam_faillock.so preauth
	[success=1 default=ignore]	pam_unix.so try_first_pass
	[default=die]	pam_faillock.so authfail
	sufficient	pam_faillock.so authsucc
Account-Type: Primary
Account:
	[success=end new_authtok_reqd=done default=ignore]	pam_unix.so no_pass_expiry
Session-Type: Additional
Session:
	required	pam_unix.so
Password-Type: Primary
Password:
	requisite	pam_pwhistory.so remember=$PAM_HISTORY enforce_for_root use_authtok
	[success=end default=ignore]	pam_unix.so obscure use_authtok try_first_pass yescrypt rounds=$PAM_ROUNDS
PROFILE
  want_file 0644 root:root /usr/share/pam-configs/icon-account <<'PROFILE'
Name: End of the lock after a login, and umask (pulumi-icon)
Default: yes
Priority: 0
Account-Type: Additional
Account:
	required	pam_faillock.so
Session-Interactive-Only: yes
Session-Type: Additional
Session:
	optional	pam_umask.so nousergroups
PROFILE
  # Failures are counted per user, root included, wherever a password is asked for. Keys are not asked, and a login by key ends the lock.
  want_file 0644 root:root /etc/security/faillock.conf <<CONF
# Made by pulumi-icon.
audit
silent
deny = $PAM_DENY
fail_interval = 900
unlock_time = $PAM_UNLOCK_SECONDS
even_deny_root
root_unlock_time = $PAM_UNLOCK_SECONDS
CONF
  want_file 0644 root:root /etc/security/pwquality.conf <<CONF
# Made by pulumi-icon.
minlen = $PAM_MIN_LENGTH
minclass = 4
dcredit = -1
ucredit = -1
lcredit = -1
ocredit = -1
difok = 8
maxrepeat = 3
maxsequence = 3
dictcheck = 1
retry = 3
enforcing = 1
enforce_for_root
CONF
  pam_profiles
  pam_su
}

# pam_before: a directory's passwords or a second factor would not count any more behind ours.
pam_before() {
  local module
  while IFS= read -r module; do
    printf '%s\n' "passwords are also checked by $module (/etc/pam.d/common-auth), which would no longer count: leave out the controls pam \
and accounts, or take it out"
  done < <(sed -nE 's/^auth[[:space:]].*(pam_(sss|ldap|winbind|krb5|radius_auth|google_authenticator|u2f|duo|oath)[.]so).*/\1/p' \
    /etc/pam.d/common-auth 2>/dev/null | sort -u)
}

# pam_profiles looks at what is in force, and has it generated anew if it is not what is wanted.
pam_profiles() {
  local file
  if pam_in_force; then return 0; fi
  applying || { drift "/etc/pam.d/${PAM_MISSING[0]}" "${PAM_MISSING[1]}" "${PAM_MISSING[2]}" && return 0; }
  keep /var/lib/pam
  for file in auth account password session session-noninteractive; do keep "/etc/pam.d/common-$file"; done
  pam-auth-update --force --enable icon icon-account pwquality tmpdir --disable unix
  # What somebody has written outside its own lines it leaves alone. Files that are not there it makes from Debian's own.
  if ! pam_in_force; then
    rm -f /etc/pam.d/common-{auth,account,password,session,session-noninteractive}
    pam-auth-update --force
  fi
  pam_in_force ||
    fail "/etc/pam.d/${PAM_MISSING[0]} is \"${PAM_MISSING[2]}\" after pam-auth-update, wanted \"${PAM_MISSING[1]}\": is another PAM profile in the way (/usr/share/pam-configs)?"
  changed "/etc/pam.d/common-*"
}

pam_in_force() {
  local file line
  local -A text
  for file in auth account password session session-noninteractive; do
    text[$file]=$(sed -E '/^[[:space:]]*(#|$)/d; s/[[:space:]]+/ /g; s/ $//' "/etc/pam.d/common-$file")
  done
  # The first lines, and in this order: one in front of them could let anybody in.
  line=$(head -n ${#PAM_AUTH[@]} <<<"${text[auth]}")
  [[ $line == "$(printf '%s\n' "${PAM_AUTH[@]}")" ]] || { PAM_MISSING=(common-auth "$(printf '%s; ' "${PAM_AUTH[@]}")" "${line//$'\n'/; }; ") && return 1; }
  for line in 'account:account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so no_pass_expiry' \
    'account:account required pam_faillock.so' \
    'password:password requisite pam_pwquality.so retry=3' \
    "password:password requisite pam_pwhistory.so remember=$PAM_HISTORY enforce_for_root use_authtok" \
    "password:password [success=1 default=ignore] pam_unix.so obscure use_authtok try_first_pass yescrypt rounds=$PAM_ROUNDS" \
    'session:session required pam_unix.so' 'session:session optional pam_umask.so nousergroups' 'session:session optional pam_tmpdir.so' \
    'session-noninteractive:session required pam_unix.so' 'session-noninteractive:session optional pam_tmpdir.so'; do
    [[ $'\n'${text[${line%%:*}]}$'\n' == *$'\n'"${line#*:}"$'\n'* ]] || { PAM_MISSING=("common-${line%%:*}" "${line#*:}" "no such line") && return 1; }
  done
  [[ ${text[*]} != *nullok* ]] || { PAM_MISSING=('common-*' "no nullok" nullok) && return 1; }
}
PAM_MISSING=()

# su is for root alone, and for the members of a group that has none. sudo is the way, which logs.
pam_su() {
  local line='auth required pam_wheel.so use_uid group=sugroup' tmp group
  group=$(getent group sugroup || true)
  if [[ -z $group ]]; then
    applying || { drift "group sugroup" "an empty group" "none" && return 0; }
    keep /etc/group
    keep /etc/gshadow
    groupadd --system sugroup
    changed "group sugroup"
  elif [[ ${group##*:} != '' ]]; then
    applying || { drift "group sugroup" "no members" "${group##*:}" && return 0; }
    keep /etc/group
    keep /etc/gshadow
    gpasswd -M '' sugroup >/dev/null
    changed "group sugroup emptied"
  fi
  if [[ $(grep -E '^[[:space:]]*auth' /etc/pam.d/su | sed -n 2p) == "$line" ]]; then return 0; fi
  applying || { drift /etc/pam.d/su "$line" "no such line after pam_rootok.so" && return 0; }
  keep /etc/pam.d/su
  tmp=$(mktemp /etc/pam.d/.icon.XXXXXX)
  { printf 'auth sufficient pam_rootok.so\n%s\n' "$line" && grep -vE '^[[:space:]]*auth[[:space:]].*pam_(rootok|wheel)\.so' /etc/pam.d/su; } >"$tmp"
  chmod 0644 "$tmp"
  mv -f "$tmp" /etc/pam.d/su
  changed "/etc/pam.d/su: $line"
}
