# shellcheck shell=bash
# expect: mount options of /tmp
mount -o remount,bind,nosuid,nodev,exec /tmp
