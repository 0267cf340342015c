package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Objects are read in windows, each a request, so that who seeks in a long recording gets
// little more from the bucket than what is played: the first is small, and each that
// follows in sequence is four times as long.
const (
	headWindow  = 8 << 10 // holds the header of an encrypted object, and small objects whole
	firstWindow = 128 << 10
	maxWindow   = 64 << 20
)

// object reads the bytes of an object as the bucket has them, in any order. It is for one
// goroutine.
type object struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the reader that Open gives
	bucket *blob.Bucket
	key    string
	size   int64
	head   []byte // its first bytes

	body   *blob.Reader // of the window; nil if there is none
	at     int64        // where body goes on
	end    int64        // where the window ends
	window int64        // its length
	pos    int64        // where Read goes on
}

// openObject looks at the beginning of an object.
func (s *Store) openObject(ctx context.Context, key string) (*object, error) {
	r, err := s.bucket.NewRangeReader(ctx, key, 0, headWindow, nil)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound && s.meaning(err).RetryAfter == 0 {
		// There is no such range of an empty object.
		if a, aErr := s.bucket.Attributes(ctx, key); aErr == nil && a.Size == 0 {
			return &object{key: key}, nil
		}
	}
	if err != nil {
		return nil, s.fault("reading", key, err)
	}
	o := &object{ctx: ctx, bucket: s.bucket, key: key, size: r.Size()}
	o.head = make([]byte, min(o.size, headWindow))
	_, err = io.ReadFull(r, o.head)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, s.fault("reading", key, err)
	}
	return o, nil
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := o.readSome(p[n:], off+int64(n))
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// Encrypted says that what is read isn't encrypted in the bucket.
func (o *object) Encrypted() bool { return false }

// Read implements io.Reader.
func (o *object) Read(p []byte) (int, error) {
	n, err := o.readSome(p, o.pos)
	o.pos += int64(n)
	return n, err
}

// Seek implements io.Seeker. It reads nothing.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	pos, err := seek(o.pos, o.size, offset, whence)
	if err == nil {
		o.pos = pos
	}
	return pos, err
}

func seek(pos, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += pos
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return pos, fmt.Errorf("seeking to %d: %w", offset, fs.ErrInvalid)
	}
	return offset, nil
}

// Close implements io.Closer.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}

func (o *object) readSome(p []byte, off int64) (int, error) {
	switch {
	case off >= o.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case off < int64(len(o.head)):
		return copy(p, o.head[off:]), nil
	}
	if o.body == nil || o.at != off || o.at == o.end {
		if err := o.open(off); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p[:min(int64(len(p)), o.end-o.at)])
	o.at += int64(n)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF // it is shorter than it was
	}
	return 0, err
}

// open opens the window that begins at off.
func (o *object) open(off int64) error {
	next := int64(firstWindow)
	if o.end > 0 && off == o.end || o.end == 0 && off == int64(len(o.head)) {
		next = min(max(o.window*4, firstWindow), maxWindow)
	}
	err := o.Close()
	if err != nil {
		return err
	}
	length := min(next, o.size-off)
	if o.body, err = o.bucket.NewRangeReader(o.ctx, o.key, off, length, nil); err != nil {
		o.body = nil
		return err
	}
	o.at, o.end, o.window = off, off+length, next
	return nil
}

// decrypted reads the plaintext of an encrypted object, chunk by chunk.
type decrypted struct {
	raw  *object
	of   *Store
	text io.ReaderAt
	size int64
	pos  int64

	chunk []byte // what was decrypted last
	from  int64  // where it begins
}

func (s *Store) decrypt(o *object) (io.ReadCloser, error) {
	if s.opts.Encryption == nil {
		return nil, s.fault("decrypting", o.key, s.keyless(o.key))
	}
	size, ok := DecryptedSize(o.size)
	if !ok {
		return nil, NewEncryptionError(Tampered, o.key, "", "%s in %s is encrypted, and its %d bytes aren't the size of any encrypted object: it was cut", o.key, s.base, o.size)
	}
	text, err := s.opts.Encryption.Decrypt(o.key, o, o.size)
	if err != nil {
		_ = o.Close() // of what was only read from
		return nil, s.fault("decrypting", o.key, err)
	}
	return &decrypted{raw: o, of: s, text: text, size: size}, nil
}

// Encrypted says that what is read is encrypted in the bucket, and was decrypted.
func (d *decrypted) Encrypted() bool { return true }

// Read implements io.Reader.
func (d *decrypted) Read(p []byte) (int, error) {
	if d.pos >= d.size {
		return 0, io.EOF
	}
	if d.pos < d.from || d.pos >= d.from+int64(len(d.chunk)) {
		d.from = d.pos - d.pos%chunkBytes
		if d.chunk == nil {
			d.chunk = make([]byte, chunkBytes)
		}
		d.chunk = d.chunk[:min(chunkBytes, d.size-d.from)]
		if n, err := d.text.ReadAt(d.chunk, d.from); n < len(d.chunk) {
			d.chunk = d.chunk[:0]
			if _, ok := errors.AsType[*EncryptionError](err); ok { // other errors are told by the object
				err = d.of.fault("decrypting", d.raw.key, err)
			}
			return 0, err
		}
	}
	n := copy(p, d.chunk[d.pos-d.from:])
	d.pos += int64(n)
	return n, nil
}

// Seek implements io.Seeker. It reads nothing.
func (d *decrypted) Seek(offset int64, whence int) (int64, error) {
	pos, err := seek(d.pos, d.size, offset, whence)
	if err == nil {
		d.pos = pos
	}
	return pos, err
}

// Close implements io.Closer.
func (d *decrypted) Close() error { return d.raw.Close() }
