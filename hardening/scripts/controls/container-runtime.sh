# shellcheck shell=bash disable=SC2154
# The settings of the container engine itself. They are there before the engine is: the step "key" installs it.
#
# Docker's no-new-privileges, userland-proxy and log size can't be asked for; its file and what it says of the rest stand for them. Not
# here: userns-remap, with which docker refuses the host's network; icc, which needs the firewall rules that docker is not to write (and
# there is no bridge to be on); a signature policy: the image is pinned by its digest, and its publisher signs nothing.

container_runtime() {
  case $RUNTIME in
    podman) container_runtime_podman ;;
    docker) container_runtime_docker ;;
    *) not_in_force "this host runs no container" ;;
  esac
}

container_runtime_podman() {
  want_file 0644 root:root /etc/containers/containers.conf.d/icon.conf <<EOT
# Made by pulumi-icon. Changes here are lost: change the stack.
[containers]
log_driver = "k8s-file"
log_size_max = $((CONTAINER_RUNTIME_LOG_SIZE * 1048576))
pids_limit = $CONTAINER_RUNTIME_PROCESSES
EOT
  want_file 0644 root:root /etc/containers/registries.conf.d/icon.conf <<'EOT'
# Made by pulumi-icon. A name says its registry: without, nobody knows whose image it would be.
unqualified-search-registries = []
short-name-mode = "enforcing"
EOT
  # Debian starts them with the package: an API for root, and a timer that exchanges images.
  container_runtime_masked podman.socket podman.service podman-auto-update.timer podman-auto-update.service
}

# container_runtime_masked UNIT…: cannot be started, whether the package is there yet or not.
container_runtime_masked() {
  local unit link
  for unit in "$@"; do
    link=/etc/systemd/system/$unit
    [[ $(readlink "$link" || true) != /dev/null ]] || continue
    if applying; then
      keep "$link"
      ! systemctl -q is-active "$unit" || systemctl -q stop "$unit"
      ln -sfT /dev/null "$link"
      changed "$unit masked"
    else
      drift "$unit" "masked" "not masked"
    fi
  done
}

container_runtime_docker() {
  # Where the images are is the machine's own matter: elsewhere, docker would begin with none.
  local root
  root=$(sed -nE 's/.*"data-root"[[:space:]]*:[[:space:]]*"([^"]+)".*/\1/p' /etc/docker/daemon.json 2>/dev/null | head -n 1 || true)
  [[ -z $root ]] || root=$'\n'"  \"data-root\": \"$root\","
  want_file 0644 root:root /etc/docker/daemon.json <<EOT
{
  "bridge": "none",$root
  "ip-forward": false,
  "ip-masq": false,
  "ip6tables": false,
  "iptables": false,
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": {
    "max-file": "3",
    "max-size": "${CONTAINER_RUNTIME_LOG_SIZE}m"
  },
  "no-new-privileges": true,
  "userland-proxy": false
}
EOT
}

container_runtime_apply() {
  needs_reload || return 0
  case $RUNTIME in
    podman) systemctl daemon-reload ;;
    docker)
      systemctl -q is-active docker.service || return 0
      # A restart would stop the node; a reload takes what docker can take while it runs.
      if [[ -n $(docker ps -q) ]]; then systemctl reload docker.service; else systemctl restart docker.service; fi
      ;;
  esac
}

container_runtime_verify() {
  local found
  case $RUNTIME in
    podman)
      found=$(systemctl show -P ActiveState podman.socket podman.service podman-auto-update.timer | sort -u | sed '/^$/d' | paste -sd ' ')
      expect "podman's API and automatic updates" inactive "$found"
      command -v podman >/dev/null || return 0
      found=$(podman info --format '{{.Host.LogDriver}} {{json .Registries.search}}' 2>/dev/null || printf 'no answer')
      expect "podman info: log driver, registries of names without one" "k8s-file null" "${found/\[\]/null}"
      ;;
    docker)
      systemctl -q is-active docker.service || return 0
      found=$(docker info --format '{{.LiveRestoreEnabled}} {{.LoggingDriver}}' 2>/dev/null || printf 'no answer')
      expect "docker info: live restore, log driver (systemctl restart docker takes them into use)" "true json-file" "$found"
      found=$(docker network ls --filter driver=bridge --format '{{.Name}}' 2>/dev/null | paste -sd ' ' || true)
      expect "docker's bridge networks (after systemctl restart docker)" none "${found:-none}"
      ;;
  esac
}
