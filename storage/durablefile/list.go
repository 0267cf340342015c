package durablefile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob/driver"
)

const defaultPageSize = 1000

// ListPaged lists keys in order. Directories are read one at a time, in the
// order of the keys below them, and those that lie wholly before the page or
// outside the prefix are not opened.
func (b *bucket) ListPaged(ctx context.Context, opts *driver.ListOptions) (*driver.ListPage, error) {
	if opts.BeforeList != nil {
		if err := opts.BeforeList(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	l := lister{ctx: ctx, b: b, opts: opts, after: string(opts.PageToken), size: opts.PageSize}
	if l.size == 0 {
		l.size = defaultPageSize
	}
	err := l.walk(b.dir, "")
	if err != nil && !errors.Is(err, errPageFull) {
		return nil, err
	}
	return &l.page, nil
}

var errPageFull = errors.New("the page is full")

type lister struct {
	ctx   context.Context //nolint:containedctx // lives as long as one call
	b     *bucket
	opts  *driver.ListOptions
	after string // keys up to this one were on pages before
	size  int
	page  driver.ListPage
	last  string
}

type listed struct {
	entry fs.DirEntry
	key   string // of the object, or the prefix of those below, with its slash
}

func (l *lister) walk(dir, prefix string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && dir != l.b.dir {
			return nil // removed meanwhile
		}
		return err
	}
	list := make([]listed, 0, len(entries))
	for _, e := range entries {
		part, ok := unescapeName(e.Name())
		if !ok {
			continue
		}
		key := prefix + part
		if e.IsDir() {
			key += "/"
		}
		list = append(list, listed{e, key})
	}
	// A directory sorts by its name with the slash: that is how the keys below
	// it compare with its neighbours.
	slices.SortFunc(list, func(x, y listed) int { return strings.Compare(x.key, y.key) })
	for _, e := range list {
		if e.entry.IsDir() {
			err = l.directory(filepath.Join(dir, e.entry.Name()), e.key)
		} else {
			err = l.object(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) directory(dir, key string) error {
	p := l.opts.Prefix
	if !strings.HasPrefix(key, p) && !strings.HasPrefix(p, key) {
		return nil
	}
	if key < l.after && !strings.HasPrefix(l.after, key) {
		return nil
	}
	if group, ok := l.group(key); ok && group <= l.after {
		return nil // the whole directory was one entry of a page before
	}
	return l.walk(dir, key)
}

// group is the entry that stands for all keys which share it up to the delimiter.
func (l *lister) group(key string) (string, bool) {
	if l.opts.Delimiter == "" || !strings.HasPrefix(key, l.opts.Prefix) {
		return "", false
	}
	i := strings.Index(key[len(l.opts.Prefix):], l.opts.Delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.opts.Prefix)+i+len(l.opts.Delimiter)], true
}

func (l *lister) object(e listed) error {
	if !strings.HasPrefix(e.key, l.opts.Prefix) {
		return nil
	}
	if group, ok := l.group(e.key); ok {
		if group <= l.after || group == l.last {
			return nil
		}
		return l.emit(&driver.ListObject{Key: group, IsDir: true})
	}
	if e.key <= l.after {
		return nil
	}
	info, err := e.entry.Info()
	if err != nil {
		return nil //nolint:nilerr // removed meanwhile
	}
	path, err := l.b.path(e.key)
	if err != nil {
		return nil //nolint:nilerr // a file that the driver didn't make
	}
	return l.emit(&driver.ListObject{Key: e.key, ModTime: info.ModTime(), Size: info.Size(), MD5: readAttrs(path, info).MD5})
}

func (l *lister) emit(o *driver.ListObject) error {
	if len(l.page.Objects) == l.size {
		l.page.NextPageToken = []byte(l.last)
		return errPageFull
	}
	l.page.Objects = append(l.page.Objects, o)
	l.last = o.Key
	return nil
}
