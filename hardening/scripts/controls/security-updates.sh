# shellcheck shell=bash disable=SC2154
# Debian's unattended-upgrades, bound to the security archive. Settings of earlier files are cleared: lists would grow otherwise.

security_updates() {
  local origins name keep='' at
  # The name of the release is for unattended-upgrades to fill in.
  # shellcheck disable=SC2016
  if [[ $OS == debian-* ]]; then
    origins='"origin=Debian,codename=${distro_codename}-security,label=Debian-Security";'
  else
    origins='"origin=Ubuntu,archive=${distro_codename}-security";
  "origin=UbuntuESM,archive=${distro_codename}-infra-security";
  "origin=UbuntuESMApps,archive=${distro_codename}-apps-security";'
  fi
  for name in $SECURITY_UPDATES_KEEP; do
    name=${name//./[.]}
    keep+="  \"^${name//+/[+]}\$\";"$'\n'
  done
  want_file 0644 root:root /etc/apt/apt.conf.d/99icon-updates <<CONF
// Made by pulumi-icon.
APT::Periodic::Enable "1";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
#clear Unattended-Upgrade::Origins-Pattern;
#clear Unattended-Upgrade::Allowed-Origins;
Unattended-Upgrade::Origins-Pattern {
  $origins
};
#clear Unattended-Upgrade::Package-Blacklist;
Unattended-Upgrade::Package-Blacklist {
$keep};
// One package after the other, so that a shutdown in between waits for one only.
Unattended-Upgrade::MinimalSteps "true";
Unattended-Upgrade::InstallOnShutdown "false";
// Restarts have their own rules: icon-reboot.timer.
Unattended-Upgrade::Automatic-Reboot "false";
Unattended-Upgrade::Automatic-Reboot-WithUsers "false";
// Old kernels go; whatever else seems unused may be somebody's.
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
Unattended-Upgrade::Remove-Unused-Dependencies "false";
Unattended-Upgrade::SyslogEnable "true";
// Our changes of packages' settings stay, and do not keep a package from being upgraded.
Dpkg::Options {
  "--force-confdef";
  "--force-confold";
};
CONF
  # Ubuntu's needrestart restarts services by itself after each upgrade. Read if the package is there or comes later.
  want_file 0644 root:root /etc/needrestart/conf.d/icon.conf <<'CONF'
# Made by pulumi-icon. Upgrades never restart a service or the machine by themselves.
$nrconf{restart} = 'l';
$nrconf{kernelhints} = 0;
1;
CONF
  at=$(((SECURITY_UPDATES_HOUR * 60 + ORDER * 20) % 1440))
  want_file 0644 root:root /etc/systemd/system/apt-daily-upgrade.timer.d/icon.conf <<CONF
# Made by pulumi-icon. The hosts of a stack one after the other, so that a bad update shows on one before it comes to all.
[Timer]
OnCalendar=
OnCalendar=*-*-* $(printf '%02d:%02d' $((at / 60)) $((at % 60))):00 UTC
RandomizedDelaySec=5min
CONF
}

security_updates_apply() {
  reload_units
  want_on apt-daily.timer apt-daily-upgrade.timer
}

# A file of another name may come after ours.
security_updates_verify() {
  local found
  found=$(apt-config dump --format '%f=%v%n' | grep -E '^(APT::Periodic|Unattended-Upgrade)::')
  security_updates_expect 'APT::Periodic::Update-Package-Lists=1'
  security_updates_expect 'APT::Periodic::Unattended-Upgrade=1'
  security_updates_expect 'Unattended-Upgrade::Automatic-Reboot=false'
  expect "apt: origins of unattended upgrades" "$(security_updates_list Origins-Pattern)" \
    "$(sed -n 's/^Unattended-Upgrade::\(Origins-Pattern\|Allowed-Origins\)::=//p' <<<"$found" | paste -sd ' ')"
  want_on apt-daily.timer apt-daily-upgrade.timer
}

security_updates_expect() {
  grep -qxF "$1" <<<"$found" || drift "apt: ${1%%=*}" "${1#*=}" "$(sed -n "s/^${1%%=*}=//p" <<<"$found" | paste -sd ' ')"
}

# security_updates_list NAME: the items of a list of our own file.
security_updates_list() {
  sed -n "/::$1 {/,/^};/s/^ *\"\(.*\)\";\$/\1/p" /etc/apt/apt.conf.d/99icon-updates 2>/dev/null | paste -sd ' ' || true
}
