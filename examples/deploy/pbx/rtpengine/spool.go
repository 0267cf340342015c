package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// spool is the directory of rtpengine's recordings, and that of the legs:
//
//	SPOOL/metadata/NAME.txt   of a call that is over ─▶ LEGS/ID/caller.wav, callee.wav
//	SPOOL/pcaps/NAME.pcap                          ─▶ removed, or SPOOL/kept if not all was read
//	LEGS/.rtpengine           where legs are made: on the disk of those that they become
type spool struct {
	dir, legs string
	// settle is how old metadata must be: rtpengine writes the pcap's last packets after
	// it has moved the metadata to their place.
	settle time.Duration
	// pause is until a call that failed is tried again.
	pause time.Duration
	now   func() time.Time
	log   *slog.Logger
	later map[string]time.Time // when a file is looked at again
}

// open takes the spool for this process, and removes what one that was killed left
// half done. close gives it back.
func (s *spool) open() (closeSpool func() error, err error) {
	s.later = map[string]time.Time{}
	for _, dir := range []string{s.work(), s.kept()} {
		if err := os.MkdirAll(dir, 0o770); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(s.kept(), ".lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the spool %s: another process works on it: %w", s.dir, err), lock.Close())
	}
	left, err := os.ReadDir(s.work())
	for _, entry := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.work(), entry.Name())))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

func (s *spool) work() string { return filepath.Join(s.legs, ".rtpengine") }
func (s *spool) kept() string { return filepath.Join(s.dir, "kept") }

// sweep makes every call that is over into legs. One that fails is tried again later,
// and does not stop the others. The error is that the spool can't be listed, or the
// context's.
func (s *spool) sweep(ctx context.Context) error {
	// Before the first recorded call there are no directories.
	entries, err := os.ReadDir(filepath.Join(s.dir, "metadata"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	seen := map[string]time.Time{}
	for _, entry := range entries {
		name, now := entry.Name(), s.now()
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || filepath.Ext(name) != ".txt" || now.Sub(info.ModTime()) < s.settle {
			continue
		}
		if later, ok := s.later[name]; ok && now.Before(later) {
			seen[name] = later
			continue
		}
		if err := s.call(ctx, name); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			s.log.Error("a call could not be made into legs; it is tried again", "metadata", name, "after", s.pause, "error", err)
			seen[name] = now.Add(s.pause)
		}
	}
	s.later = seen
	return nil
}

// call makes one call into legs.
func (s *spool) call(ctx context.Context, name string) error {
	said := filepath.Join(s.dir, "metadata", name)
	m, err := readFile(said)
	if err != nil {
		return err
	}
	if m.call == "" {
		return fmt.Errorf("its metadata has no %sID: the call was recorded for somebody else, or the telephone server didn't say which it is", idKey)
	}
	path := filepath.Join(s.dir, "pcaps", m.pcap)
	pcap, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && s.made(m.call) {
		return os.Remove(said) // a process before this one was killed between the two
	} else if err != nil {
		return err
	}
	defer pcap.Close()
	dir, err := os.MkdirTemp(s.work(), "call-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := convert(ctx, pcap, m, dir)
	if err != nil {
		return fmt.Errorf("call %s: %w", m.call, err)
	}
	if err := s.publish(dir, m.call); err != nil {
		return fmt.Errorf("call %s: %w", m.call, err)
	}
	log := s.log.With("call", m.call, "seconds", float64(r.frames)/clock, "caller", r.caller, "callee", r.callee)
	if r.incomplete == "" {
		log.Info("the legs are there")
		return errors.Join(os.Remove(path), os.Remove(said))
	}
	log.Warn("the legs are there, but not all was read: the pcap is kept", "because", r.incomplete, "pcap", filepath.Join(s.kept(), m.pcap))
	if err := os.Rename(path, filepath.Join(s.kept(), m.pcap)); err != nil {
		return err
	}
	return os.Rename(said, filepath.Join(s.kept(), name))
}

// made reports whether a leg of the call is there.
func (s *spool) made(call string) bool {
	for _, name := range []string{caller, callee} {
		if _, err := os.Stat(filepath.Join(s.legs, call, name+".wav")); err == nil {
			return true
		}
	}
	return false
}

// publish gives the legs in dir, which are on the disk, their names, and makes these
// last. What is there already is never replaced: it is an error if it differs.
func (s *spool) publish(dir, call string) error {
	to := filepath.Join(s.legs, call)
	if err := os.MkdirAll(to, 0o770); err != nil {
		return err
	}
	for _, name := range []string{caller + ".wav", callee + ".wav"} {
		from, leg := filepath.Join(dir, name), filepath.Join(to, name)
		err := os.Link(from, leg)
		switch {
		case errors.Is(err, fs.ErrNotExist): // nothing of it could be decoded
		case errors.Is(err, fs.ErrExist):
			same, err := equal(from, leg)
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("%s is there already and is another: move one of the two away", leg)
			}
		case err != nil:
			return err
		}
	}
	return errors.Join(syncDir(to), syncDir(s.legs))
}

func readFile(path string) (*metadata, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMetadata(f)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// equal reports whether two files have the same bytes.
func equal(one, two string) (bool, error) {
	a, err := os.Open(one)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(two)
	if err != nil {
		return false, err
	}
	defer b.Close()
	bufA, bufB := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		switch {
		case !bytes.Equal(bufA[:n], bufB[:m]):
			return false, nil
		case ended(errA) && ended(errB):
			return true, nil
		case errA != nil && !ended(errA):
			return false, errA
		case errB != nil && !ended(errB):
			return false, errB
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
