package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

func TestJobMachine(t *testing.T) {
	t.Parallel()
	states := []ledger.State{ledger.Queued, ledger.Running, ledger.Done, ledger.Quarantined}
	events := []ledger.Event{
		ledger.Claimed, ledger.Completed, ledger.Failed,
		ledger.Released, ledger.Quarantine, ledger.Retried, ledger.Published,
	}
	legal := map[string]ledger.State{
		"queued claimed": ledger.Running, "queued quarantine": ledger.Quarantined,
		"running completed": ledger.Done, "running failed": ledger.Queued,
		"running released": ledger.Queued, "running quarantine": ledger.Quarantined,
		"quarantined retried": ledger.Queued, "running published": ledger.Queued,
		"done retried": ledger.Queued,
	}
	for _, s := range states {
		for _, ev := range events {
			got, err := s.Next("j1", ev)
			if want, ok := legal[string(s)+" "+string(ev)]; ok {
				require.NoError(t, err)
				assert.Equal(t, want, got)
			} else {
				assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%s %s", s, ev)
			}
		}
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	err := errors.New("boom")
	assert.Equal(t, ledger.Failure{Cause: "boom", RetryIn: 5}, ledger.FailureOf(err, 5))
	assert.Equal(t, ledger.Failure{Cause: "boom", RetryIn: 5, Quarantine: true},
		ledger.FailureOf(fmt.Errorf("%w", callmodel.Permanent(err)), 5))
	assert.Equal(t, ledger.Failure{Cause: "boom", RetryIn: 7, Uncounted: true, Reason: ledger.Unavailable}, ledger.FailureOf(callmodel.RetryAfter(err, 7), 5))
}
