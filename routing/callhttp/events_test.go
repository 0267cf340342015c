package callhttp_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

const twoLegs = `"legs":[{"name":"agent","segments":[{"uri":"c/agent.wav"}]},{"name":"customer","segments":[{"uri":"c/customer.wav","offset_ms":2000}]}]`

func TestLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		id := create(t, s, nyc(`,"host":"pbx-1"`)).ID
		c := event(t, s, id, `{"id":"e1","type":"ringing"}`)
		assert.Equal(t, calls.Ringing, c.State)
		assert.Equal(t, noon, c.RingingAt, "the clock's, when the event doesn't say")

		c = event(t, s, id, `{"id":"e2","type":"failed","cause":{"sip":503}}`)
		assert.Equal(t, calls.Routed, c.State, "the next destination")
		assert.Equal(t, 1, c.Attempt)
		fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", id), `{"id":"e3","type":"failed"}`,
			http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		c = event(t, s, id, `{"id":"e4","type":"answered","at":"2026-03-02T12:00:07Z"}`)
		assert.Equal(t, calls.Answered, c.State)

		p := fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", id), `{"id":"e5","type":"ringing"}`,
			http.StatusConflict, callmodel.CodeConflict)
		assert.Contains(t, p.Detail, "answered")
		assert.Zero(t, s.bells.Load())

		end := `{"id":"e6","type":"ended","at":"2026-03-02T12:01:00Z",` + twoLegs + `}`
		c = event(t, s, id, end)
		assert.Equal(t, calls.Ended, c.State)
		assert.Equal(t, c, event(t, s, id, end), "the same event again changes nothing")
		list := jobs(t, db)
		require.Len(t, list, 1, "exactly one job")
		assert.Equal(t, callmodel.RecordingID(id), storetest.SpecOf(t, &list[0]).RecordingID)
		assert.Equal(t, "pbx-1", list[0].Queue)
		assert.Equal(t, noon.Add(7*time.Second), storetest.SpecOf(t, &list[0]).StartedAt)
		assert.Equal(t, 2*time.Second, storetest.SpecOf(t, &list[0]).Legs[1].Segments[0].Offset)
		assert.Equal(t, record.LayoutStereo, storetest.SpecOf(t, &list[0]).Outputs[0].Layout)
		assert.Positive(t, s.bells.Load())
		fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", id), `{"id":"e7","type":"ended"}`, http.StatusConflict, callmodel.CodeConflict)

		events := ok[struct{ Events []calls.Event }](t, s, caller(), http.MethodGet, path("/v1/calls/%s/events", id), "", http.StatusOK)
		var ids []string
		for _, e := range events.Events {
			ids = append(ids, e.ID)
		}
		assert.Equal(t, []string{"e1", "e2", "e4", "e6"}, ids)
		assert.Equal(t, 4, actions(t, db, "acme")[callmodel.AuditCallEvent])
	})
}

func TestFailover(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	for cause, want := range map[string]calls.State{
		`{"sip":503}`:  calls.Routed,
		`{"sip":408}`:  calls.Routed,
		`{"q850":34}`:  calls.Routed,
		`{"sip":486}`:  calls.Failed,
		`{"q850":17}`:  calls.Failed,
		`{"sip":603}`:  calls.Failed,
		`{"q850":127}`: calls.Routed,
	} {
		id := create(t, s, nyc("")).ID
		c := event(t, s, id, `{"id":"e1","type":"failed","cause":`+cause+`}`)
		assert.Equal(t, want, c.State, cause)
		if want == calls.Routed {
			c = event(t, s, id, `{"id":"e2","type":"failed","cause":`+cause+`}`)
			assert.Equal(t, calls.Failed, c.State, "none is left")
		}
		assert.NotNil(t, c.Cause)
	}
	id := create(t, s, nyc("")).ID
	for body, want := range map[string][]string{
		`{}`: {"id", "type"},
		`{"id":"e","type":"failed","cause":{"q850":128,"sip":200},"when":1}`: {"cause.q850", "cause.sip", "when"},
		`{"id":"e","type":"ringing","at":"noon","host":"a b","legs":[{"name":"","segments":[]}]}`: {
			"at",
			"host", "legs", "legs[0].name", "legs[0].segments",
		},
		`{"id":"e","type":"ended","legs":[{"name":"a","segments":[{"uri":"/etc/passwd","offset":1}]}]}`: {
			"legs[0].segments[0].offset",
			"legs[0].segments[0].uri",
		},
	} {
		p := fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", id), body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, want, paths(p), body)
	}
	fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", id), `{"id":`, http.StatusBadRequest, callmodel.CodeMalformed)
}

// TestBrokenEnd: an end that can't be recorded as asked is refused whole.
func TestBrokenEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		three := `"legs":[{"name":"a","segments":[{"uri":"a.wav"}]},{"name":"b","segments":[{"uri":"b.wav"}]},{"name":"c","segments":[{"uri":"c.wav"}]}]`
		stereo := create(t, s, `{"from":"+12025550123","to":"+12125550188","recording":{"enabled":true,"outputs":[{"codec":"wav","layout":"stereo"}]}}`).ID
		before := event(t, s, stereo, `{"id":"e1","type":"answered"}`)
		p := fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", stereo),
			`{"id":"e2","type":"ended","legs":[{"name":"a","segments":[{"uri":"../a.wav"}]}]}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.NotEmpty(t, p.Errors)
		fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", stereo), `{"id":"e2","type":"ended","at":"2026-03-01T00:00:00Z"}`,
			http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, before, ok[calls.Call](t, s, caller(), http.MethodGet, path("/v1/calls/%s", stereo), "", http.StatusOK))
		assert.Empty(t, jobs(t, db))
		event(t, s, stereo, `{"id":"e2","type":"ended",`+twoLegs+`}`)
		assert.Len(t, jobs(t, db), 1, "the corrected one is taken")

		// Stereo, asked for or by default, must not keep a call of three from ending.
		conference := create(t, s, nyc("")).ID
		event(t, s, conference, `{"id":"e1","type":"answered"}`)
		event(t, s, conference, `{"id":"e2","type":"ended",`+three+`}`)
		list := jobs(t, db)
		require.Len(t, list, 2)
		assert.Equal(t, record.LayoutMono, storetest.SpecOf(t, &list[1]).Outputs[0].Layout, "an MP3 holds two channels")

		quiet := create(t, s, `{"from":"+12025550123","to":"+12125550188"}`).ID
		event(t, s, quiet, `{"id":"e1","type":"ended"}`)
		assert.Len(t, jobs(t, db), 2, "nobody asked for a recording")
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		now := noon
		s := on(t, db, callservice.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
		var want []callmodel.CallID
		for i := range 5 {
			c := create(t, s, nyc(path(`,"id":"c%d"`, i)))
			want = append([]callmodel.CallID{c.ID}, want...)
		}
		do(t, s, caller(), http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+442079460123","id":"lost"}`)
		type page struct {
			Calls []calls.Call
			Next  string
		}
		ids := func(p page) (list []callmodel.CallID) {
			for _, c := range p.Calls {
				list = append(list, c.ID)
			}
			return list
		}
		var got []callmodel.CallID
		for cursor := ""; ; {
			p := ok[page](t, s, caller(), http.MethodGet, "/v1/calls?limit=2&state=routed&cursor="+cursor, "", http.StatusOK)
			got = append(got, ids(p)...)
			if cursor = p.Next; cursor == "" {
				break
			}
			require.Len(t, p.Calls, 2)
		}
		assert.Equal(t, want, got, "newest first, each once")
		for query, n := range map[string]int{
			"": 6, "state=rejected": 1, "state=ended": 0,
			"number=" + url.QueryEscape("+442079460123"):  1,
			"number=+442079460123":                        1, // an unescaped plus comes as a space
			"number=" + url.QueryEscape("(212) 555-0188"): 5,
		} {
			assert.Len(t, ok[page](t, s, caller(), http.MethodGet, "/v1/calls?"+query, "", http.StatusOK).Calls, n, query)
		}
		p := fails(t, s, caller(), http.MethodGet, "/v1/calls?limit=0&state=lost&number=x", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, []string{"limit", "number", "state"}, paths(p))
		p = fails(t, s, caller(), http.MethodGet, "/v1/calls?cursor=junk", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, []string{"cursor"}, paths(p))
	})
}
