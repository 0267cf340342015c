package spool

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/switchtape/switchtape/callmodel/record"
)

// said is what was logged already, so that each sweep doesn't say it again.
type said struct {
	mu   sync.Mutex
	what map[[2]string]struct{}
}

// What is said once.
const (
	unreadableDir = "directory"
	leftFile      = "file"
	indexFault    = "index"
	badSidecar    = "sidecar"
)

// maxSaid bounds what is remembered; beyond it nothing new is said.
const maxSaid = 1000

// first reports whether it is the first time.
func (s *said) first(kind, which string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{kind, which}
	if _, again := s.what[key]; again || len(s.what) >= maxSaid {
		return false
	}
	if s.what == nil {
		s.what = map[[2]string]struct{}{}
	}
	s.what[key] = struct{}{}
	return true
}

// shown is the text as a log may hold it: names of files have telephone numbers in
// them, of which it shows the last digits.
func shown(text string) string {
	return regexp.MustCompile(`\+?[0-9]{7,}`).ReplaceAllStringFunc(text, func(digits string) string {
		const last = 4
		return "…" + digits[len(digits)-last:]
	})
}

// reason is an error of the file system without the name of the file.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Op + ": " + p.Err.Error()
	}
	return shown(err.Error())
}

// recent holds the files of the calls that were handed over last, to tell which come
// late.
type recent struct {
	files map[id][]string
	order []id
	next  int // the oldest of order once it is full
}

// maxRecent is how many calls are remembered.
const maxRecent = 10_000

// add takes note of a call. Its files are those of the spec.
func (r *recent) add(i id, spec record.Spec) {
	var uris []string
	for _, l := range spec.Legs {
		for _, seg := range l.Segments {
			uris = append(uris, strings.Clone(seg.URI))
		}
	}
	if r.files == nil {
		r.files = map[id][]string{}
	}
	if len(r.order) < maxRecent {
		r.order = append(r.order, i)
	} else {
		delete(r.files, r.order[r.next])
		r.order[r.next] = i
		r.next = (r.next + 1) % maxRecent
	}
	r.files[i] = uris
}

// has reports whether the file isn't news: it belongs to the call, or nothing is
// remembered of that. A file that is news is one once.
func (r *recent) has(i id, uri string) bool {
	files, known := r.files[i]
	if !known {
		return true
	}
	if slices.Contains(files, uri) {
		return true
	}
	r.files[i] = append(files, uri)
	return false
}
