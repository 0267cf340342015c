package codec

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
)

// RawByName is what a file of that name holds if it has no header, by its extension; nil
// if that doesn't tell. name is a path, with slashes of either kind, or a URL. The
// extensions are those of Asterisk's formats (formats/format_*.c, main/format*.c), of sox
// and of ffmpeg. An extension that programs give to several formats, like .raw, doesn't
// tell.
func RawByName(name string) *record.RawFormat {
	if strings.Contains(name, "://") {
		name, _, _ = strings.Cut(name, "?")
	}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(strings.ReplaceAll(name, "\\", "/")), "."))
	const telephone, wide = 8000, 16000
	switch ext {
	case "ulaw", "mulaw", "pcmu", "ul", "mu", "ulw":
		return &record.RawFormat{Encoding: "mulaw", SampleRateHz: telephone}
	case "alaw", "pcma", "al", "alw":
		return &record.RawFormat{Encoding: "alaw", SampleRateHz: telephone}
	case "gsm":
		return &record.RawFormat{Encoding: "gsm", SampleRateHz: telephone}
	case "g722":
		return &record.RawFormat{Encoding: "g722", SampleRateHz: wide}
	case "g726", "g726-32", "g721":
		return &record.RawFormat{Encoding: "g726-32", SampleRateHz: telephone}
	case "g726-16", "g726-24", "g726-40":
		return &record.RawFormat{Encoding: ext, SampleRateHz: telephone}
	case "g726aal2":
		return &record.RawFormat{Encoding: "aal2-g726-32", SampleRateHz: telephone}
	case "vox":
		return &record.RawFormat{Encoding: "vox", SampleRateHz: telephone}
	case "ima":
		return &record.RawFormat{Encoding: "ima", SampleRateHz: telephone}
	}
	return linearByName(ext)
}

// linearByName is RawByName of Asterisk's signed linear formats, which have the rate in
// thousands behind them.
func linearByName(ext string) *record.RawFormat {
	khz, ok := strings.CutPrefix(ext, "slin")
	if !ok {
		khz, ok = strings.CutPrefix(ext, "sln")
	}
	if !ok {
		return nil
	}
	rate, ok := map[string]int{
		"": 8000, "12": 12000, "16": 16000, "24": 24000, "32": 32000, "44": 44100, "48": 48000, "96": 96000, "192": 192000,
	}[khz]
	if !ok {
		return nil
	}
	return &record.RawFormat{Encoding: "s16le", SampleRateHz: rate}
}

// assumedByName is the defect of a stream that was read by its name.
func assumedByName(name string, raw *record.RawFormat) record.Defect {
	return record.Defect{
		Code: record.DefectFormatAssumed,
		Detail: fmt.Sprintf("nothing in the file says what it is; by its name's %s it was read as %s at %d Hz",
			path.Ext(name), raw.Encoding, raw.SampleRateHz),
	}
}

// proseOf reports whether head is text with words in it, which no audio looks like.
func proseOf(head []byte) bool { return bytes.ContainsAny(head, " \n") && text(head) }
