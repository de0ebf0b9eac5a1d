# shellcheck shell=bash disable=SC2154
cron() {
  local group=root mode=0640
  if [[ $CRON_USERS == root ]]; then mode=0600; fi
  # crontab runs as its caller and this group: for others than root it has to read who may.
  if [[ $CRON_USERS != root ]] && getent group crontab >/dev/null; then group="crontab"; fi
  # shellcheck disable=SC2086
  want_file $mode root:$group /etc/cron.allow < <(printf '%s\n' $CRON_USERS)
  group=root
  # So does at, as the user and group daemon.
  if [[ $CRON_USERS != root ]]; then group=daemon; fi
  # shellcheck disable=SC2086
  want_file $mode root:$group /etc/at.allow < <(printf '%s\n' $CRON_USERS)
  # Whoever is not allowed is denied.
  want_absent /etc/cron.deny /etc/at.deny
  # What root runs at night, and when, is root's business.
  want_mode 0600 root:root /etc/crontab
  want_mode 0700 root:root /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.yearly
}
