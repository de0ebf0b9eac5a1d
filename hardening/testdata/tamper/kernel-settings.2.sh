# shellcheck shell=bash
# expect: /etc/sysctl.d/99-z-icon-hardening.conf
sed -i 's/^net.ipv4.tcp_syncookies = 1/net.ipv4.tcp_syncookies = 0/' /etc/sysctl.d/99-z-icon-hardening.conf
