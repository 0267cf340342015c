#!/bin/sh
# Writes what is said in a WAV file of 16 kHz, one channel.
set -eu
if command -v pocketsphinx_continuous >/dev/null 2>&1; then
  pocketsphinx_continuous -infile "$1" -logfn /dev/null
else
  bytes=$(($(wc -c <"$1") - 44))
  echo "($((bytes / 32)) ms of speech; pocketsphinx isn't installed)"
fi
