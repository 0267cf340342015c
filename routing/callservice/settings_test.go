package callservice_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/settings"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// settingsServer is a settings service that gives the answers that it is told to, by the
// moment, and keeps what it was asked.
type settingsServer struct {
	*httptest.Server

	mu      sync.Mutex
	asked   []callservice.SettingsQuestion
	answers map[callservice.SettingsMoment]string // "" for a failure, "…" for none at all
}

func newSettingsServer(t *testing.T, start, end string) *settingsServer {
	t.Helper()
	s := &settingsServer{answers: map[callservice.SettingsMoment]string{callservice.SettingsAtStart: start, callservice.SettingsAtEnd: end}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var q callservice.SettingsQuestion
		assert.NoError(t, json.Unmarshal(body, &q))
		s.mu.Lock()
		s.asked = append(s.asked, q)
		answer := s.answers[q.Moment]
		s.mu.Unlock()
		switch answer {
		case "":
			w.WriteHeader(http.StatusInternalServerError)
		case "…":
			<-r.Context().Done()
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *settingsServer) say(m callservice.SettingsMoment, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[m] = answer
}

func (s *settingsServer) questions() []callservice.SettingsQuestion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]callservice.SettingsQuestion(nil), s.asked...)
}

// client asks the server, without a second request.
func (s *settingsServer) client(t *testing.T, o settings.Options) *settings.Client {
	t.Helper()
	if o.Budget == 0 {
		o.Budget = 20 * time.Second
	}
	o.HedgeAfter = -1
	c, err := settings.New(s.URL, &o)
	require.NoError(t, err)
	return c
}

// bothMoments are asked for in most of these tests.
var bothMoments = callservice.SettingsMoments()

// jobs are stores whose recording jobs and audit log can be looked at.
type jobs interface {
	callservice.Stores
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
}

// specs are what recordings are to be made of calls, by call.
func specs(t *testing.T, db callservice.Stores) map[callmodel.CallID]record.Spec {
	t.Helper()
	j, ok := db.(jobs)
	require.True(t, ok)
	list, err := j.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	all := map[callmodel.CallID]record.Spec{}
	for i := range list {
		all[list[i].CallID] = storetest.SpecOf(t, &list[i])
	}
	return all
}

const (
	opusSaid = `{"enabled":true,"outputs":[{"codec":"opus","layout":"stereo"}],"level_lufs":-18}`
	flacSaid = `{"outputs":[{"codec":"flac","layout":"mono"}],"pause_mode":"cut"}`
)

// ended ends a call that was answered, with one leg.
func ended(t *testing.T, s *callservice.Service, id callmodel.CallID) calls.Call {
	t.Helper()
	tell(t, s, id, calls.Event{ID: "answered", Type: calls.EventAnswered, At: noon.Add(time.Second)})
	return tell(t, s, id, endedEvent())
}

func endedEvent() calls.Event {
	return calls.Event{ID: "ended", Type: calls.EventEnded, At: noon.Add(time.Minute), Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")}}
}

// auditOf is whence the settings of a call came by each line of its audit log that says so.
func auditOf(t *testing.T, db callservice.Stores, id callmodel.CallID) []string {
	t.Helper()
	events, err := db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	var list []string
	for _, e := range events {
		if from, ok := e.Detail["settings_from"]; ok && e.Subject == string(id) {
			list = append(list, from)
		}
	}
	return list
}

// TestSettingsOfAService: a call, its job and its audit lines say how it is recorded by
// what the service said at its start and its end, and whence that came.
func TestSettingsOfAService(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		srv := newSettingsServer(t, opusSaid, flacSaid)
		s := on(t, db, callservice.Options{Settings: srv.client(t, settings.Options{}), SettingsAt: bothMoments})
		opus := []record.OutputSpec{{Codec: record.CodecOpus, Layout: record.LayoutStereo}}
		flac := []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}}
		req := nyc("c1")
		req.Trunk, req.Direction, req.Metadata = "carrier-7", calls.Outbound, map[string]string{"queue": "sales"}
		atStart := origin.Settings{Enabled: origin.Service, Outputs: origin.Service, LevelLUFS: origin.Service}
		call := create(t, s, req)
		assert.Equal(t, &record.Preference{Enabled: true, Outputs: opus, LevelLUFS: -18}, call.Recording)
		assert.Equal(t, atStart, call.SettingsFrom)
		kept, err := db.Call(t.Context(), "acme", "c1")
		require.NoError(t, err)
		assert.Equal(t, atStart, kept.SettingsFrom)

		atEnd := atStart
		atEnd.PauseMode = origin.Service
		last := ended(t, s, "c1")
		assert.Equal(t, &record.Preference{Enabled: true, Outputs: flac, PauseMode: record.PauseCut, LevelLUFS: -18}, last.Recording)
		assert.Equal(t, atEnd, last.SettingsFrom)
		x, err := s.Explain(t.Context(), "acme", "c1")
		require.NoError(t, err)
		assert.Equal(t, atEnd, x.SettingsFrom)
		assert.Equal(t, last.Recording, x.Recording)
		spec := specs(t, db)["c1"]
		assert.Equal(t, flac, spec.Outputs, "the job carries what the service said at the end")
		assert.Equal(t, record.PauseCut, spec.PauseMode)
		assert.InDelta(t, -18, spec.LevelLUFS, 0)
		assert.Equal(t, atEnd, spec.SettingsFrom)
		assert.Equal(t, []string{
			"enabled=service outputs=service level_lufs=service",
			"enabled=service outputs=service pause_mode=service level_lufs=service",
		}, auditOf(t, db, "c1"))

		asked := srv.questions()
		require.Len(t, asked, 2)
		want := callservice.SettingsQuestion{
			Moment: callservice.SettingsAtStart, TenantID: "acme", CallID: "c1", From: "+12025550123", To: "+12125550188",
			Type: calls.TypeVoice, Direction: calls.Outbound, Trunk: "carrier-7", Metadata: req.Metadata, At: noon,
		}
		assert.Equal(t, want, asked[0])
		want.Moment, want.At = callservice.SettingsAtEnd, noon.Add(time.Minute)
		assert.Equal(t, want, asked[1])
		_, err = s.Event(t.Context(), "acme", "c1", endedEvent(), "test")
		require.NoError(t, err)
		assert.Len(t, srv.questions(), 2, "an event that is told again asks nobody")
	})
}

// TestSettingsWithoutTheService: the call is taken and recorded by what else is known, and
// its job says why.
func TestSettingsWithoutTheService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says, reason string
		budget             time.Duration
	}{
		{name: "late", says: "…", reason: settings.ReasonTimeout, budget: 50 * time.Millisecond},
		{name: "broken", reason: settings.ReasonStatus},
		{name: "garbage", says: `{"enabled":1}`, reason: settings.ReasonGarbage},
		{name: "not to be made", says: `{"outputs":[{"codec":"gsm","layout":"mono"}]}`, reason: settings.ReasonGarbage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, srv := memdb.New(nil), newSettingsServer(t, c.says, c.says)
			p := annAndBob()
			s := callservice.New(db, &callservice.Options{
				Users: p, Settings: srv.client(t, settings.Options{Budget: c.budget}), SettingsAt: bothMoments, Now: func() time.Time { return noon },
				CheckOutputs: func(list []record.OutputSpec) error {
					if list[0].Codec == "gsm" {
						return callmodel.FieldErrors{{Path: "outputs[0].codec", Message: "can't be made"}}
					}
					return nil
				},
			})
			install(t, s, "acme", userRules)
			call := create(t, s, callservice.Request{From: "100", To: "+12025550123"})
			from := origin.Settings{Enabled: origin.User, Outputs: origin.Tenant, Fallback: c.reason}
			assert.Equal(t, from, call.SettingsFrom)
			assert.Equal(t, &record.Preference{Enabled: true, Outputs: p.tenants["acme"].Recording.Outputs}, call.Recording)
			ended(t, s, call.ID)
			spec := specs(t, db)[call.ID]
			assert.Equal(t, from, spec.SettingsFrom)
			assert.Equal(t, call.Recording.Outputs, spec.Outputs)
			assert.Equal(t, []string{from.String(), from.String()}, auditOf(t, db, call.ID))
			assert.Equal(t, users.ID("ann"), srv.questions()[0].User)
		})
	}
}

// TestKeptSettings: while the service is away calls are recorded as it last said of others
// of the kind.
func TestKeptSettings(t *testing.T) {
	t.Parallel()
	db, srv := memdb.New(nil), newSettingsServer(t, opusSaid, "")
	s := on(t, db, callservice.Options{Settings: srv.client(t, settings.Options{})})
	create(t, s, nyc("c1"))
	srv.say(callservice.SettingsAtStart, "")
	call := create(t, s, nyc("c2"))
	assert.Equal(t, origin.Settings{Enabled: origin.Cache, Outputs: origin.Cache, LevelLUFS: origin.Cache, Fallback: settings.ReasonStatus}, call.SettingsFrom)
	assert.Equal(t, record.CodecOpus, call.Recording.Outputs[0].Codec)
	ended(t, s, "c2")
	assert.Equal(t, call.SettingsFrom, specs(t, db)["c2"].SettingsFrom, "by default it is asked at the start alone")
	assert.Len(t, srv.questions(), 2)
}

// TestSettingsAtTheEndAlone: the service may have a call recorded that nobody would have.
func TestSettingsAtTheEndAlone(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		srv := newSettingsServer(t, "", opusSaid)
		s := on(t, db, callservice.Options{
			Settings: srv.client(t, settings.Options{}), SettingsAt: []callservice.SettingsMoment{callservice.SettingsAtEnd},
		})
		call := create(t, s, nyc("c1"))
		assert.Nil(t, call.Recording)
		assert.Empty(t, srv.questions())
		ended(t, s, "c1")
		assert.Equal(t, record.CodecOpus, specs(t, db)["c1"].Outputs[0].Codec)

		create(t, s, nyc("unanswered"))
		tell(t, s, "unanswered", calls.Event{ID: "e", Type: calls.EventEnded, At: noon.Add(time.Second)})
		assert.Len(t, srv.questions(), 1, "there is nothing to record")
	})
}

// TestWhatTheServiceIsNotAsked: about calls whose request says no, that were rejected, or
// that ask for help.
func TestWhatTheServiceIsNotAsked(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		srv := newSettingsServer(t, opusSaid, opusSaid)
		s := on(t, db, callservice.Options{Settings: srv.client(t, settings.Options{}), SettingsAt: bothMoments})
		req := nyc("no")
		req.Recording = &record.Preference{}
		assert.Equal(t, origin.Settings{Enabled: origin.Call}, create(t, s, req).SettingsFrom)
		ended(t, s, "no")

		made, err := s.Create(t.Context(), "acme", callservice.Request{ID: "nowhere", From: "+12025550123", To: "+4930123456"}, "test", nil)
		require.NoError(t, err)
		require.Error(t, made.NoRoute)

		_, err = s.Try(t.Context(), "acme", nyc("dry"), noon)
		require.NoError(t, err)

		for _, recording := range []*record.Preference{nil, {Enabled: true}} {
			help := sos("")
			help.Recording = recording
			call := create(t, s, help)
			require.True(t, call.Emergency)
			ended(t, s, call.ID)
			// It is stored beside the answers, its end too.
			require.Eventually(t, func() bool {
				stored, err := db.Call(t.Context(), "acme", call.ID)
				return err == nil && stored.State == calls.Ended
			}, 30*time.Second, 5*time.Millisecond)
			spec, recorded := specs(t, db)[call.ID]
			assert.Equal(t, recording != nil, recorded)
			if recorded {
				assert.Equal(t, origin.Settings{Enabled: origin.Call, Outputs: origin.Default}, spec.SettingsFrom)
			}
		}
		assert.Empty(t, srv.questions(), "the server saw nothing")
	})
}

// TestSettingsOfTwoCallsAtOnce: each has its own answer.
func TestSettingsOfTwoCallsAtOnce(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup // neither is answered before both have asked
	both.Add(2)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q callservice.SettingsQuestion
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&q)) {
			both.Done()
			both.Wait()
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"enabled":true,"outputs":[{"codec":"`+map[callmodel.CallID]string{"c1": "opus", "c2": "flac"}[q.CallID]+`","layout":"mono"}]}`)
	}))
	t.Cleanup(srv.Close)
	c, err := settings.New(srv.URL, &settings.Options{Budget: 20 * time.Second, HedgeAfter: -1})
	require.NoError(t, err)
	s := on(t, memdb.New(nil), callservice.Options{Settings: c})
	var wg sync.WaitGroup
	for id, codec := range map[string]record.Codec{"c1": record.CodecOpus, "c2": record.CodecFLAC} {
		wg.Go(func() {
			made, err := s.Create(t.Context(), "acme", nyc(id), "test", nil)
			if assert.NoError(t, err) {
				assert.Equal(t, codec, made.Call.Recording.Outputs[0].Codec)
			}
		})
	}
	wg.Wait()
}

// awayStores are stores that can't be reached while away is set.
type awayStores struct {
	callservice.Stores

	away atomic.Bool
}

func (a *awayStores) err() error {
	if a.away.Load() {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	}
	return nil
}

func (a *awayStores) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error) {
	if err := a.err(); err != nil {
		return calls.Call{}, err
	}
	return a.Stores.Call(ctx, t, id)
}

func (a *awayStores) AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event,
	actor string, defaults []record.OutputSpec,
) (calls.Call, error) {
	if err := a.err(); err != nil {
		return calls.Call{}, err
	}
	return a.Stores.AppendEvent(ctx, t, id, ev, actor, defaults)
}

// TestSettingsOfAnEndStoredLater: the service is asked when the end of the call is stored.
func TestSettingsOfAnEndStoredLater(t *testing.T) {
	t.Parallel()
	db, srv := memdb.New(nil), newSettingsServer(t, "", opusSaid)
	f := &awayStores{Stores: db}
	s := on(t, f, callservice.Options{
		Settings: srv.client(t, settings.Options{}), SettingsAt: []callservice.SettingsMoment{callservice.SettingsAtEnd},
		Journal: openJournal(t, t.TempDir()), RulesRefresh: 5 * time.Millisecond,
	})
	create(t, s, nyc("c1"))
	tell(t, s, "c1", calls.Event{ID: "answered", Type: calls.EventAnswered, At: noon.Add(time.Second)})
	f.away.Store(true)
	m, err := s.Event(t.Context(), "acme", "c1", endedEvent(), "test")
	require.NoError(t, err)
	require.True(t, m.Later)
	assert.Empty(t, srv.questions())
	f.away.Store(false)
	settled(t, s)
	assert.Equal(t, record.CodecOpus, specs(t, db)["c1"].Outputs[0].Codec)
	assert.Len(t, srv.questions(), 1)
}
