package storage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
)

// staged is an object that is ready to be sent: encrypted, if it is to be. Only what is
// sent is spooled, so that the plaintext of an encrypted object never gets to the disk.
type staged struct {
	*spool

	sum   string // SHA-256 of the plaintext, in hex
	bytes int64  // of the plaintext

	encrypted bool      // what is sent is
	cipher    Encrypter // nil: it is sent as it was written
	header    []byte    // that is sent before what was spooled
}

// stage spools what write writes, to be stored under the key.
func (s *Store) stage(key string, write func(io.Writer) error) (*staged, error) {
	st := &staged{spool: s.newSpool()}
	err := s.fill(st, key, write)
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func (s *Store) fill(st *staged, key string, write func(io.Writer) error) (err error) {
	if s.opts.Encryption != nil {
		if st.cipher, err = s.opts.Encryption.Encrypt(key, st.spool); err != nil {
			return s.fault("encrypting", key, err)
		}
	}
	if st.cipher == nil {
		if err := write(st.spool); err != nil {
			return err
		}
		st.sum, st.bytes = st.SHA256(), st.Size()
		return nil
	}
	plain := &plainWriter{to: st.cipher, hash: sha256.New()}
	err = write(plain)
	if err = cmp.Or(err, plain.err); err != nil {
		return err
	}
	if err := st.cipher.Close(); err != nil {
		return err
	}
	st.sum, st.bytes = hex.EncodeToString(plain.hash.Sum(nil)), plain.size
	return nil
}

// plainWriter hashes what is encrypted.
type plainWriter struct {
	to   io.Writer
	hash hash.Hash
	size int64
	err  error
}

func (w *plainWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.err = cmp.Or(w.err, err)
	return n, err
}

// address makes it the object of the key.
func (st *staged) address(key string) (err error) {
	if st.cipher == nil {
		return nil
	}
	st.encrypted = true
	if st.header, err = st.cipher.Header(key, st.sum, st.bytes); err != nil {
		return err
	}
	return checkHeader(key, st.header)
}

// Reader reads all that is sent. Each call gives a reader of its own.
func (st *staged) Reader() io.Reader {
	if st.header == nil {
		return st.spool.Reader()
	}
	return io.MultiReader(bytes.NewReader(st.header), st.spool.Reader())
}

// Size is that of what is sent.
func (st *staged) Size() int64 { return int64(len(st.header)) + st.spool.Size() }

// sentSHA256 is the SHA-256 of what is sent, in hex.
func (st *staged) sentSHA256() (string, error) {
	if st.header == nil {
		return st.SHA256(), nil
	}
	h := sha256.New()
	_, err := io.Copy(h, st.Reader())
	return hex.EncodeToString(h.Sum(nil)), err
}

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
