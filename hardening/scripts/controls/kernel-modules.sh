# shellcheck shell=bash disable=SC2154
# Parts of the kernel that nothing here uses are not loaded. The initial RAM disk has a copy of the file from its next update on.

kernel_modules() {
  want_file 0644 root:root /etc/modprobe.d/icon-hardening.conf < <(
    printf '# Made by pulumi-icon. What asks for one of these gets none.\n'
    local module
    for module in $(kernel_modules_denied); do printf 'install %s /bin/false\nblacklist %s\n' "$module" "$module"; done
  )
}

# kernel_modules_before: what a mount or a device holds would not come back after the next boot, and what a disk on USB holds not even boot.
# Bluetooth is held by its own daemon, which is stopped.
kernel_modules_before() {
  [[ $CONTAINER == none ]] || return 0
  # A node of ours that still runs in a container is on its way to another runtime.
  if grep -qsE '/(podman|docker) ' /etc/systemd/system/icon-node.service; then
    kernel_modules_held < <(grep -v '^overlay ' /proc/modules)
  else
    kernel_modules_held </proc/modules
  fi
}

# kernel_modules_held reads lines of /proc/modules: name, size, count of users, those of them that are modules ("a,b," or "-").
kernel_modules_held() {
  local denied name count by
  denied=" $(kernel_modules_denied)"
  denied=${denied//-/_}
  while read -r name _ count by _; do
    if [[ $denied != *" $name "* || $name == bluetooth || $name == btusb || $count != [0-9]* ]]; then continue; fi
    by=${by//[^,]/}
    ((count <= ${#by})) ||
      printf '%s\n' "the kernel module $name is in use (mounted, or a device's), and would be missing after the next boot: \
leave it out of kernel-modules.deny, or stop what uses it"
  done
}

kernel_modules_denied() {
  local module
  for module in $KERNEL_MODULES_DENY; do
    case "$module:$RUNTIME:$OS" in
      # Containers' file systems.
      overlay:podman:* | overlay:docker:*) ;;
      # Ubuntu's snaps are images of this kind.
      squashfs:*:ubuntu-*) ;;
      *) printf '%s ' "$module" ;;
    esac
  done
}

kernel_modules_apply() {
  [[ $CONTAINER == none ]] || return 0
  local module
  for module in $(kernel_modules_loaded); do
    # One that is in use stays until the next boot.
    if modprobe -r "$module" 2>/dev/null; then changed "$module unloaded"; fi
  done
}

kernel_modules_verify() {
  if not_here "a container has no modules of its own"; then return 0; fi
  local module
  for module in $(kernel_modules_loaded); do drift "module $module" "not loaded" "loaded"; done
}

# kernel_modules_loaded: those that are not wanted.
kernel_modules_loaded() {
  local denied name
  denied=" $(kernel_modules_denied)"
  denied=${denied//-/_}
  while read -r name _; do
    if [[ $denied == *" $name "* ]]; then printf '%s\n' "$name"; fi
  done </proc/modules
}
