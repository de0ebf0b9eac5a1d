# shellcheck shell=bash disable=SC2154
# What every first step of a host begins with. A step says by problem TEXT what it does about a boot that failed.

wait_for_boot() {
  # Exit 2 is a finished cloud-init with warnings.
  if command -v cloud-init >/dev/null; then
    local code=0
    cloud-init status --wait >/dev/null || code=$?
    [[ $code -eq 0 || $code -eq 2 ]] || problem "cloud-init failed on this machine (cloud-init status: exit $code): see /var/log/cloud-init.log there"
  fi
  local i
  for ((i = 0; i < 60; i++)); do
    case $(systemctl is-system-running 2>/dev/null || true) in
      running | degraded) return 0 ;;
    esac
    sleep 1
  done
  problem "systemd has not finished booting after 60 s (systemctl is-system-running says $(systemctl is-system-running 2>/dev/null || true)): see systemctl list-jobs there"
}

