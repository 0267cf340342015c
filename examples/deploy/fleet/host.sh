# What rollout.sh does on a host: it is sent there over its connection, and nothing of it stays.
# Usage: sh -s -- ACTION ARGUMENTS <host.sh, as root.
set -eu
lib=/usr/local/lib/switchtape bin=/usr/local/bin
programs="switchtape switchtape-api switchtape-worker"

# kind and settings of a service
kind() { case $1 in emergency) echo api ;; *) echo "$1" ;; esac; }
settings() { case $1 in emergency) echo /etc/switchtape/emergency.yaml ;; *) echo /etc/switchtape/switchtape.yaml ;; esac; }

# setting SERVICE NAME: what a service is told, as the program itself reads it.
setting() {
  "$bin/switchtape" config print "$(kind "$1")" --config "$(settings "$1")" | sed -n "s/^ *$2: *\"\{0,1\}\([^\" #]*\).*/\1/p" | head -1
}

# page SERVICE PATH: an answer of its probes or metrics.
page() {
  at=$(setting "$1" admin-listener) scheme=http
  if [ -z "$at" ]; then
    at=$(setting "$1" listen)
    [ -z "$(setting "$1" tls-cert)" ] || scheme=https
  fi
  case $at in 0.0.0.0:* | \[::\]:* | :*) at=127.0.0.1:${at##*:} ;; esac
  curl -fsSk --max-time 5 "$scheme://$at$2"
}

action=$1
shift
case $action in
version) # of what is installed; nothing if nothing is
  [ ! -x "$bin/switchtape" ] || "$bin/switchtape" --version | cut -d' ' -f2 | tr -d ,
  ;;
check) # VERSION SERVICE...: what was sent reads the settings
  version=$1
  shift
  for service; do
    "$lib/releases/$version/switchtape" config check "$(kind "$service")" --config "$(settings "$service")"
  done
  ;;
switch) # VERSION SERVICE...: keeps what is installed, puts VERSION in its place, restarts
  version=$1
  shift
  install -d "$lib/previous"
  for program in $programs; do
    [ ! -e "$bin/$program" ] || cp -p "$bin/$program" "$lib/previous/$program"
    install -m 0755 "$lib/releases/$version/$program" "$bin/.$program.new"
    mv "$bin/.$program.new" "$bin/$program" # what runs keeps its file
  done
  for service; do systemctl restart "switchtape-$service"; done
  ;;
back) # SERVICE...: what was kept, in its place again
  for program in $programs; do
    [ -e "$lib/previous/$program" ] || { echo "$lib/previous/$program isn't there" >&2; exit 1; }
    install -m 0755 "$lib/previous/$program" "$bin/.$program.new"
    mv "$bin/.$program.new" "$bin/$program"
  done
  for service; do systemctl restart "switchtape-$service"; done
  ;;
ready) # VERSION SERVICE...: each runs, is ready, and is VERSION
  version=$1
  shift
  for service; do
    systemctl is-active --quiet "switchtape-$service" || { echo "switchtape-$service doesn't run" >&2; exit 1; }
    page "$service" /readyz >/dev/null || { echo "switchtape-$service isn't ready" >&2; exit 1; }
    page "$service" /metrics | grep -q "^switchtape_build_info{.*version=\"$version\"" || { echo "switchtape-$service is another version" >&2; exit 1; }
  done
  ;;
measure) # SERVICE...: "TOTAL BAD RESTARTS", since each was started
  total=0 bad=0 restarts=0
  for service; do
    n=$(page "$service" /metrics | awk -v kind="$(kind "$service")" '
      kind == "worker" && /^switchtape_recording_attempts_total\{/ && /outcome="(done|published|failed|quarantined)"/ {
        total += $NF; if (/outcome="(failed|quarantined)"/ || /status="(absent|quarantined)"/) bad += $NF }
      kind == "api" && /^switchtape_http_request_duration_seconds_count\{/ { total += $NF; if (/code="5/) bad += $NF }
      END { printf "%d %d", total, bad }')
    total=$((total + ${n% *})) bad=$((bad + ${n#* }))
    restarts=$((restarts + $(systemctl show -p NRestarts --value "switchtape-$service")))
  done
  echo "$total $bad $restarts"
  ;;
*)
  echo "host.sh: no action $action" >&2
  exit 2
  ;;
esac
