# shellcheck shell=bash disable=SC2034,SC2154

# --- What is wanted --------------------------------------------------------------------------------------------------------------------

# want_file MODE OWNER:GROUP PATH: a file whose content is standard input.
want_file() {
  local mode=$1 owner=$2 path=$3 content
  content=$(cat && printf x)
  content=${content%x}
  if same_file "$mode" "$owner" "$path" "$content"; then return 0; fi
  if ! applying; then
    [[ -e $path ]] || { drift "$path" "a file" "none" && return 0; }
    [[ ! -L $path ]] || { drift "$path" "a file" "a link to $(readlink "$path")" && return 0; }
    want_mode "$mode" "$owner" "$path"
    [[ $content == "$(cat "$path" && printf x)" ]] || [[ "${content}x" == "$(cat "$path" && printf x)" ]] ||
      drift "$path" "$(first_difference "$content" "$path" expected)" "$(first_difference "$content" "$path" found)"
    return 0
  fi
  keep "$path"
  local tmp
  want_directory_of "$path"
  tmp=$(mktemp "${path%/*}/.icon.XXXXXX")
  printf '%s' "$content" >"$tmp"
  chown "$owner" "$tmp"
  chmod "$mode" "$tmp"
  mv -fT "$tmp" "$path"
  [[ $path != /etc/systemd/system* ]] || units_changed
  changed "$path"
}

same_file() {
  local found
  [[ -f $3 && ! -L $3 ]] || return 1
  [[ $(stat -c '%a %U:%G' "$3") == "${1#0} $2" ]] || return 1
  found=$(cat "$3" && printf x)
  [[ ${found%x} == "$4" ]]
}

want_directory_of() {
  local dir=${1%/*}
  [[ -d $dir ]] || install -d -m 0755 "$dir"
}

# first_difference CONTENT PATH expected|found: the first line in which the two differ.
first_difference() {
  local side=1
  [[ $3 == expected ]] || side=2
  diff <(printf '%s' "$1") "$2" 2>/dev/null | sed -n "s/^[$([[ $side == 1 ]] && printf '<' || printf '>')] //p" | head -n 1 | cut -c1-160 || true
}

# want_mode MODE OWNER:GROUP PATH…: exactly these permissions, of files and directories that are there.
want_mode() {
  local mode=${1#0} owner=$2 path found
  shift 2
  while IFS=' ' read -r found path; do
    [[ $found != "$mode:$owner" ]] || continue
    if applying; then
      # Of a directory, a copy would be one of all that is in it.
      [[ -d $path ]] || keep "$path"
      chown "$owner" "$path"
      chmod "$mode" "$path"
      changed "$path: $mode $owner"
    else
      drift "$path" "$mode $owner" "${found/:/ }"
    fi
  done < <(stat -c '%a:%U:%G %n' -- "$@" 2>/dev/null || true)
}

# want_absent PATH…: no such file.
want_absent() {
  local path
  for path in "$@"; do
    [[ -e $path || -L $path ]] || continue
    if applying; then
      keep "$path"
      rm -rf -- "$path"
      changed "$path removed"
    else
      drift "$path" "nothing" "$(stat -c %F "$path")"
    fi
  done
}

# want_setting PATH KEY VALUE [SEPARATOR]: a line "KEY VALUE" in a file of the distribution's that knows no drop-ins. Others of the key go.
want_setting() {
  local path=$1 key=$2 value=$3 separator=${4:- } found
  found=$(sed -nE "s/^[[:space:]]*${key}[[:space:]]*${4:+[$4]}[[:space:]]*(.*[^[:space:]])[[:space:]]*\$/\1/p" "$path" 2>/dev/null | paste -sd '|' || true)
  [[ $found != "$value" ]] || return 0
  if ! applying; then
    drift "$path: $key" "$value" "${found:-not set}"
    return 0
  fi
  keep "$path"
  local tmp
  tmp=$(mktemp "${path%/*}/.icon.XXXXXX")
  if [[ -e $path ]]; then
    cp -a "$path" "$tmp"
    sed -i -E "/^[[:space:]]*${key}([[:space:]]|[$separator]|\$)/d" "$tmp"
  fi
  printf '%s%s%s\n' "$key" "$separator" "$value" >>"$tmp"
  mv -fT "$tmp" "$path"
  changed "$path: $key$separator$value"
}

# want_on UNIT…: enabled and running. Not for services that do something once and end.
want_on() {
  local unit state
  for unit in "$@"; do
    state=$(unit_state "$unit")
    case "$state" in enabled/active | static/active | alias/active) continue ;; esac
    if applying; then
      if [[ $state != enabled/* && $state != static/* ]]; then
        systemctl -q unmask "$unit" 2>/dev/null || true
        systemctl -q --no-reload enable "$unit"
        units_changed
        changed "$unit enabled"
      fi
      if [[ $state != */active && $WORD != image ]] && ! left_out_by_condition "$unit"; then
        reload_units
        systemctl start "$unit"
        ! systemctl -q is-active "$unit" || changed "$unit started"
      fi
    elif [[ $state != enabled/* && $state != static/* ]]; then
      drift "$unit" "enabled" "${state%/*}"
    elif ! left_out_by_condition "$unit"; then
      drift "$unit" "active" "${state#*/}"
    fi
  done
}

# reload_units has systemd read the units that have changed: each time costs more than all else a control does, so not after each change.
# The engine does it once more at the end.
reload_units() {
  [[ -e $RUN/units-changed ]] || return 0
  systemctl daemon-reload
  rm -f "$RUN/units-changed"
}

# A program that is cut off leaves the note to the next one.
units_changed() { : >"$RUN/units-changed"; }

# left_out_by_condition UNIT: systemd was asked to start it, and the unit itself says that it is not for such a machine (containers).
left_out_by_condition() {
  [[ $CONTAINER != none && $(systemctl show -P ConditionResult "$1") == no && $(systemctl show -P ConditionTimestampMonotonic "$1") != 0 ]]
}

# unit_state UNIT: "enabled/active". systemd answers in an order of its own.
unit_state() {
  local said file active
  said=$'\n'$(systemctl show -p UnitFileState,ActiveState "$1" 2>/dev/null || true)$'\n'
  file=${said##*$'\n'UnitFileState=} active=${said##*$'\n'ActiveState=}
  printf '%s/%s' "${file%%$'\n'*}" "${active%%$'\n'*}"
}

want_off() {
  local unit state
  for unit in "$@"; do
    state=$(systemctl show -P LoadState -P ActiveState "$unit" 2>/dev/null | paste -sd / || true)
    [[ $state != masked/inactive && $state != not-found/inactive ]] || continue
    if applying; then
      systemctl -q stop "$unit" 2>/dev/null || true
      systemctl -q --no-reload mask "$unit"
      # One that has failed would count as failed for good.
      systemctl -q reset-failed "$unit" 2>/dev/null || true
      units_changed
      changed "$unit masked"
    else
      drift "$unit" "masked and inactive" "$state"
    fi
  done
}
