package recordinghttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// heard are the tenant's audit lines of listening.
func (s *service) heard(t *testing.T, tenant callmodel.TenantID) (lines []callmodel.AuditEvent) {
	t.Helper()
	all, err := s.db.AuditEvents(t.Context(), tenant, 0, 1000)
	require.NoError(t, err)
	for _, l := range all {
		if l.Action == callmodel.AuditListened {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestListeningIsAudited: who listens to which recording is in the audit log, one line a
// play, however many ranges the player asks for.
func TestListeningIsAudited(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &service{db: openDB(t)}
	s.h = recordinghttp.New(s.db, &recordinghttp.Options{Media: bucket, Now: func() time.Time { return now }})
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV}, record.OutputSpec{Name: "archive", Codec: record.CodecFLAC})
	ann, ben := as(reads(), "acme"), as(reads(), "acme")
	ann.Subject, ben.Subject = "ann", "ben"
	ask := func(p callmodel.Principal, method, query, ranges string) {
		t.Helper()
		r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, mediaOf(id)+query, nil)
		if ranges != "" {
			r.Header.Set("Range", ranges)
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		require.Less(t, w.Code, 300, "%s", w.Body)
	}
	ask(ann, http.MethodHead, "", "")
	require.Empty(t, s.heard(t, "acme"), "who asks how long it is hears nothing")
	for i := range 20 {
		ask(ann, http.MethodGet, "", fmt.Sprintf("bytes=%d-%d", i, i))
		now = now.Add(time.Minute)
	}
	lines := s.heard(t, "acme")
	require.Len(t, lines, 1)
	assert.Equal(t, "ann", lines[0].Actor)
	assert.Equal(t, string(id), lines[0].Subject)
	assert.Equal(t, "c1", lines[0].Detail["call_id"])
	assert.Equal(t, "bytes=0-0", lines[0].Detail["range"])
	assert.Equal(t, "stream", lines[0].Detail["way"])
	ask(ann, http.MethodGet, "?output=archive", "")
	ask(ben, http.MethodGet, "", "")
	now = now.Add(time.Hour)
	ask(ann, http.MethodGet, "", "")
	lines = s.heard(t, "acme")
	require.Len(t, lines, 4, "another output, another person, another time")
	assert.Equal(t, "archive", lines[1].Detail["output"])
	assert.Equal(t, "ben", lines[2].Actor)
	s.fails(t, as(operates(), "globex"), http.MethodGet, mediaOf(id), "", http.StatusNotFound, callmodel.CodeNotFound)
	require.Len(t, s.heard(t, "acme"), 4)
	require.Empty(t, s.heard(t, "globex"))
}

// TestLinksAreAudited: who gets a link to the audio may listen to it.
func TestLinksAreAudited(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("http://media.example.com/signed")
	require.NoError(t, err)
	bucket := openStore(t, &storage.Options{SignBase: base, SignSecret: []byte("a secret of the test")})
	s := newService(t, bucket)
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	for range 2 {
		require.Equal(t, http.StatusTemporaryRedirect, s.do(t, as(reads(), "acme"), http.MethodGet, mediaOf(id), "", nil).Code)
	}
	lines := s.heard(t, "acme")
	require.Len(t, lines, 1)
	assert.Equal(t, "link", lines[0].Detail["way"])
	assert.NotContains(t, fmt.Sprint(lines[0].Detail), "signature")
	assert.NotContains(t, fmt.Sprint(lines[0].Detail), "http://")
}

// mute is a ledger whose audit log takes nothing.
type mute struct{ *calldb.DB }

func (mute) Audit(context.Context, callmodel.AuditEvent) error { return errors.New("the disk is full") }

// TestWhoCantBeNotedDoesntListen: without the audit log there is no audio.
func TestWhoCantBeNotedDoesntListen(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	s := newService(t, bucket)
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	s.h = recordinghttp.New(mute{s.db}, &recordinghttp.Options{Media: bucket})
	w := s.do(t, as(reads(), "acme"), http.MethodGet, mediaOf(id), "", nil)
	assert.GreaterOrEqual(t, w.Code, 500)
	assert.NotContains(t, w.Body.String(), audio)
}
