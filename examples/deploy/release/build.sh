#!/bin/bash
# Builds the three programs as a release has them: static, for OS and ARCH (this machine's),
# with VERSION (devel) in them, into DIR.
#
#   VERSION=0.1.0 OS=linux ARCH=arm64 build.sh DIR
set -euo pipefail
[ $# = 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../../.."
CGO_ENABLED=0 GOOS=${OS:-$(go env GOOS)} GOARCH=${ARCH:-$(go env GOARCH)} go build -trimpath \
  -ldflags "-s -w -X github.com/switchtape/switchtape/cmd/internal/cli.release=${VERSION:-devel}" \
  -o "$out/" ./cmd/switchtape ./cmd/switchtape-api ./cmd/switchtape-worker
