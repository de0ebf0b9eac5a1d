# shellcheck shell=bash
# expect: apt: APT::Periodic::Unattended-Upgrade
sed -i '/Periodic::Unattended-Upgrade/s/"1"/"0"/' /etc/apt/apt.conf.d/99icon-updates
