package spool

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// legWords are what telephone servers and people call the legs of a call. Other words
// that tell files apart may be those of agents, of servers or of days.
func legWords() []string {
	return strings.Fields(`
		in out rx tx r t read write l left right a b aleg bleg a-leg b-leg a_leg b_leg lega legb
		agent customer client caller callee calling called operator user guest supervisor
		inbound outbound incoming outgoing inbound-leg outbound-leg ingress egress
		local remote near far nearend farend near-end far-end mic speaker microphone
		send recv receive received sent transmit transmitted up down uplink downlink
		orig term originator terminator originating terminating source destination src dst
		external internal ext int extension trunk
		agente cliente kunde anrufer angerufener klant medewerker
	`)
}

// legWord is a function that reports whether a word in lower case is what a leg may be
// called. A number is none by itself.
func legWord() func(word string) bool {
	words := map[string]bool{}
	for _, w := range legWords() {
		words[w] = true
	}
	numbered := regexp.MustCompile(`^(leg|ch|chan|channel|side|party|speaker|spk|track)[-_]?[0-9a-d]$`)
	return func(word string) bool { return words[word] || numbered.MatchString(word) }
}

// isNumber reports whether the word is a number, a date or several: letters in it are none
// that anybody would call a leg by.
func isNumber(word string) bool {
	return !strings.ContainsFunc(word, func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c > 0x7f })
}

// legPlace is where in a name a leg may stand.
type legPlace struct {
	pattern string // with LEGS
	split   func(name string) (rest, word string, ok bool)
}

// legPlaces are at the end, at the beginning or as the directory of names that are else
// alike, or as the whole name in the call's directory.
func legPlaces() []legPlace {
	var list []legPlace
	for _, sep := range []string{"-", "_", "."} {
		list = append(list, legPlace{"{dirs}{call}" + sep + "{leg:LEGS}.{ext}", func(name string) (string, string, bool) {
			dir, base := path.Split(name)
			i := strings.LastIndex(base, sep)
			if i <= 0 {
				return "", "", false
			}
			return dir + base[:i], base[i+len(sep):], true
		}}, legPlace{"{dirs}{leg:LEGS}" + sep + "{call}.{ext}", func(name string) (string, string, bool) {
			dir, base := path.Split(name)
			word, rest, ok := strings.Cut(base, sep)
			return dir + rest, word, ok && word != "" && rest != ""
		}})
	}
	return append(list, legPlace{"{dirs}{call}/{leg:LEGS}.{ext}", func(name string) (string, string, bool) {
		dir, base := path.Split(name)
		return dir, base, dir != ""
	}}, legPlace{"{dirs}{leg:LEGS}/{call}.{ext}", func(name string) (string, string, bool) {
		dir, base := path.Split(name)
		above, word := path.Split(strings.TrimSuffix(dir, "/"))
		return above + base, word, word != ""
	}})
}

// mostLegs is how many legs a call may well have: more words than that tell calls apart.
const mostLegs = 3

// guess is the pattern of the place with the words that stand there and are like those of
// legs, if most of the calls that have several have the same; "" if they haven't. share is
// the part of the names, 0 to 1, that are of such calls.
func (l *legPlace) guess(paths []string, like func(word string) bool) (pattern string, share float64) {
	of := map[string][]string{}
	for _, p := range paths {
		rest, word, ok := l.split(strings.TrimSuffix(p, path.Ext(p)))
		if word = strings.ToLower(word); ok && !strings.ContainsAny(word, "{}|/") && like(word) && !slices.Contains(of[rest], word) {
			of[rest] = append(of[rest], word)
		}
	}
	sets, several := map[string]int{}, 0
	for _, words := range of {
		if len(words) > 1 {
			slices.Sort(words)
			sets[strings.Join(words, "|")]++
			several++
		}
	}
	for legs, n := range sets {
		if words := strings.Count(legs, "|") + 1; words <= mostLegs && mostOf(n, several) {
			return strings.Replace(l.pattern, "LEGS", legs, 1), float64(n*words) / float64(len(paths))
		}
	}
	return "", 0
}

// mostOf reports whether n are four fifths of all, or more.
func mostOf(n, all int) bool { return n*5 >= all*4 && n > 0 }
