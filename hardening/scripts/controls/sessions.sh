# shellcheck shell=bash disable=SC2154
sessions() {
  # Three places: PAM reads the first for every login, shells the others. Steps and packages set a umask of their own.
  want_setting /etc/login.defs UMASK "$SESSIONS_UMASK"
  want_setting /etc/bash.bashrc umask "$SESSIONS_UMASK"
  # A session that was left open. Other shells than bash don't know the setting; twice in one shell is an error.
  want_file 0644 root:root /etc/profile.d/icon.sh <<PROFILE
# Made by pulumi-icon.
umask $SESSIONS_UMASK
if [ -n "\${BASH_VERSION-}" ] && ! readonly -p | grep -q 'TMOUT='; then
  declare -xr TMOUT=$SESSIONS_IDLE_SECONDS
fi
PROFILE
  want_setting /etc/login.defs HOME_MODE 0700
  # For programs that still ask: root logs in at no terminal.
  want_file 0600 root:root /etc/securetty <<<''
}

# What a login shell is in the end.
sessions_verify() {
  local found
  # shellcheck disable=SC2016
  found=$(env -i PATH="$PATH" HOME=/nonexistent bash -lc 'printf "%s %s" "$(umask)" "${TMOUT-none}"' 2>&1 </dev/null || true)
  expect "bash -l: umask and TMOUT" "0$SESSIONS_UMASK $SESSIONS_IDLE_SECONDS" "$found"
}
