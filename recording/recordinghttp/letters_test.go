package recordinghttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

func (s *service) letter(t *testing.T, tenant callmodel.TenantID, body string) deadletter.ID {
	t.Helper()
	id, _, err := s.db.KeepLetter(t.Context(), deadletter.New{
		TenantID: tenant, Source: "nats://127.0.0.1:4222", Fingerprint: deadletter.Fingerprint("", []byte(body+string(tenant))),
		Code: callmodel.CodeInvalid, Reason: "legs: are missing", Body: []byte(body),
	})
	require.NoError(t, err)
	return id
}

// A dead letter is listed, read, replayed as one job and discarded, by its tenant alone.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	good, bad := s.letter(t, "acme", submission(t, "c1", nil)), s.letter(t, "acme", "{}")
	theirs, nobodys := s.letter(t, "beta", "{}"), s.letter(t, "", "{}")

	var page deadletter.Page
	w := s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters?state=waiting&limit=1", "", &page)
	require.Equal(t, http.StatusOK, w.Code)
	require.Len(t, page.Letters, 1)
	require.Equal(t, good, page.Next)
	assert.Empty(t, page.Letters[0].Text)
	s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters?after="+string(good), "", &page)
	require.Len(t, page.Letters, 1)
	require.Equal(t, bad, page.Letters[0].ID)

	var l deadletter.Letter
	s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters/"+string(bad), "", &l)
	require.Equal(t, "{}", l.Text)
	for _, id := range []deadletter.ID{theirs, nobodys, "d000000000009-00000000"} {
		s.fails(t, as(operates(), "acme"), http.MethodGet, "/v1/dead-letters/"+string(id), "", http.StatusNotFound, callmodel.CodeNotFound)
		for _, what := range []string{"/replay", "/discard"} {
			s.fails(t, as(operates(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(id)+what, "", http.StatusNotFound, callmodel.CodeNotFound)
		}
	}
	for range 2 {
		s.do(t, as(operates(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(good)+"/replay", "", &l)
		require.Equal(t, deadletter.Replayed, l.State)
		require.Equal(t, "key-of-acme", l.SettledBy)
	}
	jobs, err := s.db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, jobs[0].ID, l.JobID)
	require.Positive(t, s.rang.Load())

	p := s.fails(t, as(operates(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(bad)+"/replay", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	require.NotEmpty(t, p.Errors)
	s.fails(t, as(submits(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(bad)+"/discard", "", http.StatusForbidden, callmodel.CodeForbidden)
	s.do(t, as(operates(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(bad)+"/discard", "", &l)
	require.Equal(t, deadletter.Discarded, l.State)
	s.fails(t, as(operates(), "acme"), http.MethodPost, "/v1/dead-letters/"+string(bad)+"/replay", "", http.StatusConflict, callmodel.CodeConflict)
	s.fails(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters?state=dead", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
}

// Where there are none, none are found.
func TestWithoutDeadLetters(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	s.h = recordinghttp.New(s.db, nil)
	id := s.letter(t, "acme", "{}")
	var page deadletter.Page
	s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters", "", &page)
	require.Empty(t, page.Letters)
	s.fails(t, as(reads(), "acme"), http.MethodGet, "/v1/dead-letters/"+string(id), "", http.StatusNotFound, callmodel.CodeNotFound)
}
