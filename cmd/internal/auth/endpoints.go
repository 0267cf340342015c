package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

// metadata is what an issuer tells of itself (OpenID Connect Discovery 1.0 section 3,
// RP-Initiated Logout 1.0 section 2.1, RFC 9207 section 3).
type metadata struct {
	JWKS       string   `json:"jwks_uri"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	EndSession string   `json:"end_session_endpoint"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
	SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// endpoints are where people log in at the issuer.
type endpoints struct {
	oauth2.Endpoint
	endSession string // "": it has none
	saysIssuer bool   // its answers name it
	err        error  // why nobody can log in there
}

func (m *metadata) endpoints() *endpoints {
	e := &endpoints{Endpoint: oauth2.Endpoint{AuthURL: m.Authorize, TokenURL: m.Token, AuthStyle: oauth2.AuthStyleInHeader}, saysIssuer: m.SaysIssuer}
	// The header is what every server with secrets takes, unless it says otherwise.
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "client_secret_basic") && slices.Contains(m.Methods, "client_secret_post") {
		e.AuthStyle = oauth2.AuthStyleInParams
	}
	for name, address := range map[string]string{"authorization_endpoint": m.Authorize, "token_endpoint": m.Token} {
		if err := checkIssuerURL(address); err != nil {
			e.err = errors.Join(e.err, fmt.Errorf("the issuer's %s %q %w", name, address, err))
		}
	}
	if checkIssuerURL(m.EndSession) == nil {
		e.endSession = m.EndSession
	}
	return e
}

// endpoints are the issuer's, if it answers. Where it hasn't for the time, or didn't
// answer last, it is asked now, with whoever else waits for it.
func (k *issuerKeys) endpoints(ctx context.Context, fresh time.Duration) (*endpoints, error) {
	e, asOf, err := k.known()
	if e == nil || err != nil || k.now().Sub(asOf) > fresh {
		k.fetches.next(ctx)
		e, _, err = k.known()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the issuer %s can't be asked: %w", k.issuer, err)
	case e == nil:
		return nil, fmt.Errorf("the issuer %s hasn't answered yet", k.issuer)
	}
	return e, nil
}

// known are the endpoints, when the issuer answered last, and what the last fetch failed with.
func (k *issuerKeys) known() (*endpoints, time.Time, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.flow, k.asOf, k.away
}
