#!/usr/bin/env bash
# Lets a node of the sandbox's network join, once; at later starts goloop does so by itself.
set -euo pipefail

socket=$1
for ((i = 0; i < 120; i++)); do
  if goloop system info -s "$socket" >/dev/null 2>&1; then break; fi
  sleep 0.25
done
if goloop chain inspect -s "$socket" "$CID" >/dev/null 2>&1; then exit 0; fi
goloop chain join -s "$socket" --genesis /etc/peer/genesis.zip --channel "$CHANNEL" --auto_start --role "$ROLE" --seed "$SEEDS"
goloop chain start -s "$socket" "$CID"
