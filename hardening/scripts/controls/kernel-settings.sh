# shellcheck shell=bash disable=SC2154
# Settings of the running kernel (sysctl). What is per network namespace also works in a container; the rest belongs to the machine there.

kernel_settings() {
  kernel_settings_list
  want_file 0644 root:root /etc/sysctl.d/99-z-icon-hardening.conf <<<"$KERNEL_TEXT"
  local line key value
  while read -r line; do
    if [[ -z $line || $line == '#'* ]]; then continue; fi
    key=${line%% =*} value=${line#*= }
    kernel_setting "$key" "$value"
    # A redirect is taken or sent if "all" or the interface itself says so, and interfaces that are already there keep their own values.
    if [[ $key =~ ^net\.ipv4\.conf\.all\.((accept|secure|send)_redirects)$ ]]; then
      kernel_setting_of_interfaces "${BASH_REMATCH[1]}" "$value"
    fi
  done <<<"$KERNEL_TEXT"
}

# kernel_settings_before: a deploy that comes in over IPv6 would end with it, and each fault of the kernel's would restart the machine.
kernel_settings_before() {
  [[ $CONTAINER != none || $(</proc/sys/kernel/panic_on_oops) == 1 ]] || kernel_settings_faults "$(</proc/sys/kernel/tainted)"
  [[ $KERNEL_SETTINGS_IPV6 == true || $SESSION != *:*:* || $SESSION == ::ffff:* ]] || printf '%s\n' "this deploy comes from ${SESSION%% *}: \
IPv6 is turned off, and no edge of the plan is IPv6. Let the machine's address be an IPv4 address"
  [[ -z $SESSION || $(</proc/sys/net/ipv4/conf/all/rp_filter) == 1 ]] || kernel_settings_return_path
}

# kernel_settings_faults TAINTED: a fault goes unnoticed as long as the kernel lives with it (flag 128). If it is met at each boot, in a
# driver for example, the machine would never come up again.
kernel_settings_faults() {
  (($1 & 128)) || return 0
  printf '%s\n' "the kernel has met a fault since it was booted (\"invalid opcode\", \"BUG\" or \"Oops\" in dmesg), and with \
kernel.panic_on_oops the next one restarts the machine, again and again if it is met at each boot. Find its cause (a driver, a virtual \
processor without what it says that it has), mend it and boot the machine again"
}

kernel_settings_verify() {
  local reason="this kernel does not know"
  [[ $CONTAINER == none ]] || reason="a container cannot set what belongs to the machine's kernel:"
  ((${#KERNEL_ABSENT[@]} == 0)) || not_in_force "$reason ${KERNEL_ABSENT[*]}"
}

KERNEL_ABSENT=()
# Settings that are there on some kernels only: of Debian's and Ubuntu's patches, and of kernels after 6.1.
KERNEL_OPTIONAL=' kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns kernel.io_uring_disabled '

# kernel_setting KEY VALUE: in force now. What the kernel refuses is found by verify.
kernel_setting() {
  local key=$1 value=$2 path=/proc/sys/${1//.//} found
  if ! read -ra found 2>/dev/null <"$path"; then
    [[ $KERNEL_OPTIONAL == *" $key "* ]] || KERNEL_ABSENT+=("$key")
    return 0
  fi
  [[ ${found[*]} != "$value" ]] || return 0
  if [[ ! -w $path && $CONTAINER != none ]]; then
    KERNEL_ABSENT+=("$key")
  elif ! applying; then
    drift "$key" "$value" "${found[*]}"
  elif printf '%s' "$value" 2>/dev/null >"$path"; then
    changed "$key: $value"
  fi
}

kernel_setting_of_interfaces() {
  local path name
  for path in /proc/sys/net/ipv4/conf/*/"$1"; do
    name=${path%/*} name=${name##*/}
    # A name with a dot is a VLAN's: written with a slash, as sysctl does it.
    if [[ $name != all && $name != default && $name != lo ]]; then kernel_setting "net/ipv4/conf/$name/$1" "$2"; fi
  done
}

# kernel_settings_list makes KERNEL_TEXT: the file.
kernel_settings_list() {
  local line key entry
  local -A own=()
  for entry in $KERNEL_SETTINGS_SET; do own[${entry%%=*}]=${entry#*=}; done
  KERNEL_TEXT='# Made by pulumi-icon.'
  while read -r line; do
    key=${line%% =*}
    if [[ $line == *' = '* && -n ${own[$key]+set} ]]; then
      line="$key = ${own[$key]//,/ }"
      unset "own[$key]"
    fi
    KERNEL_TEXT+=$'\n'$line
  done < <(kernel_settings_network && kernel_settings_ipv6 && kernel_settings_machine)
  for key in "${!own[@]}"; do KERNEL_TEXT+=$'\n'"$key = ${own[$key]//,/ }"; done
}

kernel_settings_network() {
  local strict=1
  [[ $KERNEL_SETTINGS_REVERSE_PATH == strict ]] || strict=2
  # First, because a change of it sets other values back. dockerd turns it on whenever it starts: there, forwarding is the firewall's.
  if [[ $KERNEL_SETTINGS_FORWARDING == true ]]; then
    printf '%s\n' '# This host forwards packets.' 'net.ipv4.ip_forward = 1'
  elif [[ $RUNTIME != docker ]]; then
    printf '%s\n' '# This host is no router.' 'net.ipv4.ip_forward = 0'
  fi
  cat <<END
# A packet comes in where its answer would go out (2: where any route leads back): no forged senders.
net.ipv4.conf.all.rp_filter = $strict
net.ipv4.conf.default.rp_filter = $strict
# Neighbours do not change the routes of this host, and it does not tell others theirs.
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.secure_redirects = 0
net.ipv4.conf.default.secure_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.all.shared_media = 0
net.ipv4.conf.default.shared_media = 0
# Senders do not choose the way of a packet.
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.default.accept_source_route = 0
# Packets with impossible addresses are logged (the kernel limits the rate): forgery, or a wrong route.
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.default.log_martians = 1
# 127.0.0.0/8 and this host's own addresses do not come from outside.
net.ipv4.conf.all.accept_local = 0
net.ipv4.conf.all.route_localnet = 0
# ARP: an address is answered for on its own interface only. Not 2: a host with a /32 address could not be reached.
net.ipv4.conf.all.arp_filter = 0
net.ipv4.conf.all.arp_ignore = 1
# ARP: what nobody asked for does not change who is who.
net.ipv4.conf.all.drop_gratuitous_arp = 1
# No part in amplifying floods, and no log full of other routers' mistakes.
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.icmp_ignore_bogus_error_responses = 1
# A flood of half-open connections does not keep peers out.
net.ipv4.tcp_syncookies = 1
# A reset does not end a closed connection's waiting time early (RFC 1337).
net.ipv4.tcp_rfc1337 = 1
# More ports for outgoing connections, none of them a port that something of ours listens on.
net.ipv4.ip_local_port_range = 32768 65535
END
  [[ $NODE == true ]] || return 0
  cat <<'END'
# Peers and sentries that are silent are left after some 6 s, and found again by another way; by the kernel's own value (15) a validator
# would hold on to them for a quarter of an hour, and miss its blocks (measured with a sentry that was cut off).
net.ipv4.tcp_retries2 = 4
END
}

kernel_settings_ipv6() {
  if [[ $KERNEL_SETTINGS_IPV6 != true ]]; then
    cat <<'END'
# goloop and the plan's edges are IPv4 only: nobody watches an IPv6 that is left on.
net.ipv6.conf.all.disable_ipv6 = 1
net.ipv6.conf.default.disable_ipv6 = 1
# Should somebody turn it on, the network does not configure this host by itself.
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.default.accept_ra = 0
END
  fi
  cat <<'END'
# As for IPv4.
net.ipv6.conf.all.forwarding = 0
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
net.ipv6.conf.all.accept_source_route = 0
net.ipv6.conf.default.accept_source_route = 0
END
}

kernel_settings_machine() {
  cat <<END
# Addresses of a program's parts differ from run to run, and those of the kernel are nobody's business.
kernel.randomize_va_space = 2
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
# A process looks into its own children only, so that a broken service does not read another's key out of memory.
kernel.yama.ptrace_scope = $KERNEL_SETTINGS_PTRACE_SCOPE
# Programs inside the kernel (BPF) are root's, until the next boot nobody can say otherwise, and constants in them are blinded.
kernel.unprivileged_bpf_disabled = 1
net.core.bpf_jit_harden = 2
# Performance counters tell what other processes do: root's (3 is Debian's, other kernels take it as 2), and they take next to no time.
kernel.perf_event_paranoid = 3
kernel.perf_cpu_time_max_percent = 1
kernel.perf_event_max_sample_rate = 1
# Further ways into the kernel that no service here needs.
kernel.io_uring_disabled = 2
vm.unprivileged_userfaultfd = 0
dev.tty.ldisc_autoload = 0
# No other kernel is started from this one, and no keyboard commands it.
kernel.kexec_load_disabled = 1
kernel.sysrq = 0
kernel.ctrl-alt-del = 0
# After a fault in the kernel nothing it says can be trusted: the machine restarts after 10 s, and the node with it.
kernel.panic_on_oops = 1
kernel.panic = 10
# No process gets at the lowest addresses, where a null pointer of the kernel leads.
vm.mmap_min_addr = 65536
# A bound for the number of processes and threads: a node has a few hundred.
kernel.pid_max = 65536
# No memory of a privileged program in a file; if there is a core file at all, it has the process's number.
fs.suid_dumpable = 0
kernel.core_uses_pid = 1
# In directories that all may write to (/tmp), nobody follows, links to or writes into what somebody else has put there.
fs.protected_symlinks = 1
fs.protected_hardlinks = 1
fs.protected_fifos = 2
fs.protected_regular = 2
END
  if [[ $KERNEL_SETTINGS_USER_NAMESPACES != true ]]; then
    printf '%s\n' '# Only root makes user namespaces: in them anybody reaches parts of the kernel that are full of mistakes.' \
      'kernel.unprivileged_userns_clone = 0' 'kernel.apparmor_restrict_unprivileged_userns = 1'
  fi
}

# kernel_settings_return_path: strict filtering would drop this very session if its answers do not leave where it came in.
kernel_settings_return_path() {
  local client server _ out in
  read -r client _ server _ <<<"$SESSION"
  [[ $KERNEL_SETTINGS_REVERSE_PATH == strict && $client == *.*.*.* && $server == *.*.*.* ]] || return 0
  client=${client#::ffff:} server=${server#::ffff:}
  out=$(ip -o -4 route get "$client" from "$server" 2>/dev/null | sed -nE 's/.* dev ([^ ]+).*/\1/p' || true)
  in=$(ip -o -4 address show to "$server/32" 2>/dev/null | awk '{ print $2; exit }' || true)
  [[ -z $out || -z $in || $out == "$in" || $out == lo ]] ||
    printf '%s\n' "answers to this deploy's address $client leave through $out, while it comes in through $in ($server): strict filtering would \
lock it out. Set the parameter kernel-settings.reversePath to loose"
}
