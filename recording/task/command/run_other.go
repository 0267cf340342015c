//go:build !unix

package command

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
)

// run refuses: nothing would bound the program here.
func (r *runner) run(context.Context, []string, string, []string) ([]byte, error) {
	return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeUnsupported, "programs are run on Unix alone"))
}
