package webhooks_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// The signature is that of Standard Webhooks' own example, with the secret's prefix and
// without.
func TestSign(t *testing.T) {
	t.Parallel()
	for _, s := range []webhooks.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		key, err := s.Key()
		require.NoError(t, err)
		require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			webhooks.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)))
	}
}

func TestSecretsHideThemselves(t *testing.T) {
	t.Parallel()
	s := webhooks.NewSecret()
	key, err := s.Key()
	require.NoError(t, err)
	require.Len(t, key, 32)
	require.NotEqual(t, s, webhooks.NewSecret())
	text, err := json.Marshal(map[string]any{"s": s, "e": webhooks.Stored{Secret: s, Old: s}})
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "endpoint", webhooks.Stored{Secret: s})
	_, err = webhooks.Secret("whsec_" + strings.Repeat("!", 40)).Key()
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	n := webhooks.New{Secret: s}
	err = n.Validate()
	require.Error(t, err)
	for _, shown := range []string{string(text), log.String(), err.Error(), fmt.Sprintf("%v %+v %#v %s %q", s, n, n, s, s), fmt.Sprint(webhooks.Stored{Secret: s, Old: s})} {
		require.NotContains(t, shown, strings.TrimPrefix(s.Reveal(), webhooks.SecretPrefix))
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		events []string
		form   webhooks.Form
		event  string
		want   bool
	}{
		{nil, webhooks.FormStandard, "recording.completed", true},
		{[]string{"*"}, webhooks.FormStandard, "verify.failed", true},
		{[]string{"recording.*"}, webhooks.FormStandard, "recording.absent", true},
		{[]string{"recording.*"}, webhooks.FormStandard, "recordings.x", false},
		{[]string{"recording.completed"}, webhooks.FormStandard, "recording.absent", false},
		{nil, webhooks.FormCallback, "recording.completed", true},
		{nil, webhooks.FormCallback, "verify.failed", false},
	} {
		e := webhooks.Endpoint{Events: c.events, Form: c.form}
		require.Equal(t, c.want, e.Wants(c.event), c)
	}
	id := webhooks.EventID("recording.completed:j000000000001-00000000.r1")
	require.NotContains(t, id, ".")
	require.True(t, callmodel.ValidID(id))
}

// A delivery is believed that is signed with one of the secrets, now, and of which nothing
// was changed.
func TestVerify(t *testing.T) {
	t.Parallel()
	const id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	old, own := webhooks.NewSecret(), webhooks.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	sent := time.Unix(1614265330, 0)
	const good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	for _, c := range []struct {
		name, id, timestamp, signature, body string
		secrets                              []webhooks.Secret
		now                                  time.Time
		fault                                string
	}{
		{"good", id, "1614265330", good, body, []webhooks.Secret{own}, sent.Add(4 * time.Minute), ""},
		{"two secrets here", id, "1614265330", good, body, []webhooks.Secret{old, own}, sent, ""},
		{"two signatures", id, "1614265330", "v1,AAAA " + good, body, []webhooks.Secret{own}, sent, ""},
		{"another id", "msg_x", "1614265330", good, body, []webhooks.Secret{own}, sent, "signature"},
		{"another time", id, "1614265331", good, body, []webhooks.Secret{own}, sent, "signature"},
		{"another body", id, "1614265330", good, body + " ", []webhooks.Secret{own}, sent, "signature"},
		{"another secret", id, "1614265330", good, body, []webhooks.Secret{old}, sent, "signature"},
		{"no signature", id, "1614265330", "", body, []webhooks.Secret{own}, sent, "signature"},
		{"no secret", id, "1614265330", good, body, nil, sent, "signature"},
		{"late", id, "1614265330", good, body, []webhooks.Secret{own}, sent.Add(6 * time.Minute), "6m0s away"},
		{"early", id, "1614265330", good, body, []webhooks.Secret{own}, sent.Add(-6 * time.Minute), "-6m0s away"},
		{"no time", id, "today", good, body, []webhooks.Secret{own}, sent, "seconds since 1970"},
	} {
		err := webhooks.Verify(c.secrets, c.id, c.timestamp, c.signature, []byte(c.body), c.now)
		if c.fault == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorContains(t, err, c.fault, c.name)
		require.Equal(t, callmodel.CodeUnauthenticated, callmodel.CodeOf(err), c.name)
	}
}
