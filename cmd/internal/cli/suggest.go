package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/alecthomas/kong"
)

// nearest is the one of the names that the fewest letters tell from name, most at most, and
// the first of those by the alphabet; "" if none is so near.
func nearest(name string, names []string, most int) string {
	best, least := "", most+1
	for _, other := range names {
		if d := edits(name, other); d < least || d == least && best != "" && other < best {
			best, least = other, d
		}
	}
	return best
}

// didYouMean is a hint at the name that was meant, "" for none.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", name)
}

// Hinted is err with a hint at what was meant, where it is about a value of a few, or a
// file that isn't there though one of nearly the same name is.
func Hinted(err error) error {
	hint := ""
	if wrong, ok := errors.AsType[*kong.ParseError](err); ok && wrong.Context != nil {
		hint = ofFew(wrong.Context)
	}
	if missing, ok := errors.AsType[*fs.PathError](err); ok && hint == "" && errors.Is(missing, fs.ErrNotExist) {
		hint = SimilarFile(missing.Path)
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w%s", err, hint)
}

// ofFew hints at the value that was meant where one isn't of those that a flag or an
// argument can have.
func ofFew(c *kong.Context) string {
	for _, step := range c.Path {
		node := step.Node()
		if node == nil {
			continue
		}
		for _, v := range node.Values() {
			if v.Enum == "" {
				continue
			}
			few := v.EnumSlice()
			for _, given := range texted(v.Target) {
				if given != "" && !slices.Contains(few, given) {
					return didYouMean(nearest(given, few, nearly(given)))
				}
			}
		}
	}
	return ""
}

// texted is what a flag or an argument of text was given.
func texted(v reflect.Value) []string {
	if list, ok := reflect.TypeAssert[[]string](v); ok {
		return list
	}
	if v.Kind() == reflect.String {
		return []string{v.String()}
	}
	return nil
}

// nearly is how many letters of a name may be wrong.
func nearly(name string) int { return max(2, len(name)/3) }

const (
	similarLetters = 2    // that names of files may differ in
	similarFiles   = 5000 // of a directory that are looked at
)

// SimilarFile hints at a file beside the one of that path, which isn't there, whose name
// differs in a letter or two; "" where there is none.
func SimilarFile(path string) string {
	dir, base := filepath.Split(path)
	if len(base) <= similarLetters {
		return "" // every short name would do
	}
	place, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return ""
	}
	defer place.Close() //nolint:errcheck // only read from
	names, _ := place.Readdirnames(similarFiles)
	if best := nearest(base, names, similarLetters); best != "" {
		return didYouMean(dir + best)
	}
	return ""
}
