package calldb_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

func secretKeys(t *testing.T, bytes ...byte) *calldb.SecretKeys {
	t.Helper()
	var lines []string
	for _, b := range bytes {
		lines = append(lines, base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32))))
	}
	k, err := calldb.ParseSecretKeys([]byte("# keys\n\n" + strings.Join(lines, "\n")))
	require.NoError(t, err)
	return k
}

// Secrets of webhooks are encrypted in the database, those that were there before too, and
// deliveries are signed with them all the same.
func TestSecretsAreEncrypted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		plain := migrated(t, at)
		with := func(keys *calldb.SecretKeys) *calldb.DB {
			db, err := calldb.Open(t.Context(), at, &calldb.Options{SecretKeys: keys})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		}
		create := func(db *calldb.DB, id string, secret webhooks.Secret) {
			_, err := db.CreateWebhook(t.Context(), webhooks.New{ID: id, TenantID: "acme", URL: "https://example.com/" + id, Secret: secret, Actor: "ann"})
			require.NoError(t, err)
		}
		kept := func(id string) (secret, old string) {
			secret, old, err := plain.WebhookSecrets(t.Context(), id)
			require.NoError(t, err)
			return secret, old
		}
		// signing is what a delivery to the endpoint would be signed with.
		signing := func(db *calldb.DB, id string) (webhooks.Stored, error) {
			require.NoError(t, db.Exec(t.Context(), "DELETE FROM webhook_deliveries"))
			require.NoError(t, db.Exec(t.Context(), `INSERT INTO webhook_deliveries (endpoint_id, event_id, event_key, type, subject, event_at, state, next_at, made_at)
				VALUES ('`+id+`', 1, 'k', 'x', 's', 1, 'waiting', 1, 1)`))
			got, err := db.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: id, Limit: 1, Lease: time.Minute})
			return got.Endpoint, err
		}
		one, two, three := webhooks.NewSecret(), webhooks.NewSecret(), webhooks.NewSecret()
		create(plain, "wh1", one)
		secret, _ := kept("wh1")
		require.Equal(t, one.Reveal(), secret)

		a := with(secretKeys(t, 'a'))
		create(a, "wh2", two)
		secret, _ = kept("wh2")
		require.NotContains(t, secret, two.Reveal()[6:])
		require.True(t, strings.HasPrefix(secret, "aes256gcm:"), secret)
		for id, want := range map[string]webhooks.Secret{"wh1": one, "wh2": two} {
			e, err := signing(a, id)
			require.NoError(t, err)
			require.Equal(t, want, e.Secret, "encrypted or not")
		}
		_, err := signing(plain, "wh2")
		require.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "key of secrets")
		_, err = signing(with(secretKeys(t, 'b')), "wh2")
		require.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err), "%v", err)

		// A change writes both secrets encrypted, and one without the key keeps what is.
		_, err = a.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh1", Secret: two, Grace: time.Hour, Actor: "ann"})
		require.NoError(t, err)
		secret, old := kept("wh1")
		require.True(t, strings.HasPrefix(secret, "aes256gcm:") && strings.HasPrefix(old, "aes256gcm:"), "%s %s", secret, old)
		_, err = plain.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh2", Secret: three, Grace: time.Hour, Actor: "ann"})
		require.NoError(t, err)
		e, err := signing(a, "wh2")
		require.NoError(t, err)
		assert.Equal(t, three, e.Secret)
		assert.Equal(t, two, e.Old)
		e, err = signing(a, "wh1")
		require.NoError(t, err)
		assert.Equal(t, two, e.Secret)
		assert.Equal(t, one, e.Old)

		// A new key takes the place of the old one.
		ba := with(secretKeys(t, 'b', 'a'))
		for _, want := range []int{2, 0} {
			n, err := ba.EncryptSecrets(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, n)
		}
		b := with(secretKeys(t, 'b'))
		e, err = signing(b, "wh2")
		require.NoError(t, err)
		assert.Equal(t, three, e.Secret)
		assert.Equal(t, two, e.Old)
		_, err = a.EncryptSecrets(t.Context())
		require.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err), "what it can't decrypt stays")
		_, err = plain.EncryptSecrets(t.Context())
		require.Error(t, err)

		// Nobody can give one webhook's secret to another.
		secret, _ = kept("wh1")
		require.NoError(t, plain.Exec(t.Context(), "UPDATE webhook_endpoints SET secret = '"+secret+"' WHERE id = 'wh2'"))
		_, err = signing(b, "wh2")
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
	})
}

// A database whose secrets are encrypted keeps all that webhooks promise.
func TestWebhooksWithSecretKeys(t *testing.T) {
	t.Parallel()
	storetest.Webhooks(t, func(t *testing.T) storetest.Env {
		t.Helper()
		db, err := calldb.Open(t.Context(), sqliteURL(t), &calldb.Options{SecretKeys: secretKeys(t, 'a')})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		return env(db)
	})
}

func TestWrongSecretKeys(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{"": "none", "# x\n\n": "none", "c2hvcnQ=": "line 1", "\nNONSENSE!": "line 2"} {
		_, err := calldb.ParseSecretKeys([]byte(text))
		require.ErrorContains(t, err, why, "%q", text)
		assert.NotContains(t, err.Error(), "NONSENSE")
	}
}
