# shellcheck shell=bash
# expect: net.ipv4.conf.all.accept_redirects
echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects
