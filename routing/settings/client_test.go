package settings_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/settings"
)

// patient is a budget that no test on a busy machine runs out of.
const patient = 20 * time.Second

const good = `{"enabled":true,"outputs":[{"codec":"opus","layout":"stereo","sample_rate_hz":16000,"bitrate_bps":24000}],` +
	`"pause_mode":"cut","pause_on_hold":false,"trim":{"threshold_dbfs":-40,"keep_ms":250},"level_lufs":-18}`

// service is a settings service that answers its n-th request, from 1, with handle.
type service struct {
	*httptest.Server
	asked atomic.Int64
}

func serve(t *testing.T, handle func(n int64, w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(s.asked.Add(1), w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

// hang keeps a request waiting until its client gives up.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the server sees the client go only then
	<-r.Context().Done()
}

func client(t *testing.T, s *service, o settings.Options) *settings.Client {
	t.Helper()
	c, err := settings.New(s.URL+"/settings", &o)
	require.NoError(t, err)
	return c
}

func question(id callmodel.CallID) *callservice.SettingsQuestion {
	return &callservice.SettingsQuestion{
		Moment: callservice.SettingsAtStart, TenantID: "acme", CallID: id, From: "+12025550123", To: "+4930123456",
		Type: calls.TypeVoice, Direction: calls.Inbound, Trunk: "carrier-7", Metadata: map[string]string{"queue": "sales"},
		User: "ann", Callee: "bob", At: time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
	}
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var f *routing.FallbackError
	require.ErrorAs(t, err, &f)
	require.ErrorContains(t, err, "the settings service has no answer")
	return f.Reason
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.JSONEq(t, `{"moment":"start","tenant_id":"acme","call_id":"c1","from":"+12025550123","to":"+4930123456","type":"voice",`+
			`"direction":"inbound","trunk":"carrier-7","metadata":{"queue":"sales"},"user":"ann","callee":"bob","at":"2026-01-31T15:04:05Z"}`, string(body))
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/settings", r.URL.Path)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "c1.start", r.Header.Get("Idempotency-Key"))
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		answer(w, good)
	})
	var outcomes []settings.Outcome
	c := client(t, s, settings.Options{
		Budget: patient, HedgeAfter: -1, Header: http.Header{"authorization": {"Bearer secret"}},
		Asked: func(o settings.Outcome) { outcomes = append(outcomes, o) },
	})
	a, err := c.Settings(t.Context(), question("c1"))
	require.NoError(t, err)
	yes, no := true, false
	assert.Equal(t, callservice.SettingsAnswer{
		Enabled:   &yes,
		Outputs:   []record.OutputSpec{{Codec: record.CodecOpus, Layout: record.LayoutStereo, SampleRateHz: 16000, BitrateBps: 24000}},
		PauseMode: record.PauseCut, PauseOnHold: &no, LevelLUFS: -18,
		Trim: &record.TrimSpec{ThresholdDBFS: -40, Keep: 250 * time.Millisecond},
	}, a)
	require.Len(t, outcomes, 1)
	assert.Equal(t, origin.Service, outcomes[0].Source)
	assert.Equal(t, callservice.SettingsAtStart, outcomes[0].Moment)
	assert.Empty(t, outcomes[0].Reason)
}

// TestNothingToSay is an answer, in two forms.
func TestNothingToSay(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, `{}`)
	})
	c := client(t, s, settings.Options{Budget: patient, HedgeAfter: -1})
	for range 2 {
		a, err := c.Settings(t.Context(), question("c1"))
		require.NoError(t, err)
		assert.Equal(t, callservice.SettingsAnswer{}, a)
	}
	assert.EqualValues(t, 2, s.asked.Load())
	assert.Equal(t, 1, c.Kept())
}

// TestBadService: whatever the service does, the call gets a reason within the budget.
func TestBadService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason string
		handle       func(w http.ResponseWriter, r *http.Request)
	}{
		{"hangs", settings.ReasonTimeout, func(_ http.ResponseWriter, r *http.Request) { hang(r) }},
		{"hangs in its answer", settings.ReasonTimeout, func(w http.ResponseWriter, r *http.Request) {
			answer(w, good[:40])
			_ = http.NewResponseController(w).Flush()
			hang(r)
		}},
		{"resets", settings.ReasonConnection, func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}},
		{"cuts off", settings.ReasonConnection, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			answer(w, good)
		}},
		{"fails", settings.ReasonStatus, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }},
		{"redirects", settings.ReasonStatus, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"says too much", settings.ReasonTooLarge, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, `{"pause_mode":"`+strings.Repeat("x", 70<<10)+`"}`)
		}},
		{"never ends", settings.ReasonTooLarge, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}},
		{"speaks HTML", settings.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		{"speaks half", settings.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"enabled":`) }},
		{"is silent", settings.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { answer(w, ``) }},
		{"lies", settings.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"level_lufs":3}`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) { c.handle(w, r) })
			var out settings.Outcome
			budget := patient
			if c.reason == settings.ReasonTimeout {
				budget = 300 * time.Millisecond
			}
			d := client(t, s, settings.Options{Budget: budget, Asked: func(o settings.Outcome) { out = o }})
			begun := time.Now()
			_, err := d.Settings(t.Context(), question("c1"))
			took := time.Since(begun)
			assert.Equal(t, c.reason, reasonOf(t, err), "%v", err)
			assert.Equal(t, c.reason, out.Reason)
			assert.Empty(t, out.Source)
			assert.Less(t, took, budget+10*time.Second, "the machine may be busy, the service has no say")
			assert.Zero(t, d.Kept())
		})
	}
}

// TestStrictAnswers: every fault of an answer is named.
func TestStrictAnswers(t *testing.T) {
	t.Parallel()
	var body atomic.Value
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		text, _ := body.Load().(string)
		answer(w, text)
	})
	c := client(t, s, settings.Options{
		Budget: patient, HedgeAfter: -1, BreakerFailures: 1 << 10, CheckOutputs: func(list []record.OutputSpec) error {
			if list[0].SampleRateHz == 44100 {
				return callmodel.FieldErrors{{Path: "outputs[0].sample_rate_hz", Message: "can't be made"}}
			}
			return nil
		},
	})
	for text, faults := range map[string][]string{
		`{"enable":true,"outputs":[{"codec":"mp9","layout":"stereo","bitrate_bps":32}],"level_lufs":-99,"color":1}`: {
			"enable: is not a known field", "color: is not a known field", "outputs[0].codec", "level_lufs",
		},
		`{"outputs":[{"codec":"mp3","layout":"quad","sample_rate_hz":999999}],"pause_mode":"x","trim":{"keep_ms":-1}}`: {
			"outputs[0].layout", "outputs[0].sample_rate_hz", "pause_mode", "trim.keep_ms",
		},
		`{"outputs":[` + strings.Repeat(`{"codec":"mp3","layout":"mono"},`, 2000) + `{}]}`: {"outputs: must be 1 to 16"},
		`{"outputs":[{"codec":"mp3","layout":"mono","sample_rate_hz":44100}]}`:             {"outputs[0].sample_rate_hz: can't be made"},
		`{"enabled":"yes"}`:          {"enabled: is \"yes\", must be true or false"},
		`{"enabled":true} {}`:        {"more than one JSON value"},
		`null`:                       {"must not be null"},
		`[]`:                         {"must be an object"},
		strings.Repeat(`{"a":`, 100): {"nested deeper"},
		`{"fallback":"timeout"}`:     {"fallback: is not a known field"},
		`{"enabled":true,"settings_from":{"enabled":"call"}}`: {"settings_from: is not a known field"},
	} {
		body.Store(text)
		_, err := c.Settings(t.Context(), question("c1"))
		require.Equal(t, settings.ReasonGarbage, reasonOf(t, err), "%.80s", text)
		for _, fault := range faults {
			require.ErrorContains(t, err, fault, "%.80s", text)
		}
	}
}

func TestKeptAnswers(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, good)
	})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out settings.Outcome
	c := client(t, s, settings.Options{
		Budget: patient, HedgeAfter: -1, CacheSize: 3, CacheTTL: time.Minute, BreakerFailures: 1 << 10, Now: func() time.Time { return now },
		Class: func(q *callservice.SettingsQuestion) string { return q.Metadata["queue"] },
		Asked: func(o settings.Outcome) { out = o },
	})
	first, err := c.Settings(t.Context(), question("c1"))
	require.NoError(t, err)
	broken.Store(true)
	other := question("c2")
	other.From = "+12025559999"
	kept, err := c.Settings(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, settings.ReasonStatus, kept.Fallback)
	assert.Equal(t, first.Outputs, kept.Outputs)
	assert.Equal(t, origin.Cache, out.Source)
	assert.Equal(t, settings.ReasonStatus, out.Reason)
	for name, change := range map[string]func(*callservice.SettingsQuestion){
		"tenant": func(q *callservice.SettingsQuestion) { q.TenantID = "other" },
		"moment": func(q *callservice.SettingsQuestion) { q.Moment = callservice.SettingsAtEnd },
		"type":   func(q *callservice.SettingsQuestion) { q.Type = calls.TypeFax },
		"way":    func(q *callservice.SettingsQuestion) { q.Direction = calls.Outbound },
		"trunk":  func(q *callservice.SettingsQuestion) { q.Trunk = "carrier-8" },
		"user":   func(q *callservice.SettingsQuestion) { q.User = "eve" },
		"callee": func(q *callservice.SettingsQuestion) { q.Callee = "" },
		"class":  func(q *callservice.SettingsQuestion) { q.Metadata = map[string]string{"queue": "payments"} },
	} {
		q := question("c3")
		change(q)
		_, err := c.Settings(t.Context(), q)
		require.Error(t, err, "another %s has no answer", name)
	}
	now = now.Add(time.Minute + 1)
	_, err = c.Settings(t.Context(), other)
	require.Error(t, err, "it is too old")
	broken.Store(false)
	for i := range 10 {
		q := question("c4")
		q.Callee = users.ID(fmt.Sprint("u", i))
		_, err = c.Settings(t.Context(), q)
		require.NoError(t, err)
	}
	assert.Equal(t, 3, c.Kept(), "they are bounded")
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, good)
	})
	var clock atomic.Int64
	c := client(t, s, settings.Options{
		Budget: patient, HedgeAfter: -1, BreakerFailures: 3, BreakerFor: time.Second, CacheSize: -1,
		Now: func() time.Time { return time.Unix(1e9, clock.Load()) },
	})
	ask := func() string {
		_, err := c.Settings(t.Context(), question("c1"))
		if err == nil {
			return ""
		}
		return reasonOf(t, err)
	}
	for range 3 {
		assert.False(t, c.Open())
		assert.Equal(t, settings.ReasonStatus, ask())
	}
	assert.True(t, c.Open())
	assert.Equal(t, settings.ReasonBreaker, ask())
	assert.EqualValues(t, 3, s.asked.Load(), "the service has its peace")
	broken.Store(false)
	clock.Add(int64(time.Second))
	assert.Empty(t, ask())
	assert.False(t, c.Open())
}

// TestHangingServiceHoldsNothing: many calls to a service that hangs end within the
// budget, most without asking, and who gives up doesn't speak against it.
func TestHangingServiceHoldsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, _ http.ResponseWriter, r *http.Request) { hang(r) })
	c := client(t, s, settings.Options{Budget: patient, BreakerFailures: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Settings(ctx, question("c1"))
	assert.Equal(t, settings.ReasonCancelled, reasonOf(t, err))
	assert.False(t, c.Open())

	var mu sync.Mutex
	reasons := map[string]int{}
	c = client(t, s, settings.Options{Budget: 100 * time.Millisecond, MaxInFlight: 10, Asked: func(o settings.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		reasons[o.Reason]++
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				if _, err := c.Settings(t.Context(), question("c1")); err == nil {
					t.Error("an answer from a service that gives none")
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 400, reasons[settings.ReasonTimeout]+reasons[settings.ReasonBusy]+reasons[settings.ReasonBreaker], "%v", reasons)
	assert.Positive(t, reasons[settings.ReasonTimeout])
}

func TestNewRefusesURLs(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "settings:80", "ftp://x", "http://", "http://a b", "ftp://ann:secret@x", "http://ann:secret@a b"} {
		_, err := settings.New(u, nil)
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), u)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func ExampleClient() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"outputs":[{"codec":"flac","layout":"stereo"}]}`)
	}))
	defer service.Close()
	c, err := settings.New(service.URL, &settings.Options{Budget: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := c.Settings(context.Background(), &callservice.SettingsQuestion{
		Moment: callservice.SettingsAtStart, TenantID: "acme", CallID: "c1", From: "+12025550123", To: "+4930123456", Type: calls.TypeVoice,
	})
	fmt.Println(a.Outputs[0].Codec, a.Enabled == nil, err)
	// Output:
	// flac true <nil>
}
