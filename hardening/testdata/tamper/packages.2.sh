# shellcheck shell=bash
# expect: /usr/share/keyrings/
chmod 0666 /usr/share/keyrings/debian-archive-keyring.gpg
