#!/usr/bin/env bash
# Install what packages.txt lists and this machine lacks: Debian packages with apt, PyPI packages into .venv.
# A no-op of a few milliseconds when nothing has changed since the last run.
#
#   scripts/setup.sh          what is needed to build, run and test
#   scripts/setup.sh bench    also the peers that `make bench` measures against
#   scripts/setup.sh hw       also what synthesises and proves hardware
set -euo pipefail
cd "$(dirname "$0")/.."

kinds=(pip "$@")
stamp=".venv/setup-$(IFS=-; echo "${kinds[*]}")-$(sha256sum packages.txt | cut -c1-16)"
[ -e "$stamp" ] && exit 0

# Names of one kind, one a line.
listed() { awk -v kind="$1" '$1 == kind { print $2 }' packages.txt; }

missing=()
for name in $(listed apt) $(for kind in "$@"; do listed "$kind-apt"; done); do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$name")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "setup: apt installs ${missing[*]}"
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
for kind in "${kinds[@]}"; do
  echo "setup: pip installs the '$kind' packages into .venv"
  listed "$kind" | .venv/bin/pip install -q --disable-pip-version-check -r /dev/stdin
done
touch "$stamp"
