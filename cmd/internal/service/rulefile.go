package service

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// ReadRules reads a file of rules: YAML, JSON or lines of JSON, or one of these
// compressed by gzip, whatever its name. What it holds has at most
// routing.MaxFileBytes.
func ReadRules(path string) (text []byte, err error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil || !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(z, routing.MaxFileBytes+1))
	}
	switch {
	case err != nil:
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "%s can't be inflated: %w", path, err)
	case len(text) > routing.MaxFileBytes:
		return nil, callmodel.Errorf(callmodel.CodeTooLarge, "%s holds more than %d bytes", path, routing.MaxFileBytes)
	}
	return text, nil
}

// worthGzip is the size from which a text is compressed on its way.
const worthGzip = 4 << 10

// Gzip compresses a text for a request, quickly. encoding is what Content-Encoding
// says of it: "gzip", or "" for a short text, which stays as it is.
func Gzip(text []byte) (body []byte, encoding string, err error) {
	if len(text) < worthGzip {
		return text, "", nil
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, "", fmt.Errorf("gzip: %w", err)
	}
	return b.Bytes(), "gzip", nil
}
