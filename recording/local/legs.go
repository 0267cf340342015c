package local

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Files opens legs by their paths: absolute, or relative to the working
// directory, with any characters that the system allows, or as file:// URLs. It
// is a recording.LegOpener for programs whose own user names the files; for names
// that somebody else chose, see [Dir].
type Files struct{}

// OpenLeg implements recording.LegOpener. What isn't a regular file is a
// [callmodel.PermanentError]: legs are read more than once, a pipe can't be, and
// to open one would wait for a writer.
func (Files) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	path := uri
	if strings.HasPrefix(uri, "file://") {
		u, err := url.Parse(uri)
		if err != nil {
			return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "leg %s is not a URL: %w", uri, err))
		}
		path = filepath.FromSlash(u.Path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(uri, info); err != nil {
		return nil, err
	}
	return os.Open(path) //nolint:gosec // the program's user names the file
}

// regular refuses what can't be read twice.
func regular(uri string, info fs.FileInfo) error {
	switch {
	case info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return callmodel.Permanent(fmt.Errorf("%s is a directory, not a leg", uri))
	}
	return callmodel.Permanent(fmt.Errorf("%s is a pipe or a device, not a regular file: a leg is read more than once, save it to a file first", uri))
}
