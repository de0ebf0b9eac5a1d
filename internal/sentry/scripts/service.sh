# shellcheck shell=bash disable=SC2154
# The step "service" of a sentry: the proxy, the kernel's table and settings, and the agent. What HAProxy, nginx or nftables refuse never
# replaces what runs. New limits are taken by a reload, after which old connections have 15 minutes to end.

# shellcheck disable=SC2034
THING=sentry
CONFIG=/etc/icon/sentry STATE=/var/lib/icon-sentry AGENT=/usr/local/sbin/icon-sentry
# The kernel's settings as they were before the first deploy, to be put back.
BEFORE=/etc/icon/sentry-sysctl.before

apply() {
  local group=haproxy kernel='' proxy='' agent='' f
  if [[ $VARIANT == nginx ]]; then
    group=www-data
    packages nginx libnginx-mod-stream
    leave_distribution nginx nginx-common
    resolver >"$STEP_DIR/resolver.conf"
  else
    packages haproxy
    leave_distribution haproxy haproxy
  fi
  # Makes the first certificate, and looks at the API when all is done.
  [[ -z $NAMES ]] || packages openssl
  [[ -z $NAMES || -e $STEP_DIR/certificate.pem || -e $STATE/certificate.pem ]] || placeholder
  check
  agent_user
  directory 0755 root:root /etc/icon
  directory 0750 "root:$group" "$CONFIG"
  if install_agent; then agent=restart; fi
  state "$group"
  if certificate "$group"; then proxy=reload; fi
  for f in sysctl.conf kernel.nft; do
    if lay 0644 root:root "$f"; then kernel=reload; fi
  done
  for f in haproxy.cfg nginx.conf resolver.conf jsonrpc.lua users.lst keys.map quota.map expensive.map; do
    if lay 0640 "root:$group" "$f"; then proxy=reload; fi
  done
  if lay 0640 "root:$group" agent.json; then agent=restart; fi
  if unit icon-sentry-kernel.service <"$STEP_DIR/icon-sentry-kernel.service"; then kernel=restart; fi
  if unit icon-sentry.service <"$STEP_DIR/icon-sentry.service"; then proxy=restart; fi
  if unit icon-sentry-agent.service <"$STEP_DIR/icon-sentry-agent.service"; then agent=restart; fi
  settings_before
  table
  # shellcheck disable=SC2086 # empty is no argument
  {
    enable icon-sentry-kernel.service $kernel
    enable icon-sentry.service $proxy
    enable icon-sentry-agent.service $agent
  }
  leftovers
}

remove() {
  disable icon-sentry-agent.service
  disable icon-sentry.service
  disable icon-sentry-kernel.service
  if nft list table inet icon_sentry >/dev/null 2>&1; then nft delete table inet icon_sentry; fi
  if [[ -e $BEFORE ]]; then sysctl -q -e -p "$BEFORE" || true; fi
  # With what the copy step laid for this host, whose directory is the hosts' alone.
  rm -rf "$CONFIG" "$STATE" "$AGENT" "$BEFORE" /var/tmp/icon-upload
  if getent passwd icon-sentry >/dev/null; then userdel icon-sentry; fi
}

# lay MODE OWNER:GROUP NAME: puts a file of this step, if it has one of that name. True if that made a difference.
lay() {
  [[ -e $STEP_DIR/$3 ]] || return 1
  put "$1" "$2" "$CONFIG/$3" <"$STEP_DIR/$3" || $UNFINISHED
}

# leave_distribution NAME PACKAGE: the package starts an empty proxy of its own; one that somebody has configured is left alone.
leave_distribution() {
  if systemctl is-enabled -q "$1.service" 2>/dev/null && ! dpkg -V "$2" 2>/dev/null | grep -q " /etc/$1/"; then
    systemctl disable -q --now "$1.service"
    changed "$1.service disabled"
  fi
}

agent_user() {
  if getent passwd icon-sentry >/dev/null; then return 0; fi
  useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin icon-sentry
  changed "user icon-sentry"
}

# install_agent is true if the agent is another one.
install_agent() {
  local have='' got code=0
  [[ ! -e $AGENT ]] || have=$(sha256sum "$AGENT" | cut -d' ' -f1)
  if [[ $have == "$AGENT_SHA256" ]]; then
    rm -f "$AGENT_STAGED"
    $UNFINISHED
    return
  fi
  [[ -e $AGENT_STAGED ]] || fail "the sentry's agent was not found at $AGENT_STAGED, where the copy step puts it: run pulumi up again with --replace for that step"
  # A running executable can be replaced, but not written to. The copy is what is checked: others may write where it was staged.
  install -m 0755 "$AGENT_STAGED" "$AGENT.new" || fail_log "the sentry's agent could not be installed"
  got=$(sha256sum "$AGENT.new" | cut -d' ' -f1)
  if [[ $got != "$AGENT_SHA256" ]]; then
    rm -f "$AGENT.new"
    fail "the copied agent has SHA-256 $got, expected $AGENT_SHA256: it was damaged or changed on its way to the host"
  fi
  runuser -u icon-sentry -- "$AGENT.new" help >/dev/null 2>&1 || code=$?
  if ((code > 2)); then
    rm -f "$AGENT.new"
    fail "the sentry's agent does not run on this machine ($(uname -m)): icon:sentries.agent must be built for it"
  fi
  mv -f "$AGENT.new" "$AGENT" || fail_log "the sentry's agent could not be installed"
  rm -f "$AGENT_STAGED"
  changed "$AGENT"
}

# state GROUP: what the agent keeps and the proxy reads. Lists that are there stay: they are the last good ones.
state() {
  local f
  if [[ ! -d $STATE || $(stat -c '%a %U:%G' "$STATE") != "750 icon-sentry:$1" ]]; then
    install -d -m 0750 "$STATE"
    chown -R "icon-sentry:$1" "$STATE"
    chmod 0750 "$STATE"
    changed "$STATE"
  fi
  for f in peers.lst enforce.lst; do
    [[ -e $STATE/$f ]] || install -m 0640 -o icon-sentry -g "$1" /dev/null "$STATE/$f"
  done
  [[ $ACME == true ]] || rm -rf "$STATE/acme"
}

# resolver prints nginx's line of this host's name servers.
resolver() {
  local servers
  servers=$(awk '$1 == "nameserver" && $2 !~ /:/ { printf "%s ", $2 }' /etc/resolv.conf)
  printf 'resolver %svalid=30s ipv6=off;\n' "${servers:-127.0.0.1 }"
}

# check has each parser look at what is new, before anything of it is in its place.
check() {
  local f
  mkdir -p "$STEP_DIR/check/state"
  for f in peers.lst enforce.lst certificate.pem; do
    if [[ -e $STATE/$f ]]; then cp "$STATE/$f" "$STEP_DIR/check/state/"; else : >"$STEP_DIR/check/state/$f"; fi
  done
  [[ ! -e $STEP_DIR/certificate.pem ]] || cp "$STEP_DIR/certificate.pem" "$STEP_DIR/check/state/"
  for f in haproxy.cfg nginx.conf; do
    [[ -e $STEP_DIR/$f ]] || continue
    # nginx looks for included files beside the configuration.
    sed "s|$STATE/|$STEP_DIR/check/state/|g; s|$CONFIG/|$STEP_DIR/|g; s|/run/icon-sentry/|$STEP_DIR/check/|g" "$STEP_DIR/$f" >"$STEP_DIR/$f.check"
  done
  if [[ $VARIANT == nginx ]]; then
    nginx -t -q -e stderr -c "$STEP_DIR/nginx.conf.check" ||
      fail_log "nginx refuses the configuration that was generated; the running one is unchanged"
  else
    haproxy -c -q -f "$STEP_DIR/haproxy.cfg.check" ||
      fail_log "HAProxy refuses the configuration that was generated; the running one is unchanged"
  fi
  if [[ -e $STEP_DIR/kernel.nft ]]; then
    nft -c -f "$STEP_DIR/kernel.nft" || fail_log "nftables refuses the table that was generated; the one in force is unchanged"
  fi
  rm -rf "$STEP_DIR/check" "$STEP_DIR"/*.check
}

# placeholder is a certificate for the time until the agent has got one: the proxy does not start without any.
placeholder() {
  local names=() n
  for n in $NAMES; do names+=("DNS:$n"); done
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -subj "/CN=not yet certified" \
      -addext "subjectAltName=$(IFS=,; printf '%s' "${names[*]}")" -keyout "$STEP_DIR/key.pem" -out "$STEP_DIR/chain.pem" 2>/dev/null
    cat "$STEP_DIR/chain.pem" "$STEP_DIR/key.pem" >"$STEP_DIR/certificate.pem"
  ) || fail_log "openssl made no certificate for the time until there is one"
  rm -f "$STEP_DIR/chain.pem" "$STEP_DIR/key.pem"
}

# certificate GROUP is true if there is another one.
certificate() {
  if [[ -e $STEP_DIR/certificate.pem ]]; then
    put 0640 "icon-sentry:$1" "$STATE/certificate.pem" <"$STEP_DIR/certificate.pem"
    return
  fi
  if [[ -z $NAMES ]]; then
    rm -f "$STATE/certificate.pem"
  else
    # What is there is the agent's own, and root follows no link of its: of such a file it would make the agent the owner.
    chown -h "icon-sentry:$1" "$STATE/certificate.pem"
    runuser -u icon-sentry -- chmod 0640 "$STATE/certificate.pem"
  fi
  return 1
}

# settings_before notes what the kernel's settings were, and puts those back that are no longer wanted.
settings_before() {
  local key value text=''
  while IFS='= ' read -r key _; do
    [[ $key == *.* && $key != '#'* ]] || continue
    if value=$(grep -sF -- "$key = " "$BEFORE"); then
      text+=$value$'\n'
    elif value=$(sysctl -n "$key" 2>/dev/null); then
      text+="$key = $value"$'\n'
    fi
  done <"$STEP_DIR/sysctl.conf"
  if [[ -e $BEFORE ]]; then
    while IFS='= ' read -r key value; do
      if [[ $text != *"$key = "* ]] && sysctl -q -w "$key=$value" 2>/dev/null; then changed "$key: $value"; fi
    done <"$BEFORE"
  fi
  put 0600 root:root "$BEFORE" <<<"${text%$'\n'}" || true
}

# table takes away the table of another variant, and has a lost one loaded again.
table() {
  local there=false
  if nft list table inet icon_sentry >/dev/null 2>&1; then there=true; fi
  if [[ ! -e $STEP_DIR/kernel.nft ]]; then
    if $there; then
      nft delete table inet icon_sentry
      changed "table inet icon_sentry removed"
    fi
  elif ! $there; then
    kernel=restart
  fi
}

# leftovers of another variant, once nothing runs with them.
leftovers() {
  local f
  for f in "$CONFIG"/*; do
    [[ -e $STEP_DIR/${f##*/} || ! -e $f ]] || {
      rm -rf "$f"
      changed "$f removed"
    }
  done
}
