// Package unreadable tells of recordings that are asked for and can't be read for what they
// are: damaged, or encrypted with a key that isn't there.
package unreadable

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

const (
	// each is how long an object that was told of isn't told of again.
	each = time.Minute
	// lines is how many are told of in that time at most.
	lines = 20
)

// Teller counts the requests, and tells the log of each object once a minute, and of no more
// than 20 in a minute. It may be used by any number of goroutines.
type Teller struct {
	log   *slog.Logger
	now   func() time.Time
	count func(callmodel.Code)

	mu    sync.Mutex
	begun time.Time
	told  map[string]bool
}

// New makes one. count may be nil.
func New(log *slog.Logger, now func() time.Time, count func(callmodel.Code)) *Teller {
	if count == nil {
		count = func(callmodel.Code) {}
	}
	return &Teller{log: log, now: now, count: count}
}

// Is reports whether the error is an object's own: no request for it can be served until
// somebody restores it, or gives the program a key.
func Is(err error) bool {
	code := callmodel.CodeOf(err)
	return code == callmodel.CodeDamaged || code == callmodel.CodeKeyMissing
}

// Tell counts and logs such an error about the object, in a bucket whose name the error has. It
// returns what the client is told, which is neither the bucket's name nor the key's; other
// errors, as they are.
func (t *Teller) Tell(ctx context.Context, err error, job callmodel.JobID, key string) error {
	if !Is(err) {
		return err
	}
	code := callmodel.CodeOf(err)
	t.count(code)
	if t.first(string(code) + " " + key) {
		k, _ := record.ParseObjectKey(key) // else the key says it
		t.log.ErrorContext(ctx, "a recording can't be read: it is damaged, or its key is missing", "code", code,
			"tenant", k.TenantID, "call", k.CallID, "recording", k.RecordingID, "job", job, "key", key, "error", err)
	}
	if code == callmodel.CodeDamaged {
		return callmodel.Errorf(code, "the recording of job %s is damaged: what is stored isn't what was recorded, and trying again doesn't help; the operators have to restore it", job)
	}
	return callmodel.Errorf(code, "the recording of job %s is encrypted, and this service has no key for it: the operators have to give it one of the tenant's", job)
}

// first reports whether the log is told of the key.
func (t *Teller) first(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); t.told == nil || now.Sub(t.begun) >= each || now.Before(t.begun) {
		t.begun, t.told = now, map[string]bool{}
	}
	if t.told[key] || len(t.told) >= lines {
		return false
	}
	t.told[key] = true
	return true
}

// Sound reads the first byte of what is to be sent whole, and goes back to it: a damage there
// has an answer of its own, as long as nothing was sent.
func Sound(s io.ReadSeeker) error {
	var first [1]byte
	_, err := io.ReadFull(s, first[:])
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil {
		_, err = s.Seek(0, io.SeekStart)
	}
	return err
}

// Watched keeps what was wrong when it was read.
type Watched struct {
	io.ReadSeeker

	Err error
}

// Read implements io.Reader.
func (w *Watched) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.Err = err
	}
	return n, err
}

// Meant is a CodeDamaged error if the output was encrypted when it was stored, and what is read
// under its key isn't: whoever may write to the bucket could have put it there. A reader that
// doesn't say whether it is, by a method Encrypted() bool, is taken for what was stored.
func Meant(o *record.OutputResult, body io.Reader) error {
	if is, ok := body.(interface{ Encrypted() bool }); ok && o.Encrypted && !is.Encrypted() {
		return callmodel.Errorf(callmodel.CodeDamaged, "object %s was stored encrypted, and is a plain one by now: it isn't what was stored", o.Key)
	}
	return nil
}
