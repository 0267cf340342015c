package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// dirState is what is known of a directory.
type dirState struct {
	modified time.Time // as it was when it was read
	since    time.Time // when it was first read so, by the stopwatch
	read     time.Time // when it was read last
	settled  bool      // it needn't be read while modified is what it was
	visited  uint64    // the sweep that came by last
	readIn   uint64    // the sweep that read it last
	subs     []string  // the directories in it
	left     int64     // files in it that are nobody's
	watched  bool
}

const (
	atOnce = 1024 // entries that are read at once
	// settles is for how long a directory must not have changed to be settled, at
	// least: some file systems count in steps of 2 s.
	settles = 2 * time.Second
	// rereadEvery is after how long a settled directory is read all the same.
	rereadEvery = time.Hour
)

// Sweep looks at the tree once and hands over the calls that are ready. It reads
// directories a part at a time, and only those in which something has changed, or a
// call isn't handed over yet. Errors are about the spool's directory, the ledger or
// ctx; what wasn't done is done by the next sweep. One runs at a time.
func (s *Spool) Sweep(ctx context.Context) error {
	root, err := openRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(errNoSpool, err)
	}
	if err != nil {
		return fmt.Errorf("the spool can't be opened: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read from
	if err := s.index.open(); err != nil && s.said.first(indexFault, "") {
		s.opts.Logger.WarnContext(ctx, "which calls were handed over can't be read; the ledger is asked about all", "spool", s.dir, "error", reason(err))
	}
	s.sweep++
	began := s.opts.Now()
	err = s.walk(ctx, root)
	if s.looked = s.opts.Now().Sub(began); err != nil {
		return err
	}
	err = s.handOver(ctx, root)
	s.stats.pending.Store(int64(len(s.pending)))
	return err
}

// walk looks at every directory.
func (s *Spool) walk(ctx context.Context, root *os.Root) error {
	var unreadable, left int64
	for stack := []string{"."}; len(stack) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		st := s.dirs[dir]
		if st == nil {
			st = &dirState{}
			s.dirs[dir] = st
		}
		st.visited = s.sweep
		err := s.look(ctx, root, dir, st)
		switch {
		case err == nil:
			stack = append(stack, st.subs...)
			left += st.left
		case ctx.Err() != nil:
			return ctx.Err()
		case dir == ".":
			return fmt.Errorf("the spool can't be read: %w", err)
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile
			s.forget(dir, st)
		default:
			unreadable++
			if s.said.first(unreadableDir, dir) {
				s.opts.Logger.WarnContext(ctx, "a directory of the spool can't be read; legs in it wait", "spool", s.dir, "directory", shown(dir), "error", reason(err))
			}
		}
	}
	s.stats.unreadable.Store(unreadable)
	s.stats.left.Store(left)
	for dir, st := range s.dirs {
		if st.visited != s.sweep {
			s.forget(dir, st)
		}
	}
	return nil
}

// forget takes out a directory that is gone, and so is its watch.
func (s *Spool) forget(dir string, st *dirState) {
	if st.watched && s.watch != nil {
		s.watch.left++
	}
	delete(s.dirs, dir)
}

// look reads the directory, unless nothing can have changed in it.
func (s *Spool) look(ctx context.Context, root *os.Root, dir string, st *dirState) error {
	now := s.opts.Now()
	if st.settled && now.Sub(st.read) < rereadEvery {
		info, err := root.Stat(dir)
		if err != nil {
			return err
		}
		if info.ModTime().Equal(st.modified) {
			return nil
		}
	}
	s.watchDir(dir, st) // before it is read, so that nothing comes between
	f, info, err := openDir(root, dir)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read from
	st.subs, st.left = st.subs[:0], 0
	open := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := f.ReadDir(atOnce)
		for _, e := range entries {
			if s.entry(dir, e, st) {
				open++
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if !st.modified.Equal(info.ModTime()) {
		st.modified, st.since = info.ModTime(), now
	}
	st.settled = open == 0 && now.Sub(st.since) >= max(settles, s.opts.Quiet)
	st.read, st.readIn = now, s.sweep
	return nil
}

// entry takes note of what is in a directory. It reports whether something of it
// remains to be done.
func (s *Spool) entry(dir string, e fs.DirEntry, st *dirState) (open bool) {
	if strings.HasPrefix(e.Name(), ".") {
		return false // a program's own, or not whole
	}
	name := path.Join(dir, e.Name())
	switch {
	case e.IsDir():
		st.subs = append(st.subs, name)
		return false
	case !e.Type().IsRegular():
		// A link may lead to another tenant's legs, and a pipe has no end.
		s.leave(st, name, "it is a link, a pipe or a device")
		return false
	}
	pattern, n, fits := s.opts.match(name)
	if !fits {
		if !strings.EqualFold(path.Ext(name), ".json") {
			s.leave(st, name, "it fits no pattern")
		}
		return false
	}
	tenant := s.opts.tenantOf(&n)
	if tenant == "" {
		s.leave(st, name, "its tenant isn't mapped")
		return false
	}
	i := s.opts.idOf(tenant, n.identity)
	if s.index.has(i) {
		s.late(i, name)
		return false
	}
	if _, refused := s.refused[i]; refused {
		return false
	}
	set := s.pending[i]
	if set == nil {
		if len(s.pending) >= s.opts.MaxPending {
			return true
		}
		set = &pending{pattern: pattern, files: map[string]*seen{}}
		s.pending[i] = set
	}
	info, err := e.Info()
	if err != nil {
		return true // it went, or can't be looked at: the next sweep tells
	}
	set.see(File{Path: name, Size: info.Size(), ModTime: info.ModTime(), Name: n}, dir, s.sweep, s.opts.Now())
	return true
}

// leave takes note of a file that no call is made of.
func (s *Spool) leave(st *dirState, name, why string) {
	st.left++
	if s.said.first(leftFile, why) {
		s.opts.Logger.Warn("a file in the spool is left alone, and so are others like it", "spool", s.dir, "file", shown(name), "reason", why)
	}
}

// pending is a call that isn't handed over yet.
type pending struct {
	pattern *Pattern
	files   map[string]*seen
}

// seen is a file as it was seen.
type seen struct {
	File

	dir   string
	since time.Time // the stopwatch when it was first seen as it is
	sweep uint64    // that saw it last
}

// see takes note of a file.
func (p *pending) see(f File, dir string, sweep uint64, now time.Time) {
	was := p.files[f.Path]
	if was == nil {
		was = &seen{dir: dir, since: now}
		p.files[f.Path] = was
	} else if was.Size != f.Size || !was.ModTime.Equal(f.ModTime) {
		was.since = now
	}
	was.File, was.sweep = f, sweep
}

// set is the call's files, by name.
func (p *pending) set() Set {
	s := Set{Pattern: p.pattern}
	for _, f := range p.files {
		s.Files = append(s.Files, f.File)
	}
	slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return s
}

// ready reports whether the call can be handed over. Files that are gone are taken
// out of it.
func (s *Spool) ready(p *pending, now time.Time) bool {
	var last time.Time
	for name, f := range p.files {
		if f.sweep != s.sweep {
			if st := s.dirs[f.dir]; st != nil && st.readIn != s.sweep {
				return false // its directory couldn't be read: nothing is known of it
			}
			delete(p.files, name)
			continue
		}
		if f.since.After(last) {
			last = f.since
		}
	}
	if len(p.files) == 0 {
		return false
	}
	still := now.Sub(last)
	if !s.opts.Renamed && still < s.opts.Quiet {
		return false
	}
	set := p.set()
	return still >= s.opts.Wait || !set.missing(s.opts.Legs)
}
