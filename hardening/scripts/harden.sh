# shellcheck shell=bash disable=SC2154
# The step "harden": the controls of the host's profile (scripts/engine). The program is one of the step's files.

apply() {
  [[ $CONNECTION == *' '*' '*' '* ]] ||
    fail "cannot tell which address this SSH connection comes from (SSH_CONNECTION is \"$CONNECTION\"), so cannot tell whether the changes would lock it out. Nothing was changed"
  run_program apply "$CONNECTION"
  local word control state detail
  while IFS=$'\t' read -r word control state detail _; do
    [[ $word == control && $state == changed ]] || continue
    CHANGED=$((CHANGED + detail))
  done <"$STEP_DIR/report"
}

verify() {
  run_program verify
  cat "$STEP_DIR/report" >&3
}

# run_program WORD…: the lock's descriptor stays here, or a service that the program starts would hold it for ever.
run_program() {
  local code=0 control text
  : >"$STEP_DIR/report"
  bash "$STEP_DIR/hardening" "$@" 3>"$STEP_DIR/report" 9>&- || code=$?
  [[ $code -ne 0 ]] || return 0
  # What fails outside a control has an empty field for it, which read would leave out.
  text=$(sed -n 's/^fail\t//p' "$STEP_DIR/report" | tail -n 1)
  control=${text%%$'\t'*} text=${text#*$'\t'}
  [[ $code -ne 137 ]] || code='137 (it was killed). If it was trying changes of access, the host takes them back by itself'
  fail_log "${control:+control $control: }${text:-the hardening ended with $code}"
}

# What belongs to this installation goes, and what needs its programs. That the machine is hardened stays: no machine becomes less safe because
# a node leaves it. What was there before is in /var/lib/icon/hardening/original.
remove() {
  local unit
  # Timers first: they would start their services again. Nodes and sentries have steps of their own.
  for unit in /etc/systemd/system/icon-*.timer /etc/systemd/system/icon-*.path /etc/systemd/system/icon-*.service; do
    case "${unit##*/}" in
      'icon-*.'* | icon-node.* | icon-sentry.*) ;;
      *) disable "${unit##*/}" ;;
    esac
  done
  if nft list table inet icon >/dev/null 2>&1; then nft delete table inet icon; fi
  rm -f /etc/icon/firewall.nft /usr/local/lib/icon/hardening
  rm -rf /var/lib/icon/metrics /run/icon/hardening
}
