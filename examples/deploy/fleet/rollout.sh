#!/bin/bash
# Puts a version on a fleet of telephone servers, canaries first, watches it by its metrics, and
# takes it back from every host that has it by then where it does worse than the one before.
#
#   rollout.sh [OPTIONS] BIN HOSTS
#
# BIN is the directory of the programs of a release, HOSTS a file with a host a line, canaries
# first; # begins a comment. Each host was set up by ../systemd/install.sh.
#
#   --services LIST   which run there: worker (default), api, emergency; "api worker"
#   --canaries N      hosts that are first, alone (1)
#   --watch S         seconds that these are watched (300)
#   --batch N         hosts at once after them (10)
#   --settle S        seconds that each batch is watched (60)
#   --worse PERCENT   points by which the share of failures may be above what it was (2)
#   --least N         attempts or requests below which a host isn't judged by that share (20)
#   --start S         seconds within which a host must be ready (120)
#
# What counts as a failure: of a worker an attempt that failed, or that came to no recording (absent,
# quarantined); of an API an answer of 5xx; of both a process that ends, isn't ready at two looks, or
# isn't the version. A host that has the version is left as it is, so that what was broken off is
# gone on with by the same command.
#
# FLEET_SSH is how a host is reached, as root: "ssh -o BatchMode=yes -o ConnectTimeout=10" unless it
# says otherwise. It exits 0 when every host has the version, 1 when it was taken back, 2 for wrong
# usage, 3 when a host couldn't be taken back and needs somebody.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,29s/^# \{0,1\}//p' "$0" >&2; exit 2; }
services=worker canaries=1 watch=300 batch=10 settle=60 worse=2 least=20 start=120
while [ $# -gt 0 ]; do
  case $1 in
  --services | --canaries | --watch | --batch | --settle | --worse | --least | --start)
    [ $# -gt 1 ] || usage
    printf -v "${1#--}" %s "$2"
    shift 2
    ;;
  -*) usage ;;
  *) break ;;
  esac
done
[ $# = 2 ] || usage
bin=$1 list=$2
ssh=${FLEET_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10}
for program in switchtape switchtape-api switchtape-worker; do
  [ -x "$bin/$program" ] || { echo "rollout: $bin/$program is no program" >&2; exit 2; }
done
mapfile -t hosts < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$list")
[ ${#hosts[@]} -gt 0 ] || { echo "rollout: $list names no host" >&2; exit 2; }
version=$("$bin/switchtape" --version | cut -d' ' -f2 | tr -d ,)
exec 9<"$list"
flock -n 9 || { echo "rollout: another rollout to $list goes on" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }
# on HOST ACTION ARGUMENTS: an action of host.sh there. No host holds the rollout up for ever.
on() {
  local host=$1
  shift
  timeout 180 $ssh "$host" sh -s -- "$@" <"$here/host.sh"
}

# changed has a file for every host that was switched, with what was measured before.
mkdir "$work/changed" "$work/said"

# give HOST: sends the version, and switches to it.
give() {
  local host=$1 was
  was=$(on "$host" version) || { echo "can't be reached"; return 1; }
  if [ "$was" = "$version" ] && on "$host" ready "$version" $services 2>/dev/null; then
    echo "has $version"
    return 0
  fi
  tar -C "$bin" -cf - switchtape switchtape-api switchtape-worker |
    timeout 600 $ssh "$host" "install -d /usr/local/lib/switchtape/releases/$version && tar -C /usr/local/lib/switchtape/releases/$version -xf -" || { echo "the programs can't be sent"; return 1; }
  on "$host" check "$version" $services 2>&1 || { echo "its settings aren't read by $version"; return 1; }
  on "$host" measure $services >"$work/before-$host" 2>/dev/null || echo "0 0 0" >"$work/before-$host"
  cp "$work/before-$host" "$work/changed/$host"
  on "$host" switch "$version" $services 2>&1 || { echo "can't be switched"; return 1; }
  local end=$((SECONDS + start))
  until on "$host" ready "$version" $services 2>"$work/why-$host"; do
    [ $SECONDS -lt $end ] || { echo "not ready within $start s: $(cat "$work/why-$host")"; return 1; }
    sleep 1
  done
  echo "from ${was:-nothing} to $version"
}

# judge HOST LOOKS: fails if the host does worse than before. LOOKS is how often in a row it wasn't ready.
judge() {
  local host=$1 total bad restarts before_total before_bad _
  [ -e "$work/changed/$host" ] || return 0
  if ! on "$host" ready "$version" $services 2>"$work/why-$host"; then
    echo $(($(cat "$work/unready-$host" 2>/dev/null || echo 0) + 1)) >"$work/unready-$host"
    [ "$(cat "$work/unready-$host")" -lt 2 ] && return 0
    echo "$(cat "$work/why-$host")"
    return 1
  fi
  rm -f "$work/unready-$host"
  read -r total bad restarts < <(on "$host" measure $services) || return 0 # the next look says more
  read -r before_total before_bad _ <"$work/changed/$host"
  if [ "${restarts:-0}" -gt 0 ]; then
    echo "a process of it has ended $restarts times"
    return 1
  fi
  if [ "$total" -ge "$least" ] && [ $((bad * 100 * (before_total > 0 ? before_total : 1))) -gt $((total * (before_bad * 100 + worse * (before_total > 0 ? before_total : 1)))) ]; then
    echo "$bad of $total failed; before it were $before_bad of $before_total"
    return 1
  fi
  echo "$total done, $bad failed" >"$work/said/$host"
}

# each FUNCTION HOST...: at all of them at once; fails if it failed at one.
each() {
  local f=$1 host failed=0
  shift
  for host; do (
    set +e
    "$f" "$host" >"$work/out-$host" 2>&1
    echo $? >"$work/rc-$host"
  ) & done
  wait
  for host; do
    [ ! -s "$work/out-$host" ] || say "$host: $(tr '\n' ' ' <"$work/out-$host")"
    [ "$(cat "$work/rc-$host")" = 0 ] || failed=1
  done
  return $failed
}

back() { on "$1" back $services 2>&1 && echo "has the version before again"; }

# take_back takes the version back from every host that was given it.
take_back() {
  local all
  all=$(ls "$work/changed")
  say "$version is taken back from: ${all:-none}" | tr '\n' ' '
  echo
  [ -z "$all" ] || each back $all || { say "somebody must look at these hosts: not all could be taken back"; exit 3; }
  exit 1
}

# round WATCH HOST...
round() {
  local seconds=$1 end
  shift
  say "$version to $*"
  each give "$@" || take_back
  end=$((SECONDS + seconds))
  while [ $SECONDS -lt $end ]; do
    sleep "$((end - SECONDS < 5 ? 1 : 5))"
    # Those before are watched as well: what is wrong with a version may take its time.
    each judge $(ls "$work/changed") || take_back
  done
  for host; do [ ! -e "$work/said/$host" ] || say "$host: $(cat "$work/said/$host")"; done
}

round "$watch" "${hosts[@]:0:canaries}"
for ((i = canaries; i < ${#hosts[@]}; i += batch)); do
  round "$settle" "${hosts[@]:i:batch}"
done
say "${#hosts[@]} hosts have $version"
