package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Survey is what recordings could be made of a directory.
type Survey struct {
	Naming  string // a preset or a pattern; "" if none fits, or it is in doubt
	Calls   []Found
	LeftOut []LeftOut
	// Candidates are the namings to choose from where it is in doubt; see [Candidates].
	Candidates []string
}

// Found is a call whose files are there.
type Found struct {
	Files []string // slash-separated, relative to the directory
	Spec  record.Spec
	Job   ledger.Request
}

// LeftOut is a file of which no recording can be made.
type LeftOut struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Audio says how long the audio of a file is; 0 if that isn't known without reading all
// of it. raw describes a file without a header; nil for others. The error says why it is
// no audio.
type Audio func(ctx context.Context, f *os.File, raw *record.RawFormat) (time.Duration, error)

// SurveyDir looks at a whole directory as it is now: nothing of it is waited for, and a
// leg that isn't there isn't foretold. Without Options.Patterns the naming is learned
// from the names. It doesn't change anything, and keeps some hundred bytes for each file.
// audio may be nil: then a file is audio by its name.
//
// The calls are in the order of their starts. Every file of the directory is in one of
// them or left out, with a reason, but hidden ones.
func SurveyDir(ctx context.Context, dir string, o *Options, audio Audio) (Survey, error) {
	opts := *o
	opts.Sidecar = cmp.Or(opts.Sidecar, SidecarOptional)
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	root, err := openRoot(dir)
	if err != nil {
		return Survey{}, fmt.Errorf("the directory can't be opened: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read from
	s := &surveyor{root: root, opts: &opts, audio: audio}
	files, err := s.files(ctx)
	if err != nil {
		return Survey{}, err
	}
	if len(opts.Patterns) == 0 {
		var names []string
		for _, f := range files {
			names = append(names, f.Path)
		}
		if s.found.Naming, s.found.Candidates = learn(names, opts.Zone); s.found.Naming != "" {
			if opts.Patterns, err = Patterns(s.found.Naming); err != nil {
				return Survey{}, err
			}
		}
	}
	if len(opts.Patterns) > 0 {
		if err := opts.check(); err != nil {
			return Survey{Naming: s.found.Naming}, err
		}
	}
	err = s.calls(ctx, files)
	return s.found, err
}

// surveyor makes a Survey.
type surveyor struct {
	root  *os.Root
	opts  *Options
	audio Audio
	found Survey
}

func (s *surveyor) leave(file, format string, args ...any) {
	s.found.LeftOut = append(s.found.LeftOut, LeftOut{File: file, Reason: fmt.Sprintf(format, args...)})
}

// files lists the regular files, and leaves out what isn't one.
func (s *surveyor) files(ctx context.Context) (files []File, err error) {
	err = fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return err
		case err != nil:
			s.leave(name, "it can't be read: %s", reason(err))
			return nil
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			s.leave(name, "it is a link, a pipe or a device: only files are adopted")
			return nil
		}
		info, err := d.Info()
		if err != nil {
			s.leave(name, "it can't be read: %s", reason(err))
			return nil
		}
		files = append(files, File{Path: name, Size: info.Size(), ModTime: info.ModTime()})
		return nil
	})
	return files, err
}

// calls makes calls of the files.
func (s *surveyor) calls(ctx context.Context, files []File) error {
	sets, lengths := map[id]*Set{}, map[string]time.Duration{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.EqualFold(path.Ext(f.Path), ".json") {
			s.leave(f.Path, "not audio: it is read with the call that it is beside")
			continue
		}
		pattern, n, fits := s.opts.match(f.Path)
		if !fits {
			s.leave(f.Path, "%s", s.misfit(f.Path))
			continue
		}
		f.Name = n
		tenant := s.opts.tenantOf(&n)
		if tenant == "" {
			s.leave(f.Path, "%q is no tenant by the mapping: give --tenants %s=TENANT", n.Tenant, n.Tenant)
			continue
		}
		length, err := s.length(ctx, &f)
		if err != nil {
			s.leave(f.Path, "%s", err.Error())
			continue
		}
		lengths[f.Path] = length
		i := s.opts.idOf(tenant, n.identity)
		if sets[i] == nil {
			sets[i] = &Set{Pattern: pattern, Whole: true}
		}
		sets[i].Files = append(sets[i].Files, f)
	}
	for _, set := range sets {
		s.call(set, lengths)
	}
	slices.SortFunc(s.found.Calls, func(a, b Found) int {
		if c := a.Spec.StartedAt.Compare(b.Spec.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Files[0], b.Files[0])
	})
	slices.SortFunc(s.found.LeftOut, func(a, b LeftOut) int { return strings.Compare(a.File, b.File) })
	return nil
}

// misfit is why a file fits no pattern.
func (s *surveyor) misfit(file string) string {
	if !isAudioName(file) {
		return "not audio by its name"
	}
	switch {
	case len(s.found.Candidates) > 0:
		return "which files are one call is in doubt: give --pattern"
	case len(s.opts.Patterns) == 0:
		return "no naming fits the directory: give --pattern"
	}
	return "its name fits no pattern: it may be the mixed file of a call whose legs are there, or another naming"
}

// length is how long the file's audio is; an error says why it is none.
func (s *surveyor) length(ctx context.Context, f *File) (time.Duration, error) {
	if f.Size == 0 {
		return 0, errors.New("empty: it has no bytes")
	}
	if s.audio == nil {
		return 0, nil
	}
	file, err := openRegular(s.root, f.Path)
	if err != nil {
		return 0, fmt.Errorf("it can't be read: %s", reason(err))
	}
	defer file.Close() //nolint:errcheck // only read from
	length, err := s.audio(ctx, file, rawFormat(f.Name.Ext))
	if err != nil {
		return 0, fmt.Errorf("not audio: %w", err)
	}
	return length, nil
}

// call makes a call of a set, or leaves its files out.
func (s *surveyor) call(set *Set, lengths map[string]time.Duration) {
	slices.SortFunc(set.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var names []string
	for i := range set.Files {
		names = append(names, set.Files[i].Path)
	}
	all := func(format string, args ...any) {
		for _, name := range names {
			s.leave(name, format, args...)
		}
	}
	if twice := sameLeg(set.Files); twice != "" {
		all("no partner is sure: %s is the same leg of the same call", twice)
		return
	}
	if gap := apart(set.Files, lengths); gap > farApart {
		all("no partner is sure: the legs of this name were written %v apart and don't overlap", gap.Round(time.Second))
		return
	}
	if s.opts.Sidecar != SidecarIgnored {
		notes, err := readNotes(s.root, sidecarOf(&set.Files[0]))
		if err == nil {
			set.Notes = notes
		}
	}
	spec, _, err := s.opts.specWithNotes(set)
	if err != nil {
		all("no recording can be made of it: %s", err.Error())
		return
	}
	job, err := record.NewJob(spec, s.opts.Queue, s.opts.Priority)
	if err != nil {
		all("no recording can be made of it: %s", err.Error())
		return
	}
	s.found.Calls = append(s.found.Calls, Found{Files: names, Spec: spec, Job: job})
}

// sameLeg is a file that is the same segment of the same leg as another; "" if none is.
func sameLeg(files []File) string {
	type part struct {
		leg     string
		segment int
		begin   time.Time
	}
	seen := map[part]bool{}
	for i := range files {
		p := part{files[i].Name.Leg, files[i].Name.Segment, files[i].Name.Begin}
		if seen[p] {
			return files[i].Path
		}
		seen[p] = true
	}
	return ""
}

// farApart is how long may lie between the end of one leg and the beginning of another
// of the same call, by their files' times and lengths: clocks and copies are inexact.
const farApart = 10 * time.Minute

// apart is the longest time between two legs that don't overlap; 0 if they do, or nothing
// is known of their lengths.
func apart(files []File, lengths map[string]time.Duration) time.Duration {
	var latest, earliest time.Time // the latest beginning, the earliest end
	for i := range files {
		length := lengths[files[i].Path]
		if length == 0 || !files[i].Name.Begin.IsZero() {
			return 0
		}
		end := files[i].ModTime
		if begin := end.Add(-length); latest.IsZero() || begin.After(latest) {
			latest = begin
		}
		if earliest.IsZero() || end.Before(earliest) {
			earliest = end
		}
	}
	return max(latest.Sub(earliest), 0)
}
