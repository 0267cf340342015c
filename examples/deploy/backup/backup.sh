#!/bin/bash
# Dumps Switchtape's PostgreSQL database, restores the dump into a server of its own, and
# compares: a back-up that was never restored is none.
#
#   backup.sh URL|@FILE DIR
#
# URL is postgres://user:password@host/database; @FILE has it in a file, as the programs take
# it. DIR gets switchtape-TIME.dump (pg_dump's custom form) and its SHA-256. Dumps older than
# KEEP_DAYS (7) are removed, once the new one is proven. It exits 0 only if the dump was
# restored with every row that it was made of.
#
# Recordings are in buckets: those have versions and replication of their own. A dump older than
# its bucket names no object that isn't there; what the bucket has more is told by
# switchtape verify.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
url=$1 dir=$2
case $url in @*) url=$(cat "${url#@}") ;; esac
# A password in an argument is in the list of processes.
if [[ $url =~ ^(postgres(ql)?://[^:@/]+):([^@/]*)@(.*)$ ]]; then
  password=${BASH_REMATCH[3]} url=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
  printf -v PGPASSWORD %b "${password//%/\\x}"
  export PGPASSWORD
fi
say() { echo "backup: $*" >&2; }
programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)")
[ "$programs" != . ] || programs=$(dirname "$(command -v initdb)") # not Debian
work=$(mktemp -d)
dump="$dir/switchtape-$(date -u +%Y%m%dT%H%M%SZ).dump"
end() {
  if [ -e "$work/data/postmaster.pid" ]; then "$programs/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true; fi
  rm -rf "$work" "$dump.new"
}
trap end EXIT

# The rows of every table, in name's order, as the connection's transaction sees them.
rows="SELECT format('SELECT %L, count(*) FROM %I.%I', relname, nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY nspname, relname \gexec"

# One transaction holds the moment that is dumped, and counts its rows meanwhile.
coproc holder { psql -X -q -A -t -v ON_ERROR_STOP=1 "$url" 2>"$work/psql"; }
printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' 'SELECT pg_export_snapshot();' >&"${holder[1]}"
read -r -t 60 snapshot <&"${holder[0]}" || { say "the database doesn't answer: $(cat "$work/psql")"; exit 1; }
say "dumping"
"$programs/pg_dump" --format=custom --compress=6 --no-owner --no-privileges --snapshot="$snapshot" --file="$dump.new" "$url"
printf '%s\n' "$rows" "\\echo end" >&"${holder[1]}"
while read -r -t 3600 line <&"${holder[0]}" && [ "$line" != end ]; do echo "$line"; done >"$work/before"
printf '%s\n' 'COMMIT;' '\q' >&"${holder[1]}" || true
[ -s "$work/before" ] || { say "no table was counted: $(cat "$work/psql")"; exit 1; }

say "restoring into a server of its own"
as=()
if [ "$(id -u)" = 0 ]; then # PostgreSQL doesn't run as root
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  chmod 755 "$work"
  install -d -o postgres "$work/data" "$work/socket"
else
  mkdir "$work/data" "$work/socket"
fi
(
  cd "$work"
  "${as[@]}" "$programs/initdb" -D "$work/data" -U postgres -A trust --no-sync >"$work/log" 2>&1
  "${as[@]}" "$programs/pg_ctl" -D "$work/data" -w -t 60 -l /dev/null -o "-c listen_addresses='' -c unix_socket_directories=$work/socket -c fsync=off -c jit=off -c max_wal_size=4GB" start >>"$work/log" 2>&1
) || { say "the server for the test can't be started: $(tail -5 "$work/log")"; exit 1; }
unset PGPASSWORD
restored=(-h "$work/socket" -U postgres)
"$programs/createdb" "${restored[@]}" restored
"$programs/pg_restore" "${restored[@]}" -d restored --no-owner --exit-on-error --jobs=2 "$dump.new"
psql -X -q -A -t -v ON_ERROR_STOP=1 "${restored[@]}" -d restored <<<"$rows" >"$work/after"
if ! diff "$work/before" "$work/after" >&2; then
  say "what was restored (>) isn't what was dumped (<)"
  exit 1
fi
mv "$dump.new" "$dump"
(cd "$dir" && sha256sum "$(basename "$dump")" >"$(basename "$dump").sha256")
sync -f "$dump"
find "$dir" -maxdepth 1 -name 'switchtape-*.dump*' -mtime "+${KEEP_DAYS:-7}" ! -path "$dump*" -delete
say "$dump: $(wc -l <"$work/before") tables, $(awk -F'|' '{n += $2} END {print n}' "$work/before") rows, restored and compared"
