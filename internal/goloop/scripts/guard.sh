# shellcheck shell=bash disable=SC2154
# Two hosts never hold one node key: both would sign, and the chain punishes double signing. Nothing is started before this has passed.

apply() {
  local twice address hosts
  twice=$(cut -d' ' -f2 "$STEP_DIR/keys" | sort | uniq -d)
  [[ -n $twice ]] || return 0
  for address in $twice; do
    hosts=$(sed -n "s/ $address\$//p" "$STEP_DIR/keys" | paste -sd ' ')
    fail "the node key $address is on several hosts of this plan: $hosts. Two nodes with one key sign twice, which is punished on chain. No node was started or changed. Take all but one of these hosts out of the stack and run pulumi up, remove the key on the hosts that were taken out (its directory, below icon:node.dataDir), and put them back"
  done
}

remove() { :; }
