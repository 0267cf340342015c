package spool

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Learn tells how the files of a tree are named, by their paths: the preset by its name,
// or a pattern. It takes the one by which the most files are legs of calls that have
// several, and of those that say nothing of legs the most exact. "": by none.
func Learn(paths []string, zone *time.Location) string {
	best, most := "", 0
	for _, naming := range candidates(paths) {
		patterns, err := Patterns(naming)
		if err != nil {
			continue
		}
		if n := fit(&Options{Patterns: patterns, Zone: zone}, paths); n > most {
			best, most = naming, n
		}
	}
	return best
}

// candidates are the namings to try: those that are known, the more exact ones first.
func candidates(paths []string) []string {
	return append([]string{"fusionpbx", "vicidial", "asterisk", "rtpengine", "freeswitch"}, guesses(paths)...)
}

const (
	ofSeveral = 3 // what a file of a call of several legs counts
	alone     = 1 // what one counts that is all of its call by the pattern
)

// fit is how well the options' patterns fit.
func fit(o *Options, paths []string) (points int) {
	type set struct {
		legs  map[string]bool
		files int
		whole bool // by the pattern, with one leg
	}
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
	}
	for _, s := range sets {
		switch {
		case len(s.legs) > 1:
			points += ofSeveral * s.files
		case s.whole:
			points += alone * s.files
		}
	}
	return points
}

// guesses are patterns that the names themselves suggest: a few words that stand at the
// end, at the beginning or as the directory of names that are else alike.
func guesses(paths []string) []string {
	var list []string
	for _, sep := range []string{"-", "_", "."} {
		for _, g := range []struct {
			pattern string
			split   func(name string) (rest, word string, ok bool)
		}{
			{"{dirs}{call}" + sep + "{leg:LEGS}.{ext}", func(name string) (string, string, bool) {
				dir, base := path.Split(name)
				i := strings.LastIndex(base, sep)
				if i <= 0 {
					return "", "", false
				}
				return dir + base[:i], base[i+len(sep):], true
			}},
			{"{dirs}{leg:LEGS}" + sep + "{call}.{ext}", func(name string) (string, string, bool) {
				dir, base := path.Split(name)
				word, rest, ok := strings.Cut(base, sep)
				return dir + rest, word, ok && word != "" && rest != ""
			}},
		} {
			if legs := words(paths, g.split); len(legs) > 0 {
				list = append(list, strings.Replace(g.pattern, "LEGS", strings.Join(legs, "|"), 1))
			}
		}
	}
	inDir := func(name string) (string, string, bool) {
		dir, base := path.Split(name)
		above, word := path.Split(strings.TrimSuffix(dir, "/"))
		return above + base, word, word != ""
	}
	if legs := words(paths, inDir); len(legs) > 0 {
		list = append(list, "{dirs}{leg:"+strings.Join(legs, "|")+"}/{call}.{ext}")
	}
	return list
}

// words are those that tell the legs apart, at most so many as a call may well have.
func words(paths []string, split func(string) (rest, word string, ok bool)) []string {
	const most = 4
	of := map[string][]string{}
	for _, p := range paths {
		if rest, word, ok := split(strings.TrimSuffix(p, path.Ext(p))); ok && !strings.ContainsAny(word, "{}|/") {
			of[rest] = append(of[rest], word)
		}
	}
	count, pairs := map[string]int{}, 0
	for _, list := range of {
		if len(list) > 1 && len(list) <= most {
			pairs++
			for _, word := range list {
				count[word]++
			}
		}
	}
	var list []string
	for word, n := range count {
		if n*10 >= pairs { // one that hardly ever comes is a part of a name
			list = append(list, word)
		}
	}
	if len(list) < 2 || len(list) > most {
		return nil
	}
	slices.Sort(list)
	return list
}
