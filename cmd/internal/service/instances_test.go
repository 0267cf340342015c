package service

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestInstances: the API's processes that say they are there are counted, and this one with
// them whether it has said so yet or not.
func TestInstances(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	o := &APIOptions{}
	count := o.instances(db.Fleet)
	index, of, err := count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, [2]int{0, 0}, [2]int{index, of}, "nobody says so: it isn't known")
	say := func(role ledger.Role, name string) {
		t.Helper()
		require.NoError(t, db.Present(t.Context(), ledger.Presence{Role: role, Name: name}))
	}
	own := o.Presence()
	say(ledger.RoleWorker, "!worker")
	say(ledger.RoleAPI, "!first") // before every host's name
	for _, said := range []bool{false, true} {
		if said {
			require.NoError(t, db.Present(t.Context(), own))
		}
		index, of, err = count(t.Context())
		require.NoError(t, err)
		assert.Equal(t, [2]int{1, 2}, [2]int{index, of}, "said: %v", said)
	}
	high := &APIOptions{}
	high.Lane = LaneHigh
	lane := high.Presence()
	lane.Name = "!another"
	require.NoError(t, db.Present(t.Context(), lane))
	_, of, err = count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, of, "who takes emergency calls alone has no part of the limits")
	require.NoError(t, db.Gone(t.Context(), ledger.Presence{Role: ledger.RoleAPI, Name: "!first"}))
	index, of, err = count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, [2]int{0, 1}, [2]int{index, of})

	away := errors.New("the database is away")
	_, _, err = o.instances(func(context.Context) ([]ledger.Presence, error) { return nil, away })(t.Context())
	require.ErrorIs(t, err, away)
	fixed := &APIOptions{}
	fixed.LimitShare = 3
	assert.Nil(t, fixed.instances(db.Fleet), "the options say how many there are")
}
