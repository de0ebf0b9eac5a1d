# shellcheck shell=bash disable=SC2154
# The step "service" of a sentry: HAProxy with our configuration. A configuration that HAProxy refuses never replaces the running one;
# a new one is taken by a reload, after which old connections have 15 minutes to end.

# shellcheck disable=SC2034
THING=sentry

apply() {
  packages haproxy
  # The package starts an empty proxy of its own; one that somebody has configured is left alone.
  if systemctl is-enabled -q haproxy.service 2>/dev/null && ! dpkg -V haproxy 2>/dev/null | grep -q ' /etc/haproxy/'; then
    systemctl disable -q --now haproxy.service
    changed "haproxy.service disabled"
  fi
  directory 0755 root:root /etc/icon
  directory 0750 root:haproxy /etc/icon/sentry
  haproxy -c -q -f "$STEP_DIR/haproxy.cfg" || fail_log "HAProxy refuses the configuration that was generated; the running one is unchanged"
  local running=''
  if put 0640 root:haproxy /etc/icon/sentry/haproxy.cfg <"$STEP_DIR/haproxy.cfg"; then running=reload; fi
  if unit icon-sentry.service <"$STEP_DIR/icon-sentry.service"; then running=restart; fi
  # shellcheck disable=SC2086 # empty is no argument
  enable icon-sentry.service $running
}

remove() {
  disable icon-sentry.service
  rm -rf /etc/icon/sentry
}
