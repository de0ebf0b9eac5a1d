# shellcheck shell=bash
# expect: umask
echo 'umask 022' >>/etc/bash.bashrc
