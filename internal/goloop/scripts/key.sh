# shellcheck shell=bash disable=SC2154
# The step "key": user, directories, the node's software, and the node key. A key that is there is kept; none is ever overwritten.

apply() {
  if ! getent passwd icon-node >/dev/null; then
    useradd --system --user-group --home-dir "$DATA_DIR" --no-create-home --shell /usr/sbin/nologin icon-node
    changed "user icon-node"
  fi
  directory 0755 root:root /etc/icon
  directory 0750 root:icon-node /etc/icon/node
  adopt
  local sub
  for sub in '' /chain /key /logs; do directory 0700 icon-node:icon-node "$DATA_DIR$sub"; done
  case $RUNTIME in
    binary) install_binary ;;
    container) install_image ;;
  esac
  if [[ -n $IMPORT_ADDRESS ]]; then import_key; else bear_key; fi
  own_key
  local address
  address=$(key_address "$DATA_DIR/key/keystore.json")
  [[ -n $address ]] || fail "the keystore $DATA_DIR/key/keystore.json names no address (\"address\":\"hx…\"): it is no node key"
  summary "address=$address"
}

# remove keeps chain and key for a later deploy, unless the operator asked for them to be wiped. They fall to root, as the user goes.
remove() {
  if [[ $ON_DESTROY == wipe ]]; then
    find "$DATA_DIR/key" -type f -exec shred -u {} + 2>/dev/null || true
    rm -rf "$DATA_DIR"
    changed "$DATA_DIR wiped"
  elif [[ -d $DATA_DIR ]]; then
    chown -R root:root "$DATA_DIR"
    chmod 0700 "$DATA_DIR"
  fi
  if getent passwd icon-node >/dev/null; then userdel icon-node; fi
  rm -rf /etc/icon/node /usr/local/lib/icon/goloop /var/tmp/icon-upload
  if [[ $RUNTIME == container ]] && command -v "$ENGINE" >/dev/null; then "$ENGINE" image rm -f "$IMAGE" >/dev/null 2>&1 || true; fi
}

# Data that an earlier deploy left belongs to root since its user went.
adopt() {
  if [[ -d $DATA_DIR && $(stat -c %U "$DATA_DIR") != icon-node ]]; then
    chown -R icon-node:icon-node "$DATA_DIR"
    changed "$DATA_DIR taken over"
  fi
}

install_binary() {
  local have=''
  [[ ! -e /usr/local/lib/icon/goloop ]] || have=$(sha256sum /usr/local/lib/icon/goloop | cut -d' ' -f1)
  [[ $have != "$BINARY_SHA256" ]] || return 0
  [[ -e $BINARY_STAGED ]] || fail "the goloop binary was not found at $BINARY_STAGED, where the copy step puts it: run pulumi up again with --replace for that step"
  local got
  got=$(sha256sum "$BINARY_STAGED" | cut -d' ' -f1)
  [[ $got == "$BINARY_SHA256" ]] || fail "the copied goloop binary has SHA-256 $got, expected $BINARY_SHA256: it was damaged or changed on its way to the host"
  install -d -m 0755 /usr/local/lib/icon
  # A running executable can be replaced, but not written to.
  install -m 0755 "$BINARY_STAGED" /usr/local/lib/icon/goloop.new
  /usr/local/lib/icon/goloop.new version >/dev/null 2>&1 || fail "the goloop binary does not run on this machine ($(uname -m)): build it for this architecture"
  mv -f /usr/local/lib/icon/goloop.new /usr/local/lib/icon/goloop
  rm -f "$BINARY_STAGED"
  changed /usr/local/lib/icon/goloop
}

install_image() {
  case $ENGINE in
    podman) packages podman ;;
    docker) packages docker.io ;;
  esac
  "$ENGINE" image inspect "$IMAGE" >/dev/null 2>&1 && return 0
  if [[ -n $ARCHIVE ]]; then
    "$ENGINE" load -q -i "$ARCHIVE" || fail_log "the image archive could not be loaded"
    rm -f "$ARCHIVE"
    "$ENGINE" image inspect "$IMAGE" >/dev/null 2>&1 || fail "the image archive does not hold $IMAGE (icon:node.container.image): its digest differs"
  else
    "$ENGINE" pull -q "$IMAGE" || fail_log "the image $IMAGE could not be pulled: can this host reach the registry (icon:maintenance)? If it must not, set icon:node.container.archive"
  fi
  changed "image $IMAGE"
}

# goloop runs the node's own tool, as the node's user or in its image.
goloop() {
  case $RUNTIME in
    binary) runuser -u icon-node -- /usr/local/lib/icon/goloop "$@" ;;
    container) "$ENGINE" run --rm --network none --volume "$DATA_DIR/key:$DATA_DIR/key" --entrypoint goloop "$IMAGE" "$@" ;;
  esac
}

# key_address KEYSTORE
key_address() { sed -n 's/.*"address" *: *"\(hx[0-9a-f]\{40\}\)".*/\1/p' "$1" | head -n 1; }

bear_key() {
  local key=$DATA_DIR/key
  if [[ -e $key/keystore.json ]]; then
    [[ -e $key/password ]] || fail "the node key $key/keystore.json has no password file beside it: put the password into $key/password (no line end), or move the key away for a new one to be born"
    return 0
  fi
  directory 0700 icon-node:icon-node "$key/new"
  # 32 random bytes; goloop takes the file's whole content, so no line end.
  head -c 32 /dev/urandom | base64 -w 0 >"$key/new/password"
  chown icon-node:icon-node "$key/new/password"
  chmod 0400 "$key/new/password"
  goloop ks gen --out "$key/new/keystore.json" --secret "$key/new/password" >/dev/null || fail_log "goloop could not make a node key"
  # The keystore comes last: where it is, its password is.
  mv "$key/new/password" "$key/password"
  mv "$key/new/keystore.json" "$key/keystore.json"
  rmdir "$key/new"
  changed "node key born"
}

# import_key proves the new key before it takes the place of what is there.
import_key() {
  local key=$DATA_DIR/key have f verdict
  if [[ -e $key/keystore.json ]]; then
    have=$(key_address "$key/keystore.json")
    [[ $have == "$IMPORT_ADDRESS" ]] || fail "this host already holds the node key $have, but icon:importedKeys wants $IMPORT_ADDRESS: a key is never overwritten. Move $key away on the host, once you are sure that it is not needed"
    if cmp -s "$STEP_DIR/keystore.json" "$key/keystore.json" && cmp -s "$STEP_DIR/password" "$key/password"; then return 0; fi
  fi
  directory 0700 icon-node:icon-node "$key/new"
  for f in password keystore.json; do install -m 0400 -o icon-node -g icon-node "$STEP_DIR/$f" "$key/new/$f"; done
  have=$(key_address "$key/new/keystore.json")
  verdict=$(goloop ks verify --secret "$key/new/password" "$key/new/keystore.json" 2>/dev/null) || true
  if [[ $have != "$IMPORT_ADDRESS" || $verdict != *SUCCESS* ]]; then
    rm -rf "$key/new"
    [[ $have == "$IMPORT_ADDRESS" ]] || fail "the keystore to import here is of ${have:-no address}, icon:importedKeys wants $IMPORT_ADDRESS. Nothing was changed"
    fail "the keystore for this host in icon:keystores does not open with its password. Nothing was changed"
  fi
  mv -f "$key/new/password" "$key/password"
  mv -f "$key/new/keystore.json" "$key/keystore.json"
  rmdir "$key/new"
  changed "node key imported"
}

own_key() {
  local f
  for f in keystore.json password; do
    if [[ $(stat -c '%a %U' "$DATA_DIR/key/$f") != '400 icon-node' ]]; then
      chown icon-node:icon-node "$DATA_DIR/key/$f"
      chmod 0400 "$DATA_DIR/key/$f"
      changed "$DATA_DIR/key/$f owned by icon-node"
    fi
  done
}
