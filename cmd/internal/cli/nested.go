package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Nested is a command about one of several programs: its first argument names the program,
// and what follows is all that the program can be told. The flags of the programs are read
// only then: every command would have to build them all otherwise.
type Nested struct {
	Words []string `arg:"" passthrough:"" name:"program" help:"api, worker or serve, and what it can be told."`
}

// Choose runs the grammar of the program that is named.
func (n *Nested) Choose(ctx context.Context, name string, grammars map[string]any, s Streams) error {
	known := slices.Sorted(maps.Keys(grammars))
	first := n.Words[0]
	if grammars[first] == nil {
		return Usagef("%q is no program: %s are%s", first, strings.Join(known, ", "), didYouMean(nearest(first, known, nearly(first))))
	}
	code := Run(ctx, name+" "+first, fmt.Sprintf("With the settings of %s.", first), grammars[first], n.Words[1:], s)
	if code != ExitDone {
		return exitError(code)
	}
	return nil
}

// exitError is the failure of a nested command, which has said it all.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
