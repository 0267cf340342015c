package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/codec"
)

// rawKeys are what can be said of a file without a header.
var rawKeys = []string{"encoding", "rate", "channels"}

// parseRaw takes ;encoding=…;rate=…;channels=… off a file that may have no header. raw is
// nil if none is there. What isn't said is by the file's name, or its encoding.
func parseRaw(flag, arg string) (file string, raw *record.RawFormat, err error) {
	file, options := splitRaw(arg)
	if len(options) == 0 {
		return file, nil, nil
	}
	said := map[string]string{}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if _, twice := said[key]; twice {
			return "", nil, cli.Usagef("%s %s: %s is given twice", flag, arg, key)
		}
		said[key] = value
	}
	named := codec.RawByName(withoutOffset(file))
	if named == nil {
		named = &record.RawFormat{}
	}
	raw = &record.RawFormat{Encoding: cmp.Or(said["encoding"], named.Encoding)}
	if raw.Encoding == "" {
		return "", nil, cli.Usagef("%s %s: say the encoding, too: one of %s", flag, arg, strings.Join(record.RawEncodings(), ", "))
	}
	if !slices.Contains(record.RawEncodings(), raw.Encoding) {
		return "", nil, cli.Usagef("%s %s: no encoding %q; give one of %s", flag, arg, raw.Encoding, strings.Join(record.RawEncodings(), ", "))
	}
	raw.SampleRateHz = rawRate(raw.Encoding)
	if raw.Encoding == named.Encoding {
		raw.SampleRateHz = named.SampleRateHz
	}
	for key, to := range map[string]*int{"rate": &raw.SampleRateHz, "channels": &raw.Channels} {
		value, ok := said[key]
		if !ok {
			continue
		}
		if *to, err = strconv.Atoi(value); err != nil || *to <= 0 {
			return "", nil, cli.Usagef("%s %s: %s=%s is no number of 1 or more", flag, arg, key, value)
		}
	}
	return file, raw, nil
}

// splitRaw splits the options off a file's name, which may itself hold a semicolon: they
// are those of the known keys, and behind them all is an option.
func splitRaw(arg string) (file string, options []string) {
	parts := strings.Split(arg, ";")
	n := len(parts)
	for n > 1 {
		key, _, ok := strings.Cut(parts[n-1], "=")
		if !ok || !slices.Contains(rawKeys, key) {
			break
		}
		n--
	}
	return strings.Join(parts[:n], ";"), parts[n:]
}

// withoutOffset is a leg's file without what may be an offset behind it.
func withoutOffset(file string) string {
	if i := strings.LastIndexByte(file, '@'); i > 0 {
		return file[:i]
	}
	return file
}

// rawRate is the sample rate, in Hz, that an encoding has if none is said.
func rawRate(encoding string) int {
	if encoding == "g722" {
		return 16000
	}
	return record.DefaultSampleRate
}

// sayRaw is what to do about a file of that name that nothing recognises; "" for another
// error.
func sayRaw(err error, example string) string {
	if decode, ok := errors.AsType[*codec.DecodeError](err); !ok || decode.Code != record.DefectUnreadableLeg {
		return ""
	}
	return "; if it has no header, say what it holds behind its name: '" + example + ";encoding=mulaw;rate=8000;channels=1'"
}
