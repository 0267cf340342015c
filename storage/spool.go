package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// spool holds an object between its making and its upload, so that its hash
// and size are known first and an upload can be repeated: in memory up to a
// limit, the rest in a file whose name is removed at once, so that not even
// kill -9 leaves it behind.
type spool struct {
	dir   string
	limit int
	mem   bytes.Buffer
	file  *os.File
	size  int64
	hash  hash.Hash

	full func(error) error // what the store says of a directory that can't be written
}

func (s *Store) newSpool() *spool {
	return &spool{dir: s.opts.SpoolDir, limit: s.opts.SpoolMemory, hash: sha256.New(), full: s.spoolError}
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	return n, err
}

func (s *spool) write(p []byte) (int, error) {
	if s.file == nil {
		if s.mem.Len()+len(p) <= s.limit {
			return s.mem.Write(p)
		}
		if err := s.openFile(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(p)
	if err != nil {
		err = s.full(err)
	}
	return n, err
}

func (s *spool) openFile() error {
	f, err := os.CreateTemp(s.dir, "switchtape-spool-*")
	if err != nil {
		return s.full(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return s.full(err)
	}
	s.file = f
	return nil
}

func (s *spool) Size() int64 { return s.size }

// SHA256 is the hash of what was written, in hex.
func (s *spool) SHA256() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// Reader reads it all from the start. Each call gives a reader of its own.
func (s *spool) Reader() io.Reader {
	mem := bytes.NewReader(s.mem.Bytes())
	if s.file == nil {
		return mem
	}
	return io.MultiReader(mem, io.NewSectionReader(s.file, 0, s.size-int64(s.mem.Len())))
}

// Close frees the memory and the disk.
func (s *spool) Close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name and nobody reads it any more
	}
}
