package cli

import "github.com/alecthomas/kong"

// argumentsInstead empties every flag that came by the environment where an argument gives
// the one that its tag instead:"NAME" names: an argument says more than what the shell
// happens to have.
func argumentsInstead(parsed *kong.Context) {
	given := map[string]bool{}
	for _, p := range parsed.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag.Name] = true
		}
	}
	for _, f := range parsed.Flags() {
		if other := f.Tag.Get("instead"); given[other] && !given[f.Name] {
			f.Target.SetZero()
		}
	}
}
