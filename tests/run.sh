#!/bin/sh
# run.sh BUILD: what `make run` does once everything is built: a state folder and a configuration beside BUILD, the
# sample list imported, sinkholed in the foreground on 127.0.0.1@5300 and [::1]@5300 until Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
build=$1
run=$(dirname "$build")/run
port=5300
mkdir -p "$run/state"
run=$(cd "$run" && pwd)
conf=$run/sinkholed.yaml
# An edited file is kept: it is there to be played with.
[ -e "$conf" ] || cat >"$conf" <<END
# Written by \`make run\`; edit it as you like, or remove it to get this one again.
# All keys: $build/sinkholed --help-config
listen: [127.0.0.1@$port, "::1@$port"]
allow: [127.0.0.0/8, "::1/128"]
state: $run/state
user: ""
node: run
END
"$build/sinkhole-blocklist" -c "$conf" import --list sample zones/sample.txt
name=$(grep -m 1 -E '^[a-z0-9.-]+$' zones/sample.txt)
conf=${conf#"$PWD/"}
cat <<END

sinkholed is starting on 127.0.0.1 and ::1, port $port. Three commands worth trying in another terminal:
  dig @127.0.0.1 -p $port $name     listed: the sinkhole's address, and why
  $build/sinkhole-hits -c $conf top clients
  dig @::1 -p $port www.debian.org           not listed: recursion (without a network: SERVFAIL, and why)
Take it off the list and ask again: $build/sinkhole-blocklist -c $conf remove $name --list sample --reason try
Ctrl-C ends it.

END
exec "$build/sinkholed" -c "$conf"
