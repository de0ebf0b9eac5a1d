# shellcheck shell=bash disable=SC2154
SSH_SERVER_FILE=/etc/ssh/sshd_config
SSH_SERVER_CA=/etc/ssh/icon_user_ca
SSH_SERVER_PRINCIPALS_FILE=/etc/ssh/icon_principals

ssh_server() {
  if [[ -n $SSH_SERVER_USER_AUTHORITIES ]]; then
    want_file 0644 root:root $SSH_SERVER_CA <<<"$SSH_SERVER_USER_AUTHORITIES"
    # shellcheck disable=SC2086
    [[ -z $SSH_SERVER_PRINCIPALS ]] || want_file 0644 root:root $SSH_SERVER_PRINCIPALS_FILE < <(printf '%s\n' $SSH_SERVER_PRINCIPALS)
  fi
  ssh_server_keys
  ssh_server_moduli
  want_mode 0600 root:root /etc/ssh/ssh_host_*_key
  want_mode 0644 root:root /etc/ssh/ssh_host_*_key.pub
  ssh_server_test
  # The whole file, without Include: the first value of an option counts, and a Match in a drop-in undoes any.
  want_file 0600 root:root $SSH_SERVER_FILE < <(ssh_server_config)
}

# ssh_server_before: people whom the machine has let in so far, and who are not named now.
ssh_server_before() {
  local user home shell
  if [[ -n $SSH_SERVER_USERS ]] || grep -qs '^# Made by pulumi-icon' $SSH_SERVER_FILE; then return 0; fi
  while IFS=: read -r user _ _ _ _ home shell; do
    # Who deploys has root's rights: root's own login is replaced by it.
    if [[ $user == root || $user == "$LOGIN_USER" || $shell == */nologin || $shell == */false ]]; then continue; fi
    ! grep -qsE '^[^#]*(ssh-|ecdsa-|sk-)' "$home/.ssh/authorized_keys" || printf '%s\n' "user $user logs in by keys of \
$home/.ssh/authorized_keys, and would be locked out: name who is to log in in ssh-server.users ($LOGIN_USER among them), or remove the file"
  done </etc/passwd
}

# ssh_server_test has sshd read the file before it is put in place.
ssh_server_test() {
  local tmp problem
  applying || return 0
  # It is there once sshd has run, which is at the first login where systemd listens for it.
  [[ -d /run/sshd ]] || install -d -m 0755 /run/sshd
  tmp=$(mktemp)
  ssh_server_config >"$tmp"
  problem=$(sshd -t -f "$tmp" 2>&1) || {
    rm -f "$tmp"
    fail "sshd refuses the settings of the control ssh-server; $SSH_SERVER_FILE is unchanged: ${problem//$'\n'/; }"
  }
  rm -f "$tmp"
}

ssh_server_config() {
  local port
  printf '# Made by pulumi-icon. Files in sshd_config.d are not read: the hardening control ssh-server has parameters.\n'
  for port in $SSH_PORTS; do printf 'Port %s\n' "$port"; done
  cat <<CONFIG
# Ed25519 alone: the deploy pins that key, and the other kinds are slower or weaker.
HostKey /etc/ssh/ssh_host_ed25519_key
HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519
# The first is safe from quantum computers as well; the others are what clients without it speak (Go among them).
KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org
# All authenticate what they encrypt. MACs are for a cipher that does not; none is offered.
Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
PubkeyAcceptedAlgorithms $(ssh_server_algorithms)
CASignatureAlgorithms sk-ssh-ed25519@openssh.com,ssh-ed25519,rsa-sha2-512,rsa-sha2-256
RequiredRSASize $SSH_SERVER_RSA_BITS
# New session keys before an old one has encrypted much.
RekeyLimit 1G 1h

# Keys and nothing else.
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
HostbasedAuthentication no
GSSAPIAuthentication no
KerberosAuthentication no
PermitEmptyPasswords no
IgnoreRhosts yes
IgnoreUserKnownHosts yes
StrictModes yes
PermitRootLogin $(ssh_server_root)
AllowUsers $(ssh_server_users)
AuthorizedKeysFile .ssh/authorized_keys
CONFIG
  if [[ -n $SSH_SERVER_USER_AUTHORITIES ]]; then
    printf 'TrustedUserCAKeys %s\n' $SSH_SERVER_CA
    [[ -z $SSH_SERVER_PRINCIPALS ]] || printf 'AuthorizedPrincipalsFile %s\n' $SSH_SERVER_PRINCIPALS_FILE
  fi
  cat <<CONFIG
# Limits, accounts and sessions of PAM go for logins by key too.
UsePAM yes

# What strangers can hold open. A connection that is turned away is tried again by the deploy.
MaxStartups $SSH_SERVER_MAX_STARTUPS
MaxAuthTries $SSH_SERVER_MAX_AUTH_TRIES
MaxSessions $SSH_SERVER_MAX_SESSIONS
LoginGraceTime $SSH_SERVER_LOGIN_GRACE_SECONDS
# Inside the encryption, unlike TCPKeepAlive, which anybody on the way can answer.
ClientAliveInterval $SSH_SERVER_ALIVE_SECONDS
ClientAliveCountMax $SSH_SERVER_ALIVE_COUNT
TCPKeepAlive no

# A session is a shell or a file transfer, and no way to elsewhere.
AllowAgentForwarding no
AllowStreamLocalForwarding no
X11Forwarding no
PermitTunnel no
GatewayPorts no
CONFIG
  if [[ $SSH_SERVER_FORWARDING == true ]]; then
    # To SSH of other hosts, and nothing back from there.
    printf '%s\n' 'AllowTcpForwarding local' "PermitOpen $SSH_SERVER_FORWARD_TO" 'PermitListen none'
  else
    printf '%s\n' 'AllowTcpForwarding no' 'DisableForwarding yes'
  fi
  cat <<'CONFIG'
# An environment or a command of the user's would get around what the key is restricted to.
PermitUserEnvironment no
PermitUserRC no
Compression no
UseDNS no
# The fingerprint of each key that was tried.
LogLevel VERBOSE
SyslogFacility AUTH
Banner /etc/issue.net
# The version of the distribution is nobody's business before login.
DebianBanner no
PrintMotd no
PrintLastLog yes
Subsystem sftp /usr/lib/openssh/sftp-server -f AUTHPRIV -l INFO
CONFIG
}

# Without ECDSA, whose signatures give the key away when randomness is poor; on hardware keys that is no risk.
ssh_server_algorithms() {
  local list=(sk-ssh-ed25519@openssh.com ssh-ed25519 sk-ecdsa-sha2-nistp256@openssh.com rsa-sha2-512 rsa-sha2-256)
  [[ -z $SSH_SERVER_USER_AUTHORITIES ]] || list+=(sk-ssh-ed25519-cert-v01@openssh.com ssh-ed25519-cert-v01@openssh.com
    sk-ecdsa-sha2-nistp256-cert-v01@openssh.com rsa-sha2-512-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com)
  (IFS=, && printf '%s' "${list[*]}")
}

ssh_server_root() {
  if [[ " ${SSH_SERVER_USERS:-$LOGIN_USER} " == *' root '* ]]; then printf 'prohibit-password'; else printf 'no'; fi
}

ssh_server_users() {
  local user network list=()
  for user in ${SSH_SERVER_USERS:-$LOGIN_USER}; do
    [[ -n $SSH_SERVER_FROM ]] || list+=("$user")
    for network in $SSH_SERVER_FROM; do list+=("$user@$network"); done
  done
  printf '%s' "${list[*]}"
}

# ssh_server_keys: exactly the administrators' keys. Without the one that the deploy logs in by, the trial is rolled back.
ssh_server_keys() {
  local home group
  [[ -n $SSH_SERVER_ADMINISTRATOR_KEYS ]] || return 0
  IFS=: read -r _ _ _ group _ home _ < <(getent passwd "$LOGIN_USER") || fail "there is no user $LOGIN_USER"
  group=$(getent group "$group") && group=${group%%:*}
  if applying && [[ ! -d $home/.ssh ]]; then install -d -m 0700 -o "$LOGIN_USER" -g "$group" "$home/.ssh"; fi
  want_file 0600 "$LOGIN_USER:$group" "$home/.ssh/authorized_keys" <<<"${SSH_SERVER_ADMINISTRATOR_KEYS%$'\n'}"
}

# Groups of less than 3072 bits. The settings above use none; somebody's own settings may.
ssh_server_moduli() {
  local tmp few
  [[ -e /etc/ssh/moduli ]] || return 0
  few=$(awk '!/^#/ && $5 < 3071 { n++ } END { print n + 0 }' /etc/ssh/moduli)
  [[ $few != 0 ]] || return 0
  applying || { drift "/etc/ssh/moduli" "no group of less than 3072 bits" "$few" && return 0; }
  keep /etc/ssh/moduli
  tmp=$(mktemp /etc/ssh/.icon.XXXXXX)
  awk '/^#/ || $5 >= 3071' /etc/ssh/moduli >"$tmp"
  chmod 0644 "$tmp"
  mv -f "$tmp" /etc/ssh/moduli
  changed "/etc/ssh/moduli: $few small groups removed"
}

# A reload ends no session. Where systemd listens and sshd has not run yet, there is nothing to reload.
ssh_server_apply() {
  if needs_reload && [[ $WORD != image ]]; then systemctl try-reload-or-restart ssh.service; fi
}

ssh_server_rollback() { systemctl try-reload-or-restart ssh.service; }

# What sshd makes of its settings for the user of the deploy, and for root.
ssh_server_verify() {
  local user key value effective
  local -A found wanted
  while read -r key value; do
    [[ $key == [A-Z]* && $key != DebianBanner ]] || continue
    key=${key,,}
    wanted[$key]+=${wanted[$key]:+,}$value
  done < <(ssh_server_config)
  wanted[rekeylimit]='1073741824 3600'
  wanted[permitrootlogin]=${wanted[permitrootlogin]/prohibit-password/without-password}
  wanted[allowusers]=${wanted[allowusers]// /,}
  for user in "$LOGIN_USER" root; do
    found=()
    effective=$(sshd -T -C "user=$user,host=elsewhere,addr=192.0.2.1" 2>&1) || {
      drift "sshd -T" "settings" "${effective##*$'\n'}"
      return 0
    }
    while read -r key value; do found[$key]+=${found[$key]:+,}$value; done <<<"$effective"
    for key in "${!wanted[@]}"; do expect "sshd -T for $user: $key" "${wanted[$key]}" "${found[$key]-}"; done
    [[ $user != root ]] || break
  done
  systemctl show -P ActiveState ssh.service ssh.socket 2>/dev/null | grep -qx active || drift "ssh.service" "active" "inactive"
}
