package reconcile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// findings is a file of mismatches, one a line.
type findings struct {
	f    *os.File
	w    *bufio.Writer
	size int64 // with what isn't written yet
}

// openFindings opens the file as it was when it had size bytes.
func openFindings(name string, size int64) (*findings, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the directory is the caller's
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("%s is shorter than its position says; empty its directory to begin again", name)
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &findings{f: f, w: bufio.NewWriter(f), size: size}, nil
}

func (f *findings) add(one Finding) error {
	b, err := json.Marshal(one)
	if err != nil {
		return err
	}
	n, err := f.w.Write(append(b, '\n'))
	f.size += int64(n)
	return err
}

// flush makes what was added last. It returns how long the file is.
func (f *findings) flush() (int64, error) {
	return f.size, errors.Join(f.w.Flush(), f.f.Sync())
}

// Close gives up what wasn't flushed: it is found again.
func (f *findings) Close() error { return f.f.Close() }

// Findings calls f for every mismatch that the last run with the directory has found.
func Findings(dir string, f func(Finding) error) error {
	at, err := loadPosition(dir)
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(dir, findingsFile)) //nolint:gosec // the directory is the caller's
	if errors.Is(err, fs.ErrNotExist) && at.Findings == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read from
	d := json.NewDecoder(io.LimitReader(file, at.Findings))
	for {
		var one Finding
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(one)
		}
		if err != nil {
			return err
		}
	}
}
