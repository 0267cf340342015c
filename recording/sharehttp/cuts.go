package sharehttp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/recording/excerpt"
)

// Bounds of the parts that are kept while they are listened to.
const (
	maxCuts     = 64
	maxCutBytes = 1 << 30 // those that nobody reads are dropped beyond
)

// cutKey names a part: the same of an output with the same bytes.
type cutKey struct {
	sha256   string
	codec    record.Codec
	from, to time.Duration
}

// cut is a part in a file without a name.
type cut struct {
	ready chan struct{} // closed once what follows is known
	file  *os.File
	size  int64
	sum   string
	err   error

	readers int
	last    time.Time // when somebody last read
}

// cuts keeps parts, so that a player's requests for ranges cut once.
type cuts struct {
	turns chan struct{}

	mu sync.Mutex
	of map[cutKey]*cut
}

func newCuts(atOnce int) *cuts {
	return &cuts{turns: make(chan struct{}, atOnce), of: map[cutKey]*cut{}}
}

// get is the part of the output, which is cut if it isn't there. It stays while it isn't
// released.
func (c *cuts) get(ctx context.Context, p *Public, o *record.OutputResult, from, to time.Duration) (*cut, func(), error) {
	key := cutKey{o.SHA256, o.Codec, from, to}
	c.mu.Lock()
	c.drop(p.opts.Now())
	one := c.of[key]
	if one == nil {
		one = &cut{ready: make(chan struct{})}
		c.of[key] = one
		go func() { // others may wait for it when this client has gone
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.CutTimeout)
			defer cancel()
			one.err = c.make(own, p, one, o, from, to)
			close(one.ready)
			if one.err != nil {
				c.mu.Lock()
				delete(c.of, key)
				c.mu.Unlock()
			}
		}()
	}
	one.readers++
	one.last = p.opts.Now()
	c.mu.Unlock()
	release := sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		one.readers--
	})
	select {
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	case <-one.ready:
	}
	if one.err != nil {
		release()
		return nil, nil, one.err
	}
	return one, release, nil
}

// drop closes parts that nobody has read for a while, and more where there are too many.
func (c *cuts) drop(now time.Time) {
	for {
		var oldest cutKey
		var bytes int64
		for key, one := range c.of {
			if !one.done() {
				continue
			}
			if bytes += one.size; one.readers > 0 {
				continue
			}
			if now.Sub(one.last) >= shares.Gap {
				_ = one.file.Close() // it has no name
				delete(c.of, key)
			} else if old := c.of[oldest]; old == nil || one.last.Before(old.last) {
				oldest = key
			}
		}
		old := c.of[oldest]
		if old == nil || len(c.of) < maxCuts && bytes < maxCutBytes {
			return
		}
		_ = old.file.Close()
		delete(c.of, oldest)
	}
}

func (c *cut) done() bool {
	select {
	case <-c.ready:
		return c.err == nil
	default:
		return false
	}
}

// close drops all.
func (c *cuts) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for key, one := range c.of {
		if one.done() {
			err = errors.Join(err, one.file.Close())
			delete(c.of, key)
		}
	}
	return err
}

// make cuts the part, in its turn.
func (c *cuts) make(ctx context.Context, p *Public, one *cut, o *record.OutputResult, from, to time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case c.turns <- struct{}{}:
	}
	defer func() { <-c.turns }()
	whole, err := nameless(p.opts.TempDir)
	if err != nil {
		return err
	}
	defer whole.Close() //nolint:errcheck // it has no name
	if err := p.copy(ctx, whole, o); err != nil {
		return err
	}
	file, err := nameless(p.opts.TempDir)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = excerpt.Cut(ctx, p.opts.Codecs, whole, o.Bytes, o, from, to, io.MultiWriter(file, sum))
	var size int64
	if err == nil {
		size, err = file.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cut a part out of %s: %w", o.Key, err), file.Close())
	}
	one.file, one.size, one.sum = file, size, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// copy copies the output, and holds it against its hash.
func (p *Public) copy(ctx context.Context, to *os.File, o *record.OutputResult) error {
	in, err := p.objects.Open(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return &goneError{"object " + o.Key + " isn't in the bucket"}
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, sum), in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.SHA256 {
		return callmodel.Errorf(callmodel.CodeDamaged, "object %s has the SHA-256 %s, and was stored with %s: nothing is cut out of it", o.Key, got, o.SHA256)
	}
	_, err = to.Seek(0, io.SeekStart)
	return err
}

// nameless is a file that is gone with its process.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "switchtape-share-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
