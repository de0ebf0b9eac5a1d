# shellcheck shell=bash disable=SC2154
# The step "service": the unit and the network. It restarts the node only if something that the node reads at its start has changed.

# shellcheck disable=SC2034
THING=node

apply() {
  # SOFTWARE and KEY say what the key step has put in place; the running node may still have what was there before.
  local running=''
  if put 0644 root:root /etc/icon/node/in-use <<<"$SOFTWARE $KEY"; then running=restart; fi
  if unit icon-node.service <"$STEP_DIR/icon-node.service"; then running=restart; fi
  # Written in place: the running node sees this very file, and takes another sentry without a restart.
  if ! cmp -s "$STEP_DIR/hosts" /etc/icon/node/hosts; then
    cat "$STEP_DIR/hosts" >/etc/icon/node/hosts
    chmod 0644 /etc/icon/node/hosts
    changed /etc/icon/node/hosts
  fi
  case $RUNTIME in
    container)
      slice
      if put 0600 root:root /etc/icon/node/node.env <"$STEP_DIR/node.env"; then running=restart; fi
      # The image takes the password from its environment only; a root-only file keeps it out of every command line.
      if put 0600 root:root /etc/icon/node/password.env <<<"KEY_PASSWORD=$(<"$DATA_DIR/key/password")"; then running=restart; fi
      ;;
    binary)
      put 0640 root:icon-node /etc/icon/node/genesis.zip < <(base64 -d "$STEP_DIR/genesis.b64") || true
      ;;
  esac
  if websockets; then running=restart; fi
  # shellcheck disable=SC2086 # empty is no argument
  enable icon-node.service $running
  case $RUNTIME in
    container) remove_other_images ;;
    binary)
      wait_for_socket
      join
      ;;
  esac
}

remove() {
  disable icon-node.service
  disable icon-node.slice
}

# slice is where docker's daemon puts the container, which is outside the unit. A cloud's metadata hold the host's SSH key: the firewall
# keeps all users but root away from them, and the image's root it cannot tell apart. One that is in use takes a change at once.
slice() {
  if [[ $ENGINE == docker ]]; then
    unit icon-node.slice <<<"$SLICE" || true
  else
    disable icon-node.slice
  fi
}

SLICE='# Made by pulumi-icon.
[Unit]
Description=Container of the ICON node

[Slice]
IPAddressDeny=169.254.169.254
TasksMax=4096'

# websockets sets how many of them goloop has at once, of all users together. goloop keeps that in a file of its own and reads it at its
# start. The file is handled as its owner: what the node's user may put there in its place is nothing to root. True if it was changed.
websockets() {
  local file=$DATA_DIR/chain/rconfig.json have=''
  have=$(runuser -u icon-node -- cat "$file" 2>/dev/null) || have='{}'
  if [[ $have =~ ^(.*\"wsMaxSession\":)(-?[0-9]+)(.*)$ ]]; then
    [[ ${BASH_REMATCH[2]} != "$WEBSOCKETS" ]] || return 1
    have=${BASH_REMATCH[1]}$WEBSOCKETS${BASH_REMATCH[3]}
  fi
  case $have in
    *'"wsMaxSession":'*) ;;
    '{}') [[ $WEBSOCKETS != 10 ]] || return 1; have="{\"wsMaxSession\":$WEBSOCKETS}" ;;
    '{'*) have="{\"wsMaxSession\":$WEBSOCKETS,${have#\{}" ;;
    *) fail_log "$file is no JSON object: the node's own settings are broken. Move it away and run pulumi up again: goloop makes it anew" ;;
  esac
  # shellcheck disable=SC2016 # the inner shell's
  runuser -u icon-node -- sh -c 'umask 077 && cat >"$1.new" && mv -f "$1.new" "$1"' sh "$file" <<<"$have" ||
    fail_log "$file could not be written"
  changed "$file: wsMaxSession $WEBSOCKETS"
}

# Images that earlier deploys have put here and that no container uses any more.
remove_other_images() {
  local tool reference kept=()
  [[ -e $LEDGER ]] || return 0
  while read -r tool reference; do
    if [[ "$tool $reference" == "$ENGINE $IMAGE" ]] || ! "$tool" image rm "$reference"; then
      kept+=("$tool $reference")
    else
      changed "image $reference removed"
    fi
  done <"$LEDGER"
  printf '%s\n' "${kept[@]}" | sed '/^$/d' >"$LEDGER"
}

goloop() { runuser -u icon-node -- /usr/local/lib/icon/goloop "$@"; }

wait_for_socket() {
  local i
  for ((i = 0; i < TIMEOUT * 4; i++)); do
    if goloop system info -s "$SOCKET" >/dev/null 2>&1; then return 0; fi
    if systemctl is-failed -q icon-node.service; then break; fi
    sleep 0.25
  done
  journalctl -u icon-node.service -n 10 --no-pager -o cat
  fail_log "the node does not answer on its control socket after $TIMEOUT s: it has not started"
}

join() {
  local chain
  if ! chain=$(goloop chain inspect -s "$SOCKET" "$CID" 2>/dev/null); then
    # shellcheck disable=SC2086
    goloop chain join -s "$SOCKET" --genesis /etc/icon/node/genesis.zip $JOIN || fail_log "the node could not join the network $CID"
    goloop chain start -s "$SOCKET" "$CID" || fail_log "the node has joined the network $CID but its chain does not start"
    changed "joined $CID"
    return 0
  fi
  # goloop takes these two while it runs.
  setting seedAddress "$SEEDS" "$chain"
  setting role "$ROLE" "$chain"
  if [[ $chain == *'"state": "stopped"'* ]]; then
    goloop chain start -s "$SOCKET" "$CID" || fail_log "the chain $CID was stopped and does not start"
    changed "chain $CID started"
  fi
}

setting() {
  local key=$1 want=$2 have
  have=$(sed -n "s/^ *\"$key\": *\"\{0,1\}\([^\",]*[^\"]*\)\"\{0,1\},\{0,1\}\$/\1/p" <<<"$3" | head -n 1)
  [[ ${have%,} != "$want" ]] || return 0
  goloop chain config -s "$SOCKET" "$CID" "$key" "$want" || fail_log "the node does not take $key = $want"
  changed "$key: $have -> $want"
}

SOCKET=$DATA_DIR/chain/cli.sock
LEDGER=/etc/icon/node/images
