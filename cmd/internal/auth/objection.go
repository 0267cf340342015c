package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// objection says in words why a token, which the issuer gave, isn't taken for the audience,
// which the setting names: for who sets this up. It reads the token as it is, and so is no
// check of one.
func (o *OIDC) objection(token, audience, setting string) string {
	if !o.Takes(token) || len(token) > maxToken {
		return "is not a JWT that can be read here"
	}
	parts := strings.Split(token, ".")
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims map[string]any
	for i, v := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, v) != nil {
			return "is not a JWT that can be read here"
		}
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	at := func(name string) time.Time { s, _ := claims[name].(float64); return time.Unix(int64(s), 0) }
	var audiences []string
	switch v := claims["aud"].(type) {
	case string:
		audiences = []string{v}
	case []any:
		for _, one := range v {
			audiences = append(audiences, fmt.Sprint(one))
		}
	}
	switch now := o.opts.Now(); {
	case text("iss") != o.opts.Issuer:
		return "is of the issuer " + quoted(text("iss")) + " and not of " + quoted(o.opts.Issuer) + " (--oidc-issuer)"
	case !slices.Contains(audiences, audience):
		return "is for the audience " + quoted(strings.Join(audiences, " ")) + " and not for " + quoted(audience) + " (" + setting + ")"
	case !slices.Contains(o.opts.Algorithms, header.Algorithm):
		return "is signed by " + quoted(header.Algorithm) + " and not by " + strings.Join(o.opts.Algorithms, " or ") + " (--oidc-algorithms)"
	case !now.Before(at("exp")):
		return "has expired: the clocks may differ"
	case now.Add(maxAhead).Before(at("nbf")):
		return "doesn't hold yet: the clocks may differ"
	case text("sub") == "":
		return "names nobody (sub)"
	case !callmodel.ValidID(string(o.tenant(claims))):
		return "names no tenant in " + quoted(o.opts.TenantClaim) + " (--oidc-tenant-claim, or --oidc-tenant for everybody's)"
	}
	return "isn't signed by a key that the issuer publishes"
}

// maxQuoted bounds what others' texts take up on a page and in the log, in bytes.
const maxQuoted = 200

// quoted is somebody else's text between quotation marks, without what no error text of
// theirs has in it (RFC 6749 section 4.1.2.1: printable ASCII).
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' {
			return '?'
		}
		return r
	}, s[:min(len(s), maxQuoted)])
	return `"` + s + `"`
}
