# shellcheck shell=bash disable=SC2154
# USB devices need leave: USBGuard takes keyboards and hubs, and nothing else. Where the kernel has no USB, which is so on most cloud machines,
# it is not started.

usb_devices() {
  want_file 0600 root:root /etc/usbguard/usbguard-daemon.conf <<'END'
# Made by pulumi-icon.
RuleFile=/etc/usbguard/rules.conf
ImplicitPolicyTarget=block
PresentDevicePolicy=apply-policy
PresentControllerPolicy=apply-policy
InsertedDevicePolicy=apply-policy
AuthorizedDefault=none
RestoreControllerDeviceState=false
DeviceManagerBackend=uevent
IPCAllowedUsers=root
IPCAccessControlFiles=/etc/usbguard/IPCAccessControl.d/
DeviceRulesWithPort=false
AuditBackend=FileAudit
AuditFilePath=/var/log/usbguard/usbguard-audit.log
HidePII=false
END
  # Controllers are Linux's own; hubs; keyboards, also those of a server's remote console. A device that is a disk as well is none of these.
  want_file 0600 root:root /etc/usbguard/rules.conf < <(
    printf 'allow id 1d6b:*\nallow with-interface match-all { 09:*:* }\nallow with-interface match-all { 03:*:* }\n'
    local id
    for id in $USB_DEVICES_ALLOW; do printf 'allow id %s\n' "$id"; done
  )
  want_file 0644 root:root /etc/systemd/system/usbguard.service.d/60-icon.conf <<'END'
# Made by pulumi-icon.
[Unit]
ConditionPathExists=/sys/bus/usb/devices
END
  want_off usbguard-dbus.service
}

# usb_devices_before: a network or a disk by USB that is in use would be gone at once, the deploy's own connection maybe with it.
usb_devices_before() {
  local path device id
  while read -r path; do
    usb_devices_in_use "$path" || continue
    device=$path
    while [[ -n $device && ! -e $device/idVendor ]]; do device=${device%/*}; done
    [[ -n $device ]] || continue
    id=$(<"$device/idVendor"):$(<"$device/idProduct")
    [[ " $USB_DEVICES_ALLOW " == *" $id "* || " $USB_DEVICES_ALLOW " == *" ${id%:*}:* "* ]] ||
      printf '%s\n' "the USB device $id (${path##*/}) is in use, and would be cut off at once: name it in usb-devices.allow"
  done < <(readlink -f /sys/class/net/* /sys/class/block/* 2>/dev/null | grep -E '/usb[0-9]+/' || true)
}

# usb_devices_in_use PATH: an interface with an address, a disk that is mounted, swapped to, or part of a volume.
usb_devices_in_use() {
  local name=${1##*/}
  if [[ $1 == */net/* ]]; then
    [[ -n $(ip -o -4 address show dev "$name" scope global 2>/dev/null) ]]
  else
    grep -qE "^[0-9]+ [0-9]+ $(<"$1/dev") | - [^ ]+ /dev/$name " /proc/self/mountinfo || grep -q "^/dev/$name " /proc/swaps ||
      [[ -n $(ls "$1/holders" 2>/dev/null) ]]
  fi
}

usb_devices_apply() {
  local state
  state=$(unit_state usbguard.service)
  if needs_reload; then units_changed; fi
  if [[ $state != enabled/* ]]; then
    systemctl -q unmask usbguard.service
    systemctl -q --no-reload enable usbguard.service
    units_changed
    changed "usbguard.service enabled"
  fi
  if [[ -d /sys/bus/usb/devices && $WORD != image ]]; then
    if needs_reload || [[ $state != */active ]]; then
      reload_units
      systemctl restart usbguard.service
      changed "usbguard.service started"
    fi
  elif [[ $state != */inactive ]]; then
    systemctl stop usbguard.service
    systemctl -q reset-failed usbguard.service 2>/dev/null || true
  fi
}

usb_devices_verify() {
  local state
  state=$(unit_state usbguard.service)
  expect "usbguard.service" enabled "${state%/*}"
  if [[ -d /sys/bus/usb/devices ]]; then
    expect "usbguard.service" active "${state#*/}"
  else
    not_in_force "no USB here"
  fi
}
