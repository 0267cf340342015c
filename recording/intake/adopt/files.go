package adopt

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
)

// wrongFile says why the file of an object isn't to be opened; "" if it may be, or the
// bucket is no directory. A link may lead out of the bucket, and a pipe has no end.
func (a *Adopter) wrongFile(root *os.Root, key string) string {
	if root == nil {
		return ""
	}
	name, err := filepath.Rel(a.opts.Dir, a.bucket.LocalPath(key))
	if err != nil {
		return gone
	}
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gone
	case err != nil:
		if at, bad := root.Lstat(name); bad == nil && at.Mode()&fs.ModeSymlink != 0 {
			return "it is a link that leads out of the bucket"
		}
		return "it can't be read: " + err.Error()
	case !info.Mode().IsRegular():
		return "it is a pipe or a device: only files are adopted"
	case a.bucket.LocalPath(record.AdoptedManifest(key)) == "":
		return "its manifest can't be put beside it: the manifest's name would be too long"
	}
	return ""
}

// unlisted tells of the files below prefix that the bucket doesn't list: it has no names
// for them.
func (a *Adopter) unlisted(ctx context.Context, root *os.Root, prefix string, each func(Found) error) error {
	below := strings.TrimSuffix(path.Dir(prefix+"x"), "/")
	return fs.WalkDir(root.FS(), below, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist) && name == below:
			return nil // nothing has the prefix
		case err != nil:
			return each(Found{Key: name, LeftOut: "it can't be read: " + err.Error()})
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !strings.HasPrefix(name, prefix):
			return nil
		}
		key, err := url.PathUnescape(name)
		switch {
		case err != nil:
			return each(Found{Key: name, LeftOut: gone})
		case a.bucket.LocalPath(key) == "":
			return each(Found{Key: name, LeftOut: "its name is too long for the bucket, which can't serve it"})
		}
		return nil
	})
}
