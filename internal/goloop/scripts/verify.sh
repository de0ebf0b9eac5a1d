# shellcheck shell=bash disable=SC2154
# The step "verify": the node answers, has joined the network, and its height rises. It says which of these did not happen.

apply() {
  local deadline=$((SECONDS + TIMEOUT)) body='' first='' height='' stage="answer"
  while ((SECONDS < deadline)); do
    if body=$(get /admin/chain); then
      stage="join"
      if [[ $body == *"\"cid\":\"$CID\""* && $body == *'"state":"started"'* ]]; then
        stage="rise"
        height=$(sed -n "s/.*\"cid\":\"$CID\".*\"height\":\([0-9]*\).*/\1/p" <<<"$body")
        [[ -n $first ]] || first=$height
        if [[ -n $height && $height -gt $first ]]; then
          summary "chain=$CID"
          return 0
        fi
      fi
    fi
    sleep 0.5
  done
  node_log
  case $stage in
    answer) fail_log "the node does not answer on 127.0.0.1:9000 after $TIMEOUT s: it has not started (systemctl status icon-node)" ;;
    join) fail_log "the node answers but has not joined the network $CID after $TIMEOUT s. It says: ${body:0:400}" ;;
    rise) fail_log "the node has joined $CID but its height stays at $height for $TIMEOUT s: it finds no peers that make blocks. Its seeds are ${SEEDS}: does each answer from this host, and is the network alive? Behind sealed sentries, one of the seeds must be a validator" ;;
  esac
}

# Nothing to take away.
remove() { :; }

# The end of what the node itself says. The image's own logs are files; the one of its start holds the key's password.
node_log() {
  journalctl -u icon-node.service -n 12 --no-pager -o cat
  [[ $RUNTIME == container ]] || return 0
  local name
  for name in booting chain goloop; do
    [[ -e $DATA_DIR/logs/$name.log ]] || continue
    tail -n 12 "$DATA_DIR/logs/$name.log" | grep -vFf "$DATA_DIR/key/password" | cut -c1-300 || true
  done
}

# get PATH: the body of an HTTP answer 200 of the node; needs no program that the host may not have.
get() {
  local status body
  exec 5<>/dev/tcp/127.0.0.1/9000 || return 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&5
  IFS= read -t 5 -r status <&5 || { exec 5>&-; return 1; }
  body=$(timeout 5 sed '1,/^\r$/d' <&5) || true
  exec 5>&-
  [[ $status == *' 200 '* ]] || return 1
  printf '%s' "$body"
} 2>/dev/null
