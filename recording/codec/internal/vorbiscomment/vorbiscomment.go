// Package vorbiscomment writes the comments that FLAC and Opus streams share.
package vorbiscomment

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/recording/codec"
)

// Append appends a comment header without the framing bit: the vendor, and the
// tags with their names in capitals, as is the custom (Xiph.org, "Ogg Vorbis I
// format specification: comment field and header specification"; RFC 9639
// § 8.6; RFC 7845 § 5.2). Values that aren't UTF-8 are mended. It may take up to
// most bytes. name is the codec's, for the [*codec.UnsupportedError].
func Append(b []byte, name, vendor string, tags []codec.Tag, most int) ([]byte, error) {
	le := binary.LittleEndian
	start := len(b)
	b = le.AppendUint32(b, uint32(len(vendor)))
	b = append(b, vendor...)
	b = le.AppendUint32(b, uint32(len(tags)))
	for _, t := range tags {
		if !validName(t.Key) {
			return nil, &codec.UnsupportedError{
				Codec: name, What: fmt.Sprintf("tag %q", t.Key), Nearest: "printable ASCII without '='",
			}
		}
		field := strings.ToUpper(t.Key) + "=" + strings.ToValidUTF8(t.Value, "\uFFFD")
		if len(b)-start+4+len(field) > most {
			return nil, &codec.UnsupportedError{
				Codec: name, What: "size of the tags", Nearest: fmt.Sprintf("%d bytes in all", most),
			}
		}
		b = le.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	return b, nil
}

// validName is whether a comment's name is one: 0x20 to 0x7D without '='.
func validName(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7D || s[i] == '=' {
			return false
		}
	}
	return s != ""
}
