#!/usr/bin/env bash
# Installs the Debian packages that the sandbox and the tests need and this machine lacks. Without any missing, it needs no root and no
# network.
set -euo pipefail

packages=(
  # To boot the hosts, and the repository they install from: lab.Packages in sandbox/lab.
  apt-utils
  ca-certificates
  debian-archive-keyring
  iproute2
  mmdebstrap
  systemd-container
  util-linux
  # For the tests: they check scripts, proxy configurations and firewall rules with the programs that read them on a host, and disks with
  # what partitions them.
  fdisk
  haproxy
  libnginx-mod-stream
  nftables
  nginx
  openssh-client
  openssh-server
  shellcheck
  sudo
  # What Debian's cloud-init imports, for the test of user-data. cloud-init itself is only unpacked, below.
  python3-configobj
  python3-jinja2
  python3-jsonpatch
  python3-jsonschema
  python3-netifaces
  python3-oauthlib
  python3-requests
  python3-yaml
)

# unpack_cloud_init puts the files of Debian's cloud-init below bin/. Installed, its services would set this very machine up anew at the
# next boot.
unpack_cloud_init() {
  local target temporary
  target=$(realpath -m "$(dirname "$0")/../bin/cloud-init")
  [[ ! -e $target ]] || return 0
  echo "unpacking cloud-init into $target"
  temporary=$(mktemp -d)
  # apt's own user fetches it.
  chmod 0755 "$temporary"
  if ((EUID == 0)); then chown _apt "$temporary"; fi
  # Lists that are too old name a file that is gone.
  (cd "$temporary" && { apt-get download -qq cloud-init || { apt-get update -qq && apt-get download -qq cloud-init; }; })
  dpkg-deb --extract "$temporary"/cloud-init_*.deb "$temporary/root"
  mkdir -p "$(dirname "$target")"
  mv "$temporary/root" "$target"
  rm -rf "$temporary"
}

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  if [[ $status != installed ]]; then
    missing+=("$package")
  fi
done
if ((${#missing[@]} == 0)); then
  unpack_cloud_init
  exit 0
fi

echo "installing ${missing[*]}"
if ((EUID != 0)); then
  echo "$0: needs root: run it with sudo, or install these packages" >&2
  exit 1
fi
# Nothing here is wanted as a service of this machine, and starting one could disturb its own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 0755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
unpack_cloud_init
