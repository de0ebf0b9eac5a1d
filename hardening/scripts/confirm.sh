#!/usr/bin/env bash
# Run by a new login while a trial waits for one (scripts/engine). Its argument is that login's $SSH_CONNECTION.
set -euo pipefail
ROLLBACK=/var/lib/icon/hardening/rollback RUN=/run/icon/hardening
[[ -e $ROLLBACK/armed && -e $RUN/awaiting ]] || { echo "no trial" && exit 0; }
[[ -n ${1-} && $1 != "$(<"$ROLLBACK/session")" ]] || { echo "the same login" && exit 1; }
: >"$RUN/confirmed"
echo confirmed
