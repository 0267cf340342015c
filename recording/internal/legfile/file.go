package legfile

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/switchtape/switchtape/recording/codec"
)

// file is an open file of a leg. It hashes what is read of it. It ends at the
// length that it had when it was opened, if that is known.
type file struct {
	rc   io.ReadCloser
	size int64 // codec.SizeUnknown
	sums *sums // nil: it isn't hashed
	read int64
	err  error // of rc, other than io.EOF

	grown bool // rc goes on after size
}

func newFile(rc io.ReadCloser, h *sums) *file {
	return &file{rc: rc, size: sizeOf(rc), sums: h}
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

// modifiedAt is when r's file was modified last, if it can tell.
func modifiedAt(r any) time.Time {
	if t, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := t.Stat(); err == nil && info.Mode().IsRegular() {
			return info.ModTime()
		}
	}
	return time.Time{}
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	if f.size >= 0 {
		if f.read >= f.size {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), f.size-f.read)]
	}
	n, err := f.rc.Read(p)
	f.read += int64(n)
	if f.sums != nil {
		f.sums.write(p[:n])
	}
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// reader is f for a decoder: with random access if the file has it.
func (f *file) reader() io.Reader {
	if at, ok := f.rc.(io.ReaderAt); ok && f.size >= 0 {
		return &fileAt{file: f, ReaderAt: at}
	}
	return f
}

type fileAt struct {
	*file
	io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (f *fileAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// readRest reads the rest of the file, for its hash, and reports whether the
// file has grown since it was opened.
func (f *file) readRest() (grown bool, err error) {
	buf := make([]byte, 32<<10)
	for {
		_, err := f.Read(buf)
		if err == io.EOF { //nolint:errorlint // io.Reader's contract: EOF itself
			return f.hasMore(), nil
		}
		if err != nil {
			return false, err
		}
	}
}

// hasMore reports whether the file goes on where it ended when it was opened. The
// file must have been read to there.
func (f *file) hasMore() bool {
	if !f.grown && f.size >= 0 && f.read == f.size {
		n, _ := f.rc.Read(make([]byte, 1)) // a file that can't be read hasn't grown
		f.grown = n > 0
	}
	return f.grown
}
