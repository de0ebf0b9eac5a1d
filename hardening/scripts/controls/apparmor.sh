# shellcheck shell=bash disable=SC2154
# AppArmor with all its profiles in force: none disabled, none that only complains.

apparmor() {
  want_on apparmor.service
  local link name
  for link in /etc/apparmor.d/disable/* /etc/apparmor.d/force-complain/*; do
    name=${link##*/}
    if [[ -e $link || -L $link ]] && [[ " $APPARMOR_EXCEPT " != *" $name "* ]]; then want_absent "$link"; fi
  done
}

apparmor_apply() {
  [[ $CONTAINER == none && -r $APPARMOR_PROFILES ]] || return 0
  if needs_reload; then systemctl reload apparmor.service; fi
  local profile
  while read -r profile; do
    # aa-enforce knows the file in which a profile is. What has none is a program's own.
    if aa-enforce "$profile" >/dev/null 2>&1; then changed "profile $profile enforced"; fi
  done < <(apparmor_complaining)
}

apparmor_verify() {
  if not_here "a container shares the machine's AppArmor"; then return 0; fi
  [[ -r $APPARMOR_PROFILES ]] || { drift "AppArmor" "in force" "not in this kernel" && return 0; }
  local profile
  while read -r profile; do drift "profile $profile" "enforce" "complain"; done < <(apparmor_complaining)
}

apparmor_complaining() {
  local name mode
  while read -r name mode; do
    if [[ $mode == '(complain)' && " $APPARMOR_EXCEPT " != *" $name "* ]]; then printf '%s\n' "$name"; fi
  done <"$APPARMOR_PROFILES"
}

APPARMOR_PROFILES=/sys/kernel/security/apparmor/profiles
