package cli

import (
	"strings"

	"github.com/alecthomas/kong"
)

// argumentsInstead empties every flag that came by the environment or a file where one that
// goes before gives what its tag instead:"NAME" names: an argument says more than what the
// shell happens to have, and that more than a file.
func argumentsInstead(parsed *kong.Context, origins map[string]string) {
	for _, f := range parsed.Flags() {
		if other := f.Tag.Get("instead"); other != "" && weight(origins[other]) > weight(origins[f.Name]) {
			f.Target.SetZero()
		}
	}
}

// weight is what an origin goes before.
func weight(origin string) int {
	switch {
	case origin == byArgument:
		return 3
	case strings.HasPrefix(origin, byEnvironment):
		return 2
	case origin == byDefault, origin == "":
		return 0
	}
	return 1 // a file
}
