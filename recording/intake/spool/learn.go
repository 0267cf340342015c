package spool

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Learn tells how the files of a tree are named, by their paths: the preset by its name,
// or a pattern. It takes the one by which the most files are legs of calls that have
// several, and of those that say nothing of legs the most exact. Legs are told by what
// they are called ("in" and "out", "agent" and "customer"), or by being SSRCs: numbers,
// dates and counters never make two files one call. "": by none, or it is in doubt, and
// [Candidates] are for somebody to choose from.
func Learn(paths []string, zone *time.Location) string {
	naming, _ := learn(paths, zone)
	return naming
}

// Candidates are the namings that a tree may have of which Learn isn't sure: those by
// which names that are else alike are legs of one call, and the one by which each file is
// a call. None where it is sure, or nothing fits.
func Candidates(paths []string, zone *time.Location) []string {
	_, list := learn(paths, zone)
	return list
}

// learn tells how the files are named, or else the namings that they may have.
func learn(paths []string, zone *time.Location) (naming string, doubts []string) {
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !isAudioName(p) })
	var fits []*fitting
	for _, name := range candidates(paths) {
		if f := fit(name, paths, zone); f.points > 0 {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		return "", nil
	}
	if i := slices.IndexFunc(fits, func(f *fitting) bool { return f.naming == "fusionpbx" }); i >= 0 && 2*len(fits[i].call) >= len(paths) {
		return "fusionpbx", nil // no other tree has such directories
	}
	slices.SortStableFunc(fits, func(a, b *fitting) int { return cmp.Compare(b.points, a.points) })
	best := fits[0]
	for _, f := range fits[1:] {
		if f.several > 0 && best.several > 0 && f.points == best.points && !f.within(best) {
			doubts = append(doubts, f.naming)
		}
	}
	if best.several == 0 {
		doubts = lookalikes(paths)
	}
	if len(doubts) > 0 {
		return "", append(doubts, best.naming)
	}
	return best.naming, nil
}

// lookalikes are patterns by which names that differ in a word are those of legs, though
// nothing says that the words are legs'.
func lookalikes(paths []string) []string {
	const share = 0.5 // of the names: with fewer it is chance
	var list []string
	for _, place := range legPlaces() {
		pattern, n := place.guess(paths, func(word string) bool { return !isNumber(word) })
		if pattern != "" && n >= share {
			list = append(list, pattern)
		}
	}
	return list
}

// candidates are the namings to try: those that are known, the more exact ones first.
func candidates(paths []string) []string {
	list := []string{"fusionpbx", "vicidial", "asterisk", "rtpengine", "freeswitch"}
	like := legWord()
	for _, place := range legPlaces() {
		if pattern, _ := place.guess(paths, like); pattern != "" {
			list = append(list, pattern)
		}
	}
	return list
}

const (
	ofSeveral = 3 // what a file of a call of several legs counts
	alone     = 1 // what one counts that is all of its call by the pattern
)

// fitting is how well a naming fits.
type fitting struct {
	naming  string
	points  int
	several int               // calls that have several legs by it
	call    map[string]string // what the files that it fits have in common, by their paths
}

// fit is how well a naming fits.
func fit(naming string, paths []string, zone *time.Location) *fitting {
	type set struct {
		legs  map[string]bool
		files int
		whole bool // by the pattern, with one leg
	}
	f := &fitting{naming: naming, call: map[string]string{}}
	patterns, err := Patterns(naming)
	if err != nil {
		return f
	}
	o := Options{Patterns: patterns, Zone: zone}
	sets := map[string]*set{}
	for _, p := range paths {
		pattern, n, ok := o.match(p)
		if !ok {
			continue
		}
		s := sets[n.identity]
		if s == nil {
			s = &set{legs: map[string]bool{}, whole: !pattern.hasLeg()}
			sets[n.identity] = s
		}
		s.legs[n.Leg] = true
		s.files++
		f.call[p] = n.identity
	}
	likely := 0
	for _, s := range sets {
		switch {
		case len(s.legs) > 1:
			f.points += ofSeveral * s.files
			f.several++
			if areSSRCs(slices.Collect(maps.Keys(s.legs))) {
				likely++
			}
		case s.whole:
			f.points += alone * s.files
		}
	}
	if naming == "rtpengine" && !mostOf(likely, len(sets)) {
		f.points = 0
	}
	return f
}

// areSSRCs reports whether a call's words are likely to be SSRCs: some for both sides, of
// about eight digits each, as random numbers have, and not all decimal, as those of dates
// and counters are.
func areSSRCs(words []string) bool {
	const most, short = 4, 5
	letters := 0
	for _, w := range words {
		if len(w) <= short {
			return false
		}
		if strings.ContainsAny(strings.ToLower(w), "abcdef") {
			letters++
		}
	}
	return len(words) <= most && letters > 0
}

// within reports whether files that are of one call by f are so by the other, too.
func (f *fitting) within(other *fitting) bool {
	of := map[string]string{}
	for p, call := range f.call {
		theirs, fits := other.call[p]
		if was, seen := of[call]; !fits || seen && was != theirs {
			return false
		}
		of[call] = theirs
	}
	return true
}
