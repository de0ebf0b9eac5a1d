# shellcheck shell=bash disable=SC2154
# What deploys and installers leave. Nothing here is overwritten before it goes: on a journal or a flash disk that promises what it does not
# keep. A node key is, where it is wiped (step "key"); a volume that is given back is the cloud's to erase.

leftovers() {
  # Staged by a deploy that did not come to its end, longer ago than any takes. The steps take away what they have used.
  local path stale=()
  while IFS= read -r path; do stale+=("$path"); done < <(find /var/tmp/icon-upload -mindepth 1 -maxdepth 1 -mtime +0 2>/dev/null || true)
  ((${#stale[@]} == 0)) || leftovers_remove "${stale[@]}"
  # Packages as they were downloaded.
  stale=()
  for path in /var/cache/apt/archives/*.deb; do if [[ -e $path ]]; then stale+=("$path"); fi; done
  ((${#stale[@]} == 0)) || ! applying || rm -f "${stale[@]}"
  # The user-data stays: cloud-init reads its copy at every boot, so that no answer of the network can make it a new machine with another
  # host key. It holds no more than /etc/ssh does, and is as much for root alone.
  want_mode 0600 root:root /var/lib/cloud/instances/*/{user-data.txt,user-data.txt.i,vendor-data.txt,vendor-data.txt.i,cloud-config.txt} \
    /var/log/installer/{autoinstall-user-data,subiquity-curtin-install.conf,cloud-init.log}
  want_mode 0400 root:root /var/lib/cloud/instances/*/obj.pkl
}

# Not by want_absent: an original of some hundred megabytes is not worth keeping.
leftovers_remove() {
  local path
  for path in "$@"; do
    if applying; then
      rm -rf -- "$path"
      changed "$path removed"
    else
      drift "$path" "nothing" "left by a deploy on $(date -u -r "$path" +%F)"
    fi
  done
}
