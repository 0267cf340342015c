#!/bin/bash
# Restores a dump of backup.sh into an empty database, all of it or nothing.
#
#   restore.sh DUMP URL|@FILE
#
# Then start the programs with --migrate, or run switchtape migrate up, and see what
# switchtape verify says: what is in the buckets and was made after the dump is adopted by
# switchtape adopt.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dump=$1 url=$2
case $url in @*) url=$(cat "${url#@}") ;; esac
# A password in an argument is in the list of processes.
if [[ $url =~ ^(postgres(ql)?://[^:@/]+):([^@/]*)@(.*)$ ]]; then
  password=${BASH_REMATCH[3]} url=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
  printf -v PGPASSWORD %b "${password//%/\\x}"
  export PGPASSWORD
fi
if [ -e "$dump.sha256" ]; then (cd "$(dirname "$dump")" && sha256sum --quiet -c "$(basename "$dump").sha256"); fi
there=$(psql -X -q -A -t -v ON_ERROR_STOP=1 "$url" -c "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
if [ "$there" != 0 ]; then
  echo "restore: the database has $there tables: give an empty one" >&2
  exit 1
fi
programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)")
[ "$programs" != . ] || programs=$(dirname "$(command -v initdb)") # not Debian
"$programs/pg_restore" --no-owner --exit-on-error --single-transaction -d "$url" "$dump"
echo "restore: $dump is in place" >&2
