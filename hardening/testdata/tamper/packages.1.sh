# shellcheck shell=bash
# expect: /etc/apt/apt.conf.d/99icon-packages
rm /etc/apt/apt.conf.d/99icon-packages
printf 'APT::Get::AllowUnauthenticated "true";\n' >/etc/apt/apt.conf.d/99icon-packages
