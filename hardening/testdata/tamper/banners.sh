# shellcheck shell=bash
# expect: /etc/issue.net
printf 'Debian GNU/Linux 12 \\n \\l\n' >/etc/issue.net
