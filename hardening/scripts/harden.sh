# shellcheck shell=bash disable=SC2154
# The step "harden": packages, clock, firewall.

apply() {
  check_lockout
  # shellcheck disable=SC2086
  packages nftables chrony $ROLE_PACKAGES
  # Debian's unit leaves itself out where the clock cannot be set (containers).
  enable chrony.service
  directory 0755 root:root /etc/icon
  if [[ $NODE == true ]]; then
    node_user
    sed -i "s/^define icon_node = .*/define icon_node = $(id -u icon-node)/" "$STEP_DIR/firewall.nft"
  fi
  nft -c -f "$STEP_DIR/firewall.nft" || fail_log "nftables refuses the rules that were generated from the plan; the rules in force are unchanged"
  local reload=$UNFINISHED
  if put 0600 root:root /etc/icon/firewall.nft <"$STEP_DIR/firewall.nft"; then reload=true; fi
  unit icon-firewall.service <<<"$UNIT" || true # what it loads is looked at below
  enable icon-firewall.service
  # A table that somebody removed by hand is put back.
  if $reload || ! nft list table inet icon >/dev/null 2>&1; then
    systemctl reload-or-restart icon-firewall.service
    changed "firewall rules loaded"
  fi
}

# The node's user exists before the rules that name it.
node_user() {
  if ! getent passwd icon-node >/dev/null; then
    useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin icon-node
    changed "user icon-node"
  fi
}

remove() {
  disable icon-firewall.service
  if nft list table inet icon >/dev/null 2>&1; then nft delete table inet icon; fi
  rm -f /etc/icon/firewall.nft
}

UNIT='# Made by pulumi-icon.
[Unit]
Description=Firewall of the ICON installation: default deny, from the edges of the plan
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# Whatever loads the rules of the machine itself comes first: it may begin with a flush.
After=local-fs.target nftables.service netfilter-persistent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/icon/firewall.nft
ExecReload=/usr/sbin/nft -f /etc/icon/firewall.nft

[Install]
WantedBy=sysinit.target'

# The new rules answer SSH to ADMINISTRATORS only. If this very connection comes from elsewhere they would lock the operator out.
check_lockout() {
  [[ -n $SSH_CLIENT_ADDRESS ]] || fail "cannot tell which address this SSH connection comes from, so cannot tell whether the firewall would lock it out"
  [[ " $SSH_PORTS " == *" $SSH_SERVER_PORT "* ]] ||
    fail "this host's SSH listens on port $SSH_SERVER_PORT, the plan knows $SSH_PORTS only: the firewall would lock the deploy out. Set the machine's port. Nothing was changed."
  local network
  for network in $ADMINISTRATORS; do
    if contains "$network" "$SSH_CLIENT_ADDRESS"; then return 0; fi
  done
  fail "this deploy connects from $SSH_CLIENT_ADDRESS, which is in none of icon:administrators ($ADMINISTRATORS): the firewall would lock it out. Add its network. Nothing was changed."
}

contains() {
  local base=${1%/*} bits=${1#*/} mask
  [[ $bits != "$1" ]] || bits=32
  [[ $2 == *.*.*.* ]] || return 1
  mask=$((bits == 0 ? 0 : (0xffffffff << (32 - bits)) & 0xffffffff))
  [[ $(($(number "$base") & mask)) -eq $(($(number "$2") & mask)) ]]
}

number() {
  local a b c d
  IFS=. read -r a b c d <<<"${1#::ffff:}"
  printf '%s' $(((a << 24) + (b << 16) + (c << 8) + d))
}
