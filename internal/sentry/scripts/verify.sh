# shellcheck shell=bash disable=SC2154
# The step "verify" of a sentry: what must answer answers, and what must be refused is refused.

apply() {
  await "the proxy does not listen on its ports" icon-sentry.service listening
  await "the sentry's agent does not answer" icon-sentry-agent.service answers
  kernel
  # A sentry that drains has no public port to look at.
  if [[ $VARIANT != nginx && -n $PORTS ]]; then
    refuses_junk || fail "port 7100 keeps a connection that does not begin with goloop's handshake: the wire filter is not in force"
  fi
  if [[ $API == true ]]; then
    local path
    for path in /admin/system /metrics /api/v3d /api/v3/../../admin/system; do refuses "$path"; done
  fi
  summary "listening=yes"
}

remove() { :; }

# await TEXT UNIT FUNCTION
await() {
  local i
  for ((i = 0; ; i++)); do
    if systemctl is-active -q "$2" && "$3"; then return 0; fi
    if ((i == 40)); then
      journalctl -u "$2" -n 12 --no-pager -o cat
      fail_log "$1 after 10 s (systemctl status ${2%.service})"
    fi
    sleep 0.25
  done
}

listening() {
  local sockets port relay
  sockets=$(ss -Hltn)
  for port in $PORTS; do grep -q ":$port " <<<"$sockets" || return 1; done
  for relay in $RELAYS; do grep -qF "$relay " <<<"$sockets" || return 1; done
}

answers() { /usr/local/sbin/icon-sentry status >/dev/null 2>&1; }

# kernel: its table is there, in the variant that has one, and its settings are in force but for those that a container may not set.
kernel() {
  if [[ $VARIANT == haproxy+nftables ]]; then
    nft list table inet icon_sentry >/dev/null 2>&1 ||
      fail "the kernel has no table inet icon_sentry: nothing is dropped before the proxy (systemctl status icon-sentry-kernel)"
  fi
  local key wanted found
  while IFS='= ' read -r key wanted; do
    [[ $key == *.* && $key != '#'* ]] || continue
    found=$(sysctl -n "$key" 2>/dev/null) || found='not there'
    [[ $found != "$wanted" ]] || continue
    if [[ ! -w /proc/sys/${key//.//} ]]; then
      printf 'not in force: %s is %s, wanted %s, which only the machine that this container is on can set\n' "$key" "$found" "$wanted"
    else
      fail "the kernel's setting $key is $found, wanted $wanted (systemctl restart icon-sentry-kernel)"
    fi
  done </etc/icon/sentry/sysctl.conf
}

# A closed connection ends the read with 1, an open one with a time-out (over 128). As long as the P-Rep is not there, the sentry ends every
# connection at once, before anything can be sent.
refuses_junk() {
  local code=0
  exec 5<>/dev/tcp/127.0.0.1/7100
  send 'GET / HTTP/1.0' ''
  IFS= read -t 5 -r _ <&5 || code=$?
  exec 5>&-
  ((code <= 128))
}

# send LINE...: to the connection that is open as 5. One that has been closed meanwhile is found out by reading.
send() { (
  trap '' PIPE
  printf '%s\r\n' "$@" >&5
) 2>/dev/null || true; }

# refuses PATH: with an error that JSON-RPC's users understand.
refuses() {
  local answer
  answer=$(ask "$1")
  [[ $answer == 'HTTP/1.1 4'* && $answer == *'"error":{'* ]] ||
    fail "the API answers to GET $1, which must be refused with a JSON-RPC error: ${answer:0:120}"
}

# ask PATH prints the answer.
ask() {
  local request
  printf -v request 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "${TLS:-localhost}"
  if [[ -n $TLS ]]; then
    # Who the certificate is for is the agent's business: it may be the placeholder yet.
    printf '%s' "$request" | timeout 5 openssl s_client -quiet -connect 127.0.0.1:443 -servername "$TLS" 2>/dev/null || true
    return
  fi
  exec 5<>/dev/tcp/127.0.0.1/9000
  send "${request%$'\r\n'}"
  timeout 5 cat <&5 || true
  exec 5>&-
}
