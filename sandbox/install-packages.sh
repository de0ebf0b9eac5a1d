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
  # For the tests: they check scripts, proxy configurations and firewall rules with the programs that read them on a host.
  haproxy
  nftables
  openssh-client
  shellcheck
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  if [[ $status != installed ]]; then
    missing+=("$package")
  fi
done
if ((${#missing[@]} == 0)); then
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
