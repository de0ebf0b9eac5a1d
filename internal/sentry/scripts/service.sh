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
  local reload=$UNFINISHED restart=false
  if put 0640 root:haproxy /etc/icon/sentry/haproxy.cfg <"$STEP_DIR/haproxy.cfg"; then reload=true; fi
  if put 0644 root:root /etc/systemd/system/icon-sentry.service <"$STEP_DIR/icon-sentry.service"; then
    systemctl daemon-reload
    restart=true
  fi
  systemctl is-enabled -q icon-sentry.service 2>/dev/null || {
    systemctl enable -q icon-sentry.service
    changed "icon-sentry.service enabled"
  }
  if ! systemctl is-active -q icon-sentry.service; then
    systemctl start icon-sentry.service
    changed "icon-sentry.service started"
  elif $restart; then
    systemctl restart icon-sentry.service
    changed "icon-sentry.service restarted"
  elif $reload; then
    systemctl reload icon-sentry.service
    changed "icon-sentry.service reloaded"
  fi
}

remove() {
  disable icon-sentry.service
  rm -rf /etc/icon/sentry
}
