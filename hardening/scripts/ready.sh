# shellcheck shell=bash disable=SC2154
# The step "ready": wait for the machine, then check everything before anything is changed. All problems are named at once.

apply() {
  PROBLEMS=()
  wait_for_boot
  check_system
  if [[ -n $DATA_DIR ]]; then
    check_disk
    check_data
    check_chain
  fi
  check_ports
  check_firewalls
  if [[ ${#PROBLEMS[@]} -gt 0 ]]; then
    fail "$(printf '%s\n' "${#PROBLEMS[@]} problem(s); nothing was changed." "${PROBLEMS[@]/#/  - }")"
  fi
  summary "os=$OS_NAME"
  summary "arch=$(uname -m)"
}

# What the deploy has kept for itself on the host goes with the last step. Data that the operator asked to keep stays.
remove() {
  rm -rf /etc/icon /usr/local/lib/icon
  rm -rf /var/log/icon /run/icon/unfinished-*
}

problem() { PROBLEMS+=("$1"); }

check_system() {
  local id version
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && printf '%s' "${ID:-unknown}")
  # shellcheck disable=SC1091
  version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-unknown}")
  OS_NAME="$id $version"
  case "$OS_NAME" in
    'debian 12' | 'ubuntu 24.04') ;;
    *) problem "operating system is $OS_NAME: supported are debian 12 and ubuntu 24.04" ;;
  esac
}

check_disk() {
  local dir=$DATA_DIR size
  while [[ ! -d $dir ]]; do dir=$(dirname "$dir"); done
  size=$(df -B1 --output=size "$dir" | tail -n 1)
  if ((size / 1000000000 < MIN_DISK_GB)); then
    problem "disk too small: $DATA_DIR is on a file system of $((size / 1000000000)) GB, icon:node.minDiskGB wants $MIN_DISK_GB GB: mount a larger one at $DATA_DIR"
  fi
}

# The directory becomes the node's own, and may be wiped one day: it must hold nothing else.
check_data() {
  local foreign
  if [[ -L $DATA_DIR ]]; then
    problem "data directory $DATA_DIR is a symbolic link: set icon:node.dataDir to where it leads"
    return 0
  fi
  [[ -d $DATA_DIR ]] || return 0
  foreign=$(find "$DATA_DIR" -mindepth 1 -maxdepth 1 ! -name chain ! -name key ! -name logs ! -name lost+found ! -name .icon-host -printf '%f ' | cut -c1-200)
  if [[ -n $foreign ]]; then
    problem "data directory $DATA_DIR holds what is no node's: $foreign- it would be taken over. Choose another icon:node.dataDir"
  fi
}

# An accept in our table does not overrule a drop in another.
check_firewalls() {
  local service other
  for service in ufw firewalld; do
    if systemctl is-active -q "$service.service" && { [[ $service != ufw ]] || ufw status 2>/dev/null | grep -q '^Status: active'; }; then
      problem "$service is active: what it refuses stays refused, whatever the plan opens. Turn it off (systemctl disable --now $service): the plan's firewall denies by default"
    fi
  done
  command -v nft >/dev/null || return 0
  other=$(nft list ruleset 2>/dev/null | awk '/^table / { table = $2 " " $3 } /hook (input|output) .*policy drop/ && table != "inet icon" { print table }' | sort -u | paste -sd, -)
  if [[ -n $other ]]; then
    problem "the nftables table(s) $other drop by default: what they refuse stays refused, whatever the plan opens. Remove them: the plan's firewall denies by default"
  fi
}

# goloop keeps each chain in a directory named by its chain id. Another network's chain is never touched.
check_chain() {
  local wanted=${CID#0x} config name
  for config in "$DATA_DIR"/chain/*/config.json; do
    [[ -e $config ]] || continue
    name=$(basename "$(dirname "$config")")
    if [[ $name != "$wanted" ]]; then
      problem "data directory $DATA_DIR holds the chain 0x$name, the plan wants 0x$wanted: it is never overwritten. Choose another icon:node.dataDir, or move $DATA_DIR/chain/$name away"
    fi
  done
}

check_ports() {
  local port listener pid
  for port in $PORTS; do
    while read -r listener; do
      [[ -n $listener ]] || continue
      pid=$(sed -n 's/.*pid=\([0-9]*\).*/\1/p' <<<"$listener")
      if [[ -n $pid ]] && ours "$pid"; then continue; fi
      if [[ -n $pid ]] && grep -qE '/icon-(node|sentry(-agent)?)\.(service|slice)' "/proc/$pid/cgroup"; then
        problem "port $port/tcp is still this host's old role's: take the host out of the stack, run pulumi up, and then give it the new role"
        continue
      fi
      problem "port $port/tcp is taken by $(owner "$pid"): stop it, or give this role another host"
    done < <(ss -Hltnp "sport = :$port" | sort -u)
  done
}

# A node under docker is in a control group of docker's, which is named by the container.
ours() {
  local container
  if grep -qE "/${UNIT%.service}(-agent)?\\.(service|slice)" "/proc/$1/cgroup"; then return 0; fi
  command -v docker >/dev/null || return 1
  container=$(docker container inspect -f '{{.Id}}' icon-node 2>/dev/null) || return 1
  grep -qF "$container" "/proc/$1/cgroup"
}

owner() {
  if [[ -n $1 && -r /proc/$1/comm ]]; then
    printf '%s (pid %s)' "$(<"/proc/$1/comm")" "$1"
  else
    printf 'another process'
  fi
}
