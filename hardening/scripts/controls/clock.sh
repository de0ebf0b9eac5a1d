# shellcheck shell=bash disable=SC2154
clock() {
  want_file 0644 root:root /etc/chrony/chrony.conf < <(clock_settings)
  want_file 0640 root:_chrony /etc/chrony/chrony.keys <<<'# Made by pulumi-icon. No keys: servers are authenticated by NTS.'
  want_off systemd-timesyncd.service
  # Debian's unit leaves itself out where the clock cannot be set (containers).
  want_on chrony.service
}

# Sources of DHCP and of drop-in directories are left out on purpose: no one but the configuration says what the time is.
clock_settings() {
  local server number
  printf '# Made by pulumi-icon.\n'
  # Authenticated servers (NTS: TCP 4460 for keys, then UDP 123).
  for server in $CLOCK_NTS_SERVERS; do printf 'server %s iburst nts\n' "$server"; done
  # A clock of the machine's own platform, on a link that nobody else is on.
  for server in $CLOCK_LOCAL_SERVERS; do printf 'server %s prefer iburst minpoll 4 maxpoll 4\n' "$server"; done
  # For as long as none of the authenticated ones answers.
  if [[ $CLOCK_AUTHENTICATED_ONLY == false ]]; then
    for number in $CLOCK_POOLS; do printf 'pool %s iburst maxsources 2\n' "$number"; done
  fi
  if [[ $CLOCK_AUTHENTICATED_ONLY == true ]]; then
    printf 'authselectmode require\n'
  elif [[ -n $CLOCK_LOCAL_SERVERS ]]; then
    printf 'authselectmode mix\n'
  else
    # Others are not even counted while one authenticated source can be used.
    printf 'authselectmode prefer\n'
  fi
  cat <<CONF
# So many sources have to agree before the clock follows them.
minsources $CLOCK_MIN_SOURCES
# The first three updates after a start may step the clock; later it is only slewed: a node's time never jumps under it.
makestep 1 3
maxupdateskew 100.0
# A client only: no port for the time, none for commands; chronyc uses the socket.
port 0
cmdport 0
user _chrony
keyfile /etc/chrony/chrony.keys
driftfile /var/lib/chrony/chrony.drift
# Keys and cookies of NTS, so that a restart does not have to ask for new ones.
ntsdumpdir /var/lib/chrony
dumpdir /var/lib/chrony
logdir /var/log/chrony
# Steps and large corrections are told to the system's log.
logchange 0.5
rtcsync
leapsectz right/UTC
CONF
}

clock_apply() {
  needs_reload && [[ $WORD != image ]] || return 0
  chronyd -p -f /etc/chrony/chrony.conf >/dev/null || fail "chronyd refuses the configuration that was generated; see the log"
  systemctl try-restart chrony.service
}

clock_verify() {
  if [[ $(systemctl show -P ActiveState chrony.service) != active ]]; then
    not_here "a container has its host's clock" || true
    return 0
  fi
  # Whether it is in step is the monitoring's to watch: in the first minutes after a boot nobody is. Here: does it ask whom it should?
  local wanted asked
  wanted=$(sed -nE 's/^(server|pool) ([^ ]+) .*/\2/p' /etc/chrony/chrony.conf | wc -l)
  asked=$(chronyc -n -c sources -a 2>/dev/null | wc -l)
  ((asked >= wanted)) || drift "chronyd's sources" "$wanted or more" "$asked"
}
