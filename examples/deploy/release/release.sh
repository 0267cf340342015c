#!/bin/bash
# Makes what a release consists of, from a clean checkout, into DIR:
#
#   switchtape-VERSION-linux-amd64.tar.gz, -arm64: programs, man pages, completions, what deploys them
#   switchtape-VERSION.cdx.json                    what is linked in (CycloneDX), with licences
#   switchtape-VERSION.md                          the changelog's section: the release's text
#   SHA256SUMS                                     of all of them
#
#   release.sh VERSION DIR      some 3 minutes on two processors, the first time
#
# The same commit gives the same bytes. It needs Go, and git; cyclonedx-gomod is installed if it
# isn't there. VERSION is a heading of CHANGELOG.md.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=${1#v}
mkdir -p "$2"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
export PATH="$(go env GOPATH)/bin:$PATH"
say() { echo "release: $*" >&2; }
if [ -n "$(git status --porcelain)" ]; then say "there are changes that no commit has"; exit 1; fi

notes="$out/switchtape-$version.md"
awk -v version="$version" '/^## / {on = ($2 == version || $2 == "[" version "]"); next} on' CHANGELOG.md | sed '/./,$!d' >"$notes"
[ -s "$notes" ] || { say "CHANGELOG.md has no section $version"; exit 1; }
command -v cyclonedx-gomod >/dev/null || go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH CGO_ENABLED=0
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)

for arch in amd64 arm64; do
  name=switchtape-$version-linux-$arch
  say "$name"
  VERSION=$version OS=linux ARCH=$arch bash "$here/build.sh" "$work/$name/bin"
  mkdir -p "$work/$name/man" "$work/$name/completions"
  cp LICENSE NOTICE README.md "$work/$name/"
  cp -rL examples/deploy/systemd examples/deploy/backup examples/deploy/front examples/deploy/prometheus examples/docs "$work/$name/"
  find "$work/$name" -name '*_test.go' -delete
done
# What the programs say is the same on each machine: this one's says it.
for arch in amd64 arm64; do
  name=$work/switchtape-$version-linux-$arch
  run="$work/switchtape-$version-linux-$(go env GOARCH)/bin/switchtape"
  "$run" man >"$name/man/switchtape.1"
  for shell in bash zsh fish; do "$run" completion "$shell" >"$name/completions/switchtape.$shell"; done
  [ "$("$run" --version | cut -d' ' -f2 | tr -d ,)" = "$version" ] || { say "the program says it is $("$run" --version)"; exit 1; }
done
for arch in amd64 arm64; do
  name=switchtape-$version-linux-$arch
  tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
done
say "what is linked in"
cyclonedx-gomod app -json -licenses -noserial -output-version 1.6 -main cmd/switchtape-api -output "$out/switchtape-$version.cdx.json" . 2>"$work/sbom" || { cat "$work/sbom" >&2; exit 1; }
# It is of the commit's time, not of the machine's.
at=$(TZ=UTC0 date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
sed -i "s/^\( *\"timestamp\": \)\"[^\"]*\"/\1\"$at\"/" "$out/switchtape-$version.cdx.json"
(cd "$out" && sha256sum switchtape-"$version"* >SHA256SUMS)
say "done: $out"
