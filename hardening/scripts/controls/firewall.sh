# shellcheck shell=bash disable=SC2154
# The host's firewall: one table of our own, replaced in one transaction. An image has none: nobody knows yet who talks to whom.

firewall() {
  FIREWALL_TEXT=$(firewall_rules)
  if [[ -z $FIREWALL_TEXT ]]; then
    not_in_force "an image has no rules: its hosts get theirs by the first deploy"
    return 0
  fi
  firewall_node_user
  local uid
  if uid=$(id -u icon-node 2>/dev/null); then FIREWALL_TEXT=${FIREWALL_TEXT/define icon_node = 4294967294/define icon_node = $uid}; fi
  # What the kernel holds is that which the text gives, as told by nft itself.
  FIREWALL_WANTED=$(firewall_listed <<<"$FIREWALL_TEXT") || FIREWALL_WANTED=''
  # An nft that does nothing, as an empty file does, would say of what is wanted and of what is there that they are nothing.
  [[ $FIREWALL_WANTED == table\ * ]] ||
    fail "nftables refuses the rules that were generated from the plan; the rules in force are unchanged"
  want_file 0600 root:root /etc/icon/firewall.nft <<<"$FIREWALL_TEXT"
  want_file 0755 root:root /etc/nftables.conf <<<"$FIREWALL_CONF"
  want_file 0644 root:root /etc/systemd/system/icon-firewall.service <<<"$FIREWALL_UNIT"
  want_file 0644 root:root /etc/systemd/system/nftables.service.d/icon.conf <<<"$FIREWALL_DROPIN"
}

firewall_apply() {
  [[ -n $FIREWALL_TEXT ]] || return 0
  # A table that somebody changed or removed by hand is put back.
  if [[ $(firewall_in_force) != "$FIREWALL_WANTED" ]]; then
    keep /etc/icon/firewall.nft
    nft -f /etc/icon/firewall.nft
    changed "firewall rules loaded"
  fi
  local unit
  for unit in nftables icon-firewall; do
    [[ -L /etc/systemd/system/sysinit.target.wants/$unit.service ]] || keep "/etc/systemd/system/sysinit.target.wants/$unit.service"
  done
  reload_units
  want_on nftables.service icon-firewall.service
}

firewall_verify() {
  [[ -n $FIREWALL_TEXT ]] || return 0
  local found missing more
  found=$(firewall_in_force)
  if [[ $found != "$FIREWALL_WANTED" ]]; then
    missing=$(firewall_lines_only_in "$FIREWALL_WANTED" "$found")
    more=$(firewall_lines_only_in "$found" "$FIREWALL_WANTED")
    drift "the kernel's table inet icon" "${missing:-no further rule}" "${more:-not there}"
  fi
  want_on nftables.service icon-firewall.service
}

# A node whose firewall is stopped would stop as well: the rules change, the unit stays as it is.
firewall_rollback() {
  systemctl daemon-reload
  if [[ -e /etc/icon/firewall.nft ]]; then
    nft -f /etc/icon/firewall.nft
  elif nft list table inet icon >/dev/null 2>&1; then
    nft delete table inet icon
  fi
}

# The table without what changes by itself: counters, and who has come to SSH lately.
firewall_in_force() { nft -s -t list table inet icon 2>/dev/null || true; }

# The same of a text on standard input, in a network of its own.
firewall_listed() { unshare --net bash -c 'nft -f - && nft -s -t list table inet icon'; }

# firewall_lines_only_in ONE OTHER: the first line of one text that the other lacks.
firewall_lines_only_in() {
  diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") | sed -n 's/^<[[:space:]]*//p' | head -n 1 | cut -c1-160 || true
}

# The node's user exists before the rules that name it.
firewall_node_user() {
  [[ $NODE == true ]] || return 0
  if getent passwd icon-node >/dev/null; then return 0; fi
  if applying; then
    local file
    # Other controls may have kept the files of the groups already: a roll-back of those alone would leave a user without its group.
    for file in passwd shadow group gshadow; do keep "/etc/$file"; done
    useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin icon-node
    changed "user icon-node"
  else
    drift "user icon-node" "a user" "none"
  fi
}

# The new rules answer SSH to ADMINISTRATORS only. If this very session comes from elsewhere they would lock the operator out.
firewall_before() {
  # Without one, at the console: nothing to lose.
  [[ -n $SESSION ]] || return 0
  local address port network
  read -r address _ _ port <<<"$SESSION"
  [[ " $SSH_PORTS " == *" $port "* ]] ||
    printf '%s\n' "this host's SSH listens on port $port, the plan knows $SSH_PORTS only: the firewall would lock the deploy out. Set the machine's port"
  for network in $ADMINISTRATORS; do
    if firewall_contains "$network" "$address"; then return 0; fi
  done
  printf '%s\n' "this deploy connects from $address, which is in none of icon:administrators ($ADMINISTRATORS): the firewall would lock it out. Add its network"
}

# firewall_contains NETWORK ADDRESS
firewall_contains() {
  local base=${1%/*} bits=${1#*/} mask
  [[ $bits != "$1" ]] || bits=32
  [[ $2 == *.*.*.* ]] || return 1
  mask=$((bits == 0 ? 0 : (0xffffffff << (32 - bits)) & 0xffffffff))
  [[ $(($(firewall_number "$base") & mask)) -eq $(($(firewall_number "$2") & mask)) ]]
}

firewall_number() {
  local a b c d
  IFS=. read -r a b c d <<<"${1#::ffff:}"
  printf '%s' $(((a << 24) + (b << 16) + (c << 8) + d))
}

# What needs the firewall needs this unit: Debian's own is restarted when its package is upgraded, and would restart a node along with it.
FIREWALL_UNIT='# Made by pulumi-icon.
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

# Where nft and those who check a machine look for the rules. No "flush ruleset": a container engine may have tables of its own.
FIREWALL_CONF='#!/usr/sbin/nft -f
# Made by pulumi-icon. Rules of the machine itself go to /etc/nftables.d/*.nft; they cannot open what the table inet icon closes.
include "/etc/nftables.d/*.nft"
include "/etc/icon/*.nft"'

# A stop would flush everything, and an upgrade of the package is a stop and a start: the host would be open in between.
FIREWALL_DROPIN='# Made by pulumi-icon. Stopping the service leaves the rules in force.
[Service]
ExecStop='
