#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages that are missing, as root or through sudo;
# without either it prints the one command to run and fails. Silent when nothing is missing.
set -u
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
run=
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		run=sudo
	elif command -v sudo >/dev/null && [ -t 0 ]; then
		run=sudo
	else
		printf 'Packages are missing. As root, run:\n  apt-get update && apt-get install -y --no-install-recommends%s\n' "$missing" >&2
		exit 1
	fi
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A name server package must not start a service on this machine.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $run tee $policy >/dev/null && $run chmod +x $policy && made=1
fi
$run apt-get update -q >/dev/null && $run apt-get install -y -q --no-install-recommends $missing >/dev/null
status=$?
[ -n "$made" ] && $run rm -f $policy
[ $status = 0 ] || echo "apt-get could not install:$missing" >&2
exit $status
