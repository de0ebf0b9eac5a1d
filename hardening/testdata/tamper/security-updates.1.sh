# shellcheck shell=bash
# expect: /etc/apt/apt.conf.d/99icon-updates
sed -i 's/Automatic-Reboot "false"/Automatic-Reboot "true"/' /etc/apt/apt.conf.d/99icon-updates
