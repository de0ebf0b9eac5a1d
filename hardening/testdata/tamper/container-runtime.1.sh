# shellcheck shell=bash
# expect: /etc/containers/registries.conf.d/icon.conf
printf 'unqualified-search-registries = ["docker.io"]\n' >>/etc/containers/registries.conf.d/icon.conf
