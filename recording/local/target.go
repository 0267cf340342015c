package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// TargetOptions configure a [Target]. The zero value works.
type TargetOptions struct {
	// Also are the files of outputs that have names, by the names. One that isn't
	// here lies beside the first: "mono" of call.mp3 is call-mono.mp3.
	Also map[string]string
	// Overwrite replaces files that are there. Without it a file with other bytes
	// is a CodeConflict error; one with the same bytes is as good as new.
	Overwrite bool
}

// Target is where the files of one recording go: a recording.Objects.
type Target struct {
	path string
	o    TargetOptions
}

// NewTarget makes a Target. path is the file of the output without a name that
// can be listened to. Whatever has another format lies beside it, under the same
// name with another extension: call.mp3, call.flac, call.peaks.json,
// call.manifest.json. o may be nil.
func NewTarget(path string, o *TargetOptions) *Target {
	t := &Target{path: path}
	if o != nil {
		t.o = *o
	}
	return t
}

// Path is the file that the output of that key goes to.
func (t *Target) Path(k record.ObjectKey) string {
	to := t.path
	ext := filepath.Ext(to)
	stem := strings.TrimSuffix(to, ext)
	if k.Name != "" {
		if named, ok := t.o.Also[k.Name]; ok {
			to = named
			ext = filepath.Ext(to)
			stem = strings.TrimSuffix(to, ext)
		} else {
			stem += "-" + k.Name
			to = stem + ext
		}
	}
	if ext == "."+k.Ext || audible(k.Ext) && !audible(strings.TrimPrefix(ext, ".")) {
		return to // its extension says so, or says nothing
	}
	return stem + "." + k.Ext
}

// audible reports whether a codec that can be listened to has the extension.
func audible(ext string) bool {
	return slices.ContainsFunc(record.Codecs(), func(c record.Codec) bool { return c.Audio() && c.Ext() == ext })
}

// Put implements recording.Objects. It makes no versions: a file with other bytes
// is refused, or replaced if TargetOptions.Overwrite says so.
func (t *Target) Put(ctx context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	path := t.Path(k)
	d, err := newDraft(ctx, path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	defer d.discard()
	if err := d.fill(write); err != nil {
		return record.ObjectInfo{}, err
	}
	if t.o.Overwrite {
		if err := d.replace(path); err != nil {
			return record.ObjectInfo{}, unwritable(path, err)
		}
		return d.info(k, path, false)
	}
	err = d.create(path)
	if !errors.Is(err, fs.ErrExist) {
		if err != nil {
			return record.ObjectInfo{}, unwritable(path, err)
		}
		return d.info(k, path, false)
	}
	same, err := d.holds(path)
	if err != nil {
		return record.ObjectInfo{}, unwritable(path, err)
	}
	if !same {
		return record.ObjectInfo{}, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict,
			"%s exists already, with other bytes: choose another name, or say that it may be replaced: %w", path, fs.ErrExist))
	}
	return d.info(k, path, true)
}

// Directory is where recordings go by their keys, below a directory, each version
// beside the one before: a recording.Objects.
type Directory struct{ dir string }

// NewDirectory makes a Directory. The directory is made when it is needed.
func NewDirectory(dir string) *Directory { return &Directory{dir} }

// maxVersions bounds how often a key that is taken by other bytes is stepped.
const maxVersions = 100

// Path is the file of the object of that key, which must be valid.
func (t *Directory) Path(k record.ObjectKey) string {
	return filepath.Join(t.dir, filepath.FromSlash(k.String()))
}

// Put implements recording.Objects.
func (t *Directory) Put(ctx context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if err := k.Validate(); err != nil {
		return record.ObjectInfo{}, callmodel.Permanent(err)
	}
	path := t.Path(k)
	const dirMode = 0o755
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return record.ObjectInfo{}, unwritable(path, err)
	}
	d, err := newDraft(ctx, path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	defer d.discard()
	if err := d.fill(write); err != nil {
		return record.ObjectInfo{}, err
	}
	for range maxVersions {
		path := t.Path(k)
		err := d.create(path)
		if err == nil {
			return d.info(k, path, false)
		}
		if !errors.Is(err, fs.ErrExist) {
			return record.ObjectInfo{}, unwritable(path, err)
		}
		same, err := d.holds(path)
		if err != nil {
			return record.ObjectInfo{}, unwritable(path, err)
		}
		if same {
			return d.info(k, path, true)
		}
		k = k.Next()
	}
	return record.ObjectInfo{}, fmt.Errorf("%s has %d versions with other bytes already: something else writes there", path, maxVersions)
}
