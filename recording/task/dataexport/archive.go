package dataexport

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// maxFiles bounds a part's files, whose list is in memory.
const maxFiles = 50_000

// archive is a part that is being written.
type archive struct {
	zip     *zip.Writer
	out     *counted
	at      time.Time // of every file
	files   []File
	missing []Missing
	counts  Counts
}

// counted counts what is written through it.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// summed hashes and counts what is written through it.
type summed struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func newSummed(w io.Writer) *summed { return &summed{w: w, hash: sha256.New()} }

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	s.n += int64(n)
	return n, err
}

func (s *summed) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }

func newArchive(w io.Writer, at time.Time) *archive {
	out := &counted{w: w}
	// ZIP keeps seconds by twos.
	return &archive{zip: zip.NewWriter(out), out: out, at: at.UTC().Truncate(2 * time.Second)}
}

// full reports whether the part ends here.
func (a *archive) full(bytes int64) bool {
	return a.out.n >= bytes || len(a.files)+len(a.missing) >= maxFiles
}

func (a *archive) create(path string, method uint16) (io.Writer, error) {
	return a.zip.CreateHeader(&zip.FileHeader{Name: path, Method: method, Modified: a.at})
}

// add adds a unit.
func (a *archive) add(ctx context.Context, objects Objects, u *unit) error {
	for i := range u.entries {
		e := &u.entries[i]
		if e.key != "" {
			if err := a.object(ctx, objects, e); err != nil {
				return err
			}
			continue
		}
		w, err := a.create(e.path, zip.Deflate)
		if err != nil {
			return err
		}
		sum := newSummed(w)
		if err := e.write(ctx, sum); err != nil {
			return err
		}
		a.files = append(a.files, File{Path: e.path, Bytes: sum.n, SHA256: sum.sum()})
	}
	a.missing = append(a.missing, u.missing...)
	a.counts.add(&u.counts)
	// Bytes that wait in a buffer are not seen by full.
	return a.zip.Flush()
}

// object copies an object of the bucket as it is, and says if it isn't what was stored.
func (a *archive) object(ctx context.Context, objects Objects, e *entry) error {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	in, err := objects.Open(ctx, e.key)
	if errors.Is(err, fs.ErrNotExist) {
		detail := "the ledger names it, and it isn't in the bucket: it was erased, or lost"
		if e.miss.Why == MissingElsewhere {
			detail = "it is in the backup bucket, which isn't open here"
		}
		a.missing = append(a.missing, e.miss.why(e.miss.Why, detail))
		a.counts.Objects--
		return nil
	}
	if why := ofObject(err); why != "" {
		a.missing = append(a.missing, e.miss.why(why, "none of it can be read: "+err.Error()))
		a.counts.Objects--
		return nil
	}
	if err != nil {
		return err
	}
	w, err := a.create(e.path, zip.Store)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	sum := newSummed(w)
	_, err = io.Copy(sum, in)
	err = errors.Join(err, in.Close())
	why := ofObject(err)
	if err != nil && why == "" {
		return fmt.Errorf("export object %s: %w", e.key, err)
	}
	f := File{Path: e.path, Bytes: sum.n, SHA256: sum.sum(), Object: e.key}
	a.files = append(a.files, f)
	if why != "" {
		a.missing = append(a.missing, e.miss.why(why, fmt.Sprintf("it can be read up to byte %d, which is in the export as %s: %v", f.Bytes, e.path, err)))
		return nil
	}
	if e.sha256 != "" && (f.SHA256 != e.sha256 || f.Bytes != e.bytes) {
		a.missing = append(a.missing, e.miss.why(MissingDamaged, fmt.Sprintf(
			"it has %d bytes and the SHA-256 %s, and was stored with %d: it is in the export as it is, as %s", f.Bytes, f.SHA256, e.bytes, e.path)))
	}
	return nil
}

// ofObject is why an object alone can't be read, or not to its end: MissingDamaged or
// MissingKey. It is "" for every other error, as of a bucket that is away, and for none.
func ofObject(err error) string {
	switch callmodel.CodeOf(err) {
	case callmodel.CodeDamaged:
		return MissingDamaged
	case callmodel.CodeKeyMissing:
		return MissingKey
	default:
		return ""
	}
}

// finish adds the part's index, for programs and for people.
func (a *archive) finish(index *partIndex) error {
	index.Files, index.Missing = a.files, a.missing
	if index.Missing == nil {
		index.Missing = []Missing{}
	}
	w, err := a.create(indexName, zip.Deflate)
	if err == nil {
		err = writeJSON(w, index)
	}
	if err == nil {
		w, err = a.create(pageName, zip.Deflate)
	}
	if err == nil {
		err = writePartPage(w, index)
	}
	if err != nil {
		return err
	}
	a.counts.Files = int64(len(a.files))
	return a.zip.Close()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
