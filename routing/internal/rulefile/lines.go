package rulefile

import (
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Lines says on which line of a file each path stands: "rules[3].match.to". It
// keeps the file's text and parses the part in question again, because a table of
// all paths is many times as large. It may be used by any number of goroutines.
type Lines struct {
	format format
	places []place
	heads  map[string]int // the lines of lists and mappings that are divided
	keys   map[string]int // the place of an entry, by its path

	mu     sync.Mutex
	parsed int // the place whose lines these are, -1 before the first
	lines  map[string]int
}

// place is a part of the file and the path of what it is a part of.
type place struct {
	span
	as    form
	path  string
	first int // index of the first item
}

func newLines(f format) *Lines {
	return &Lines{format: f, parsed: -1, heads: map[string]int{}, keys: map[string]int{}}
}

// Of returns the line of the path, or of the nearest thing around it; 0 if there
// is none, and of nil Lines.
func (l *Lines) Of(path string) int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; path != ""; path = around(path) {
		if n := l.of(path); n > 0 {
			return n
		}
	}
	return 0
}

// Has reports whether the file has something at the path itself.
func (l *Lines) Has(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(path) > 0
}

// of is the line of the path itself, 0 if there is no such.
func (l *Lines) of(path string) int {
	if n := l.heads[path]; n > 0 {
		return n
	}
	i := l.place(path)
	if i < 0 {
		return 0
	}
	if i != l.parsed {
		l.parsed, l.lines = i, map[string]int{}
		p := &l.places[i]
		if n, err := l.format.tree(p.span, p.as, &room{}); err == nil { // it was parsed before
			l.walk(n, p.path, p.first)
		}
	}
	return l.lines[path]
}

// place is the index of the part that holds the path, -1 if none does.
func (l *Lines) place(path string) int {
	for p := path; p != ""; p = around(p) {
		if i, ok := l.keys[p]; ok {
			return i
		}
		container := around(p)
		if _, divided := l.heads[container]; !divided || !strings.HasPrefix(p[len(container):], "[") {
			continue
		}
		item, err := strconv.Atoi(strings.TrimSuffix(p[len(container)+1:], "]"))
		if err != nil {
			return -1
		}
		for i := range l.places {
			if at := &l.places[i]; at.as == someItems && at.path == container && item >= at.first && item < at.first+at.n {
				return i
			}
		}
		return -1
	}
	if len(l.places) > 0 && l.places[0].as == oneValue && l.places[0].path == "" {
		return 0
	}
	return -1
}

// around is the path of what the path is in.
func around(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

func (l *Lines) walk(n *node, path string, first int) {
	if _, seen := l.lines[path]; !seen {
		l.lines[path] = n.Line
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			l.walk(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."), 0)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			l.walk(item, path+"["+strconv.Itoa(first+i)+"]", 0)
		}
	default:
	}
}
