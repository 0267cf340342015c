package mp3

import (
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/recording/codec"
)

// maxID3Bytes is what the four syncsafe bytes of an ID3v2 size hold.
const maxID3Bytes = 1<<28 - 1

const id3HeaderBytes = 10

// id3Frames are the keys with an ID3v2.4 text frame of their own. Every other
// key becomes the description of a TXXX frame.
var id3Frames = [...]codec.Tag{
	{Key: "title", Value: "TIT2"},
	{Key: "artist", Value: "TPE1"},
	{Key: "album", Value: "TALB"},
	{Key: "genre", Value: "TCON"},
	{Key: "copyright", Value: "TCOP"},
	{Key: "encoded_by", Value: "TENC"},
	{Key: "language", Value: "TLAN"},
}

// id3v2 is an ID3v2.4 tag (id3.org, "ID3 tag version 2.4.0 - Main Structure")
// with a frame for each pair, in their order, in UTF-8. It is nil without pairs.
func id3v2(tags []codec.Tag) ([]byte, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	var body []byte
	for _, t := range tags {
		id, text := "TXXX", id3Text(t.Key)+"\x00"+id3Text(t.Value)
		for _, f := range id3Frames {
			if f.Key == t.Key {
				id, text = f.Value, id3Text(t.Value)
			}
		}
		size := 1 + len(text)
		if len(body)+id3HeaderBytes+size > maxID3Bytes {
			return nil, unsupported(fmt.Sprintf("tags of more than %d bytes", maxID3Bytes), "shorter tags")
		}
		body = append(body, id...)
		body = appendSyncsafe(body, size)
		body = append(body, 0, 0, 3) // no flags; UTF-8
		body = append(body, text...)
	}
	tag := append([]byte("ID3"), 4, 0, 0)
	tag = appendSyncsafe(tag, len(body))
	return append(tag, body...), nil
}

// id3Text keeps a NUL, which would end the text early, and invalid UTF-8 out.
func id3Text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", " "), "\ufffd")
}

func appendSyncsafe(b []byte, n int) []byte {
	return append(b, byte(n>>21&0x7f), byte(n>>14&0x7f), byte(n>>7&0x7f), byte(n&0x7f))
}
