package webhooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// SecretPrefix begins every secret that is made here. One that is given may lack it.
const SecretPrefix = "whsec_"

// Bounds of the key in a secret, in bytes, as Standard Webhooks recommends them.
const (
	MinKey = 24
	MaxKey = 64
)

// Secret is what an endpoint's deliveries are signed with: [SecretPrefix], which may be
// missing, and 24 to 64 bytes in base64. It is kept as it is, since a hash can't sign,
// and shows itself to nobody who prints, logs or encodes it: see Reveal.
type Secret string

// NewSecret makes a secret of 256 random bits.
func NewSecret() Secret {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the process instead
	return Secret(SecretPrefix + base64.StdEncoding.EncodeToString(raw[:]))
}

// Reveal is the secret's text, for the one answer that shows it and for the store.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return "…" }

// GoString hides the secret.
func (s Secret) GoString() string { return "…" }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue("…") }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte("…"), nil }

// Key is the key in the secret. The error is FieldErrors, and doesn't hold the secret.
func (s Secret) Key() ([]byte, error) {
	text := strings.TrimRight(strings.TrimPrefix(string(s), SecretPrefix), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) < MinKey || len(key) > MaxKey {
		return nil, callmodel.FieldErrors{{Path: "secret", Message: "must be " + strconv.Itoa(MinKey) + " to " + strconv.Itoa(MaxKey) +
			" bytes in base64, with or without \"" + SecretPrefix + "\" before them; leave it out to have one made"}}
	}
	return key, nil
}

// Sign is the signature of one try at a delivery (Standard Webhooks 1.0, "Signature
// scheme"): "v1," and the base64 of the HMAC-SHA256 of id, at in seconds since 1970 and
// body, with dots between.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// EventID is the id under which an event is delivered, made of the key that it has in
// the outbox: the same at each try and at each endpoint. It has no dot, with which ids
// and times are told apart in what is signed.
func EventID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "evt_" + hex.EncodeToString(sum[:16])
}
