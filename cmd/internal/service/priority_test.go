package service_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestResourcePriority: a mark counts from those who are trusted with it, and its call has
// the emergency lane, also in a process that takes nothing else.
func TestResourcePriority(t *testing.T) {
	t.Parallel()
	url := calldb.SQLiteURL(filepath.Join(t.TempDir(), "calls.db"))
	rules, err := begin(t, url, service.APIOptions{})
	require.NoError(t, err)
	status, body := rules.get(t, http.MethodPut, "/v1/rules", `{"destinations":{"a":{"uri":"sip:a.example.com"}},"rules":[{"id":"uk","match":{"to":{"prefix":"+44"}},"route":{"to":"a"}}]}`)
	require.Less(t, status, 300, body)
	rules.stop()
	s, err := begin(t, url, service.APIOptions{
		Emergency: []string{"sip:psap.example"}, Journal: filepath.Join(t.TempDir(), "journal"),
		ListenOptions:   service.ListenOptions{Lane: service.LaneHigh},
		PriorityOptions: service.PriorityOptions{PriorityFrom: []string{"127.1.0.0/16", "::1"}, PriorityNamespace: []string{"esnet", "wps"}},
	})
	require.NoError(t, err)
	t.Cleanup(s.stop)
	for _, c := range []struct {
		from, mark, body string
		status           int
		says             string
	}{
		{"127.1.2.3:99", "esnet.0", `{"id":"u1","from":"+12025550123","to":"+442079460123"}`, 201, `"sip:a.example.com"`},
		{"[::1]:99", "dsn.flash, WPS.3", `{"id":"u2","from":"+12025550123","to":"+442079460123"}`, 201, `"rule":"uk"`},
		{"[::ffff:127.1.2.3]:99", "wps.0", `{"id":"u3","to":"+442079460123","priority":"much","colour":7}`, 201, `"id":"u3"`},
		{"127.1.2.3:99", "wps.0", `{"id":"u4","to":"+12125550188"}`, 404, "no_route"},
		{"127.1.2.3:99", "wps.0", `{"id":"e1","to":"911"}`, 201, `"emergency":true`},
		{"127.1.2.3:99", "dsn.flash", `{"to":"+442079460123"}`, 421, "misdirected"},
		{"127.1.2.3:99", "wps.", `{"to":"+442079460123"}`, 421, "misdirected"},
		{"127.1.2.3:99", "", `{"to":"+442079460123"}`, 421, "misdirected"},
		{"127.2.2.3:99", "esnet.0", `{"to":"+442079460123"}`, 421, "misdirected"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/calls", strings.NewReader(c.body))
		r.RemoteAddr, r.Host = c.from, "localhost"
		r.Header.Set("Content-Type", "application/json")
		if c.mark != "" {
			r.Header.Set("Resource-Priority", c.mark)
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "%+v: %s", c, w.Body)
		assert.Contains(t, w.Body.String(), c.says, "%+v", c)
	}
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.Eventually(t, func() bool {
		page, err := db.Calls(t.Context(), service.DefaultTenant, calls.Filter{})
		return err == nil && len(page.Calls) == 5
	}, 30*time.Second, 10*time.Millisecond, "they are stored beside their answers")
	urgent, err := db.Call(t.Context(), service.DefaultTenant, "u1")
	require.NoError(t, err)
	assert.False(t, urgent.Emergency)
	assert.Equal(t, calls.TypeVoice, urgent.Type)
	assert.Equal(t, calls.MaxPriority, urgent.Priority)
	rejected, err := db.Call(t.Context(), service.DefaultTenant, "u4")
	require.NoError(t, err)
	assert.Equal(t, calls.Rejected, rejected.State)
	// Where the rules are not known yet nothing can be said of the call but that.
	alone, err := begin(t, "postgres://nobody@127.0.0.1:1/none", service.APIOptions{
		Emergency: []string{"sip:psap.example"}, Journal: filepath.Join(t.TempDir(), "journal"),
		PriorityOptions: service.PriorityOptions{PriorityFrom: []string{"127.1.2.3"}, PriorityNamespace: []string{"wps"}},
	})
	require.NoError(t, err)
	t.Cleanup(alone.stop)
	for to, status := range map[string]int{"+442079460123": http.StatusServiceUnavailable, "112": http.StatusCreated} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/calls", strings.NewReader(`{"to":"`+to+`"}`))
		r.RemoteAddr, r.Host = "127.1.2.3:99", "localhost"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Resource-Priority", "wps.1")
		w := httptest.NewRecorder()
		alone.h.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, "%s: %s", to, w.Body)
	}
	_, err = service.NewAPI(t.Context(), &service.Stores{}, service.APIOptions{PriorityOptions: service.PriorityOptions{PriorityFrom: []string{"10.1.2"}}}, nil, slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "--priority-from")
}
