# shellcheck shell=bash disable=SC2154
# The step "verify" of a sentry: what must answer answers, and what must be refused is refused.

apply() {
  local i
  for ((i = 0; ; i++)); do
    if systemctl is-active -q icon-sentry.service && listening; then break; fi
    if ((i == 40)); then
      journalctl -u icon-sentry.service -n 12 --no-pager -o cat
      fail_log "HAProxy does not listen on its ports after 10 s (systemctl status icon-sentry)"
    fi
    sleep 0.25
  done
  refuses_junk || fail "port 7100 keeps a connection that does not begin with goloop's handshake: the wire filter is not in force"
  if [[ $API == true ]]; then
    local path
    for path in /admin/system /metrics /api/v3d /api/v3/../../admin/system; do
      [[ $(status "$path") == 403 ]] || fail "port 9000 answers $(status "$path") to $path, which must be refused with 403"
    done
  fi
  summary "listening=yes"
}

remove() { :; }

listening() {
  local sockets
  sockets=$(ss -Hltn)
  grep -q ':7100 ' <<<"$sockets" || return 1
  local relay
  for relay in $RELAYS; do grep -qF "$relay " <<<"$sockets" || return 1; done
  [[ $API != true ]] || grep -q ':9000 ' <<<"$sockets"
}

# A closed connection ends the read with 1, an open one with a time-out (over 128).
refuses_junk() {
  local code=0
  exec 5<>/dev/tcp/127.0.0.1/7100
  printf 'GET / HTTP/1.0\r\n\r\n' >&5
  IFS= read -t 2 -r _ <&5 || code=$?
  exec 5>&-
  ((code <= 128))
}

status() {
  local line
  exec 5<>/dev/tcp/127.0.0.1/9000
  printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&5
  IFS= read -t 5 -r line <&5 || true
  exec 5>&-
  cut -d' ' -f2 <<<"$line"
}
