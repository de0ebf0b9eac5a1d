# shellcheck shell=bash
# expect: podman.socket
systemctl -q unmask podman.socket
