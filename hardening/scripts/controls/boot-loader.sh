# shellcheck shell=bash disable=SC2154
# The kernel's arguments, by GRUB, and who reads what is in /boot. Arguments are in force after the next boot, which is not done here.

boot_loader() {
  BOOT_LOADER=true
  if [[ ! -d /etc/default/grub.d && ! -e /etc/default/grub ]]; then
    BOOT_LOADER=false
  else
    want_file 0644 root:root /etc/default/grub.d/99-icon-hardening.cfg <<END
# Made by pulumi-icon.
GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX $BOOT_LOADER_ARGUMENTS"
END
    boot_loader_password
  fi
  # update-grub makes its file for all to read, and it is run after each installation of a kernel.
  want_file 0755 root:root /etc/kernel/postinst.d/zzz-icon-hardening <<'END'
#!/bin/sh
# Made by pulumi-icon. Runs after zz-update-grub: what tells an intruder where things are in the kernel is root's.
chmod -f go-rwx /boot/grub/grub.cfg /boot/System.map-* || true
END
}

# boot_loader_password: who changes a menu entry or uses GRUB's shell gives a password; who starts what is in the menu does not.
boot_loader_password() {
  boot_loader_hash
  if [[ -z $BOOT_LOADER_HASH ]]; then
    want_absent /etc/grub.d/05_icon_password
    return 0
  fi
  want_file 0700 root:root /etc/grub.d/05_icon_password <<END
#!/bin/sh
# Made by pulumi-icon.
cat <<'EOF'
set superusers="root"
password_pbkdf2 root $BOOT_LOADER_HASH
EOF
END
  # Entries of 10_linux ask for the password unless they say --unrestricted: the machine would wait for it at each boot.
  [[ -e /etc/grub.d/10_linux ]] && ! grep -q -- '^CLASS=.*--unrestricted' /etc/grub.d/10_linux || return 0
  if applying; then
    keep /etc/grub.d/10_linux
    sed -i 's/^CLASS="/CLASS="--unrestricted /' /etc/grub.d/10_linux
    changed "menu entries without password"
  else
    drift "/etc/grub.d/10_linux" "--unrestricted in CLASS" "none"
  fi
}

# boot_loader_hash makes BOOT_LOADER_HASH: the operator's, or with lock one of no password at all, made once.
boot_loader_hash() {
  BOOT_LOADER_HASH=$BOOT_LOADER_PASSWORD_HASH
  [[ -z $BOOT_LOADER_HASH && $BOOT_LOADER_LOCK == true && ! -e $STATE/boot-loader-open ]] || return 0
  BOOT_LOADER_HASH=$(sed -nE 's/^password_pbkdf2 root (grub\.pbkdf2\.sha512\.[0-9A-F.]+)$/\1/p' /etc/grub.d/05_icon_password 2>/dev/null || true)
  [[ -z $BOOT_LOADER_HASH ]] || return 0
  local random
  random=$(od -An -v -N 128 -tx1 /dev/urandom | tr -d ' \n' | tr a-f A-F)
  BOOT_LOADER_HASH=grub.pbkdf2.sha512.10000.${random:0:128}.${random:128}
}

boot_loader_apply() {
  if $BOOT_LOADER && [[ -e /boot/grub/grub.cfg ]] && { needs_reload || ! boot_loader_generated; }; then
    keep /boot/grub/grub.cfg
    update-grub 2>&1 || fail "update-grub failed; see the log. The boot menu is as it was"
    boot_loader_generated || fail "update-grub made a menu without the wanted arguments: see GRUB_CMDLINE_LINUX in /etc/default there"
    if [[ -n $BOOT_LOADER_HASH ]] && grep '^menuentry' /boot/grub/grub.cfg | grep -qv -- --unrestricted; then boot_loader_open; fi
    # For whoever decides on reboots.
    printf 'icon-hardening\n' >>/run/reboot-required.pkgs
    : >>/run/reboot-required
    changed "boot menu"
  fi
  boot_loader_files
}

# boot_loader_open takes the password out again: this machine's menu has entries that would ask for it at each boot.
boot_loader_open() {
  rm -f /etc/grub.d/05_icon_password
  update-grub 2>&1 || true
  [[ -z $BOOT_LOADER_PASSWORD_HASH ]] ||
    fail "this machine's boot menu has entries that would ask for the password at each boot (no --unrestricted): the password was taken \
out again. Leave the parameter boot-loader.passwordHash empty"
  : >"$STATE/boot-loader-open"
  BOOT_LOADER_HASH=''
  printf 'the boot menu is not locked: it has entries that would ask for a password at each boot\n'
}

boot_loader_files() {
  local file
  for file in /boot/grub/grub.cfg /boot/System.map-*; do
    if [[ -f $file ]]; then want_mode 0600 root:root "$file"; fi
  done
}

boot_loader_verify() {
  local argument waiting=''
  boot_loader_files
  if ! $BOOT_LOADER; then
    not_in_force "no GRUB here: whatever starts this machine's kernel has to give the arguments"
    return 0
  fi
  [[ ! -e /boot/grub/grub.cfg ]] || boot_loader_generated || drift "/boot/grub/grub.cfg" "the wanted kernel arguments" "other arguments"
  if not_here "a container does not boot a kernel"; then return 0; fi
  if [[ -z $BOOT_LOADER_HASH && $BOOT_LOADER_LOCK == true ]]; then not_in_force "the boot menu has entries that a lock would stop at"; fi
  for argument in $BOOT_LOADER_ARGUMENTS; do
    [[ " $(</proc/cmdline) " == *" $argument "* ]] || waiting+=" $argument"
  done
  [[ -z $waiting ]] || not_in_force "in force after the next boot:$waiting"
}

# boot_loader_generated: each Linux entry of the menu has the arguments, and the password is as wanted.
boot_loader_generated() {
  local line seen=false
  while read -r line; do
    seen=true
    [[ "$line " == *" ${BOOT_LOADER_ARGUMENTS:-} "* || -z $BOOT_LOADER_ARGUMENTS ]] || return 1
  done < <(grep -E '^[[:space:]]*linux[[:space:]].*vmlinuz' /boot/grub/grub.cfg)
  $seen || return 1
  if [[ -n $BOOT_LOADER_HASH ]]; then
    grep -qF "password_pbkdf2 root $BOOT_LOADER_HASH" /boot/grub/grub.cfg
  else
    ! grep -q '^password_pbkdf2' /boot/grub/grub.cfg || [[ ! -e /etc/grub.d/05_icon_password ]]
  fi
}
