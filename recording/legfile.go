package recording

import (
	"io"
	"io/fs"
	"time"

	"github.com/switchtape/switchtape/recording/codec"
)

// legFile is an open file of a leg. It hashes what is read of it, and ends at
// the length that it had when it was opened, if that is known.
type legFile struct {
	rc   io.ReadCloser
	size int64 // codec.SizeUnknown
	hash *sums // nil when none is made
	read int64
	err  error // of rc, other than io.EOF

	grown bool // rc goes on after size
}

func newLegFile(rc io.ReadCloser, h *sums) *legFile {
	return &legFile{rc: rc, size: sizeOf(rc), hash: h}
}

// sizeOf is the length of r in bytes, if it can tell.
func sizeOf(r any) int64 {
	switch t := r.(type) {
	case interface{ Size() int64 }:
		if n := t.Size(); n >= 0 {
			return n
		}
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := t.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return codec.SizeUnknown
}

// writtenAt is when r's file was modified last, if it can tell.
func writtenAt(r any) time.Time {
	if t, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := t.Stat(); err == nil && info.Mode().IsRegular() {
			return info.ModTime()
		}
	}
	return time.Time{}
}

// Read implements io.Reader.
func (f *legFile) Read(p []byte) (int, error) {
	if f.size >= 0 {
		if f.read >= f.size {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), f.size-f.read)]
	}
	n, err := f.rc.Read(p)
	f.read += int64(n)
	if f.hash != nil {
		f.hash.write(p[:n])
	}
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// reader is f for a decoder: with random access if the file has it.
func (f *legFile) reader() io.Reader {
	if at, ok := f.rc.(io.ReaderAt); ok && f.size >= 0 {
		return &legFileAt{legFile: f, ReaderAt: at}
	}
	return f
}

type legFileAt struct {
	*legFile
	io.ReaderAt
}

// drain reads the rest of the file, for its hash, and reports whether the file
// has grown since it was opened.
func (f *legFile) drain(buf []byte) (grown bool, err error) {
	for {
		_, err := f.Read(buf)
		if err == io.EOF { //nolint:errorlint // io.Reader's contract: EOF itself
			return f.more(), nil
		}
		if err != nil {
			return false, err
		}
	}
}
