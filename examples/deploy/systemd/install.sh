#!/bin/sh
# Installs Switchtape on a machine with systemd: programs, units, user, settings. It may be
# repeated, as for a new version: settings that are there stay, and what runs is restarted
# only by --start.
#
#   install.sh [--start] BIN [api] [emergency] [worker] [backup]
#
# BIN is the directory of the programs of a release. Without names: worker, as for a
# telephone server; backup is for one machine, each night. DESTDIR installs below another
# root, as for a package, and touches no running system.
set -eu

start=
[ "${1:-}" != --start ] || { start=1; shift; }
[ $# -ge 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
bin=$1; shift
[ $# -gt 0 ] || set -- worker
here=$(dirname "$0")
root=${DESTDIR:-}

for service; do
  [ -e "$here/switchtape-$service.service" ] || { echo "install.sh: there is no service $service: api, emergency, worker and backup are there" >&2; exit 2; }
done
for program in switchtape switchtape-api switchtape-worker; do
  [ -x "$bin/$program" ] || { echo "install.sh: $bin/$program is no program" >&2; exit 1; }
done

install -d "$root/usr/local/bin" "$root/etc/switchtape" "$root/etc/systemd/system" "$root/etc/sysusers.d"
for program in switchtape switchtape-api switchtape-worker; do
  # By a rename: what runs keeps its file.
  install -m 0755 "$bin/$program" "$root/usr/local/bin/.$program.new"
  mv "$root/usr/local/bin/.$program.new" "$root/usr/local/bin/$program"
done
install -m 0644 "$here/switchtape.sysusers" "$root/etc/sysusers.d/switchtape.conf"
for settings in switchtape.yaml emergency.yaml; do
  [ -e "$root/etc/switchtape/$settings" ] || install -m 0640 "$here/$settings" "$root/etc/switchtape/$settings"
done
for service; do
  install -m 0644 "$here/switchtape-$service.service" "$root/etc/systemd/system/switchtape-$service.service"
  [ "$service" = backup ] || continue
  install -m 0644 "$here/switchtape-backup.timer" "$root/etc/systemd/system/switchtape-backup.timer"
  install -d "$root/usr/local/lib/switchtape"
  install -m 0755 "$here/../backup/backup.sh" "$root/usr/local/lib/switchtape/backup.sh"
done
[ -z "$root" ] || exit 0

systemd-sysusers
chgrp switchtape /etc/switchtape/switchtape.yaml /etc/switchtape/emergency.yaml
systemctl daemon-reload
for service; do
  if [ "$service" = backup ]; then
    systemctl enable ${start:+--now} switchtape-backup.timer
    continue
  fi
  settings=/etc/switchtape/switchtape.yaml kind=$service
  [ "$service" != emergency ] || { settings=/etc/switchtape/emergency.yaml kind=api; }
  switchtape config check "$kind" --config "$settings"
  systemctl enable "switchtape-$service"
  [ -z "$start" ] || systemctl restart "switchtape-$service"
done
[ -n "$start" ] || echo "Write /etc/switchtape/db-url and the settings, see what doctor says, and start: systemctl start $(printf 'switchtape-%s ' "$@")"
