package stored_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestMeant: a job that names a call alone means the same recording whenever it asks, and
// no recording that comes later has it set aside.
func TestMeant(t *testing.T) {
	t.Parallel()
	const several, none = "several recordings", "no such recording"
	for name, c := range map[string]struct {
		before, after []string // the recordings' ids
		means         string   // the key of one, or what is said of it
	}{
		"none":                       {nil, nil, none},
		"one":                        {[]string{"a"}, nil, "a"},
		"one, another comes":         {[]string{"a"}, []string{"b"}, "a"},
		"one, the call's own comes":  {[]string{"a"}, []string{"c1"}, "a"},
		"the call's own":             {[]string{"a", "c1", "b"}, []string{"d"}, "c1"},
		"several":                    {[]string{"a", "b"}, nil, several},
		"several, and another":       {[]string{"a", "b"}, []string{"d"}, several},
		"several, the call's own":    {[]string{"a", "b"}, []string{"c1"}, "c1"},
		"one comes":                  {nil, []string{"a"}, "a"},
		"two come":                   {nil, []string{"a", "b"}, "a"},
		"two come, the own is later": {nil, []string{"a", "c1"}, "c1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := memdb.New(nil)
			enqueue := func(r ledger.Request) callmodel.JobID {
				id, _, err := db.Enqueue(t.Context(), r)
				require.NoError(t, err)
				return id
			}
			recordings := func(ids []string) {
				for _, id := range ids {
					r, err := record.NewJob(record.Spec{
						TenantID: "acme", CallID: "c1", RecordingID: callmodel.RecordingID(id), StartedAt: begun,
						Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")}, Outputs: outputs[:1],
					}, "", 0)
					require.NoError(t, err)
					enqueue(r)
				}
			}
			recordings(c.before)
			asking := enqueue(ledger.Request{Kind: stored.KindVerify, TenantID: "acme", Key: "v", Payload: []byte("{}")})
			recordings(c.after)
			job, err := db.Job(t.Context(), asking)
			require.NoError(t, err)
			_, err = stored.NewLibrary(db, nil).Find(t.Context(), &task.Job{Job: job}, ofCall("c1"))
			if c.means == several || c.means == none {
				require.ErrorContains(t, err, c.means)
				return
			}
			require.ErrorContains(t, err, "recording "+c.means+" isn't finished yet")
		})
	}
}
