# shellcheck shell=bash disable=SC2154
banners() {
  want_file 0644 root:root /etc/issue <<<"$BANNERS_TEXT"
  want_file 0644 root:root /etc/issue.net <<<"$BANNERS_TEXT"
  want_file 0644 root:root /etc/motd <<<"$BANNERS_TEXT"
}
