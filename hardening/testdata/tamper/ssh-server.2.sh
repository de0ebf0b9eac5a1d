# shellcheck shell=bash
# expect: permitrootlogin
printf 'PermitRootLogin yes\nInclude /etc/ssh/sshd_config.d/*.conf\n' | cat - /etc/ssh/sshd_config >/etc/ssh/sshd_config.new
mv /etc/ssh/sshd_config.new /etc/ssh/sshd_config
