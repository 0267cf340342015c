// Package auth is the reference authentication of the binaries: API keys as
// bearer tokens, kept as hashes in a database and in a file, and other issuers' JWTs. A
// service that mounts the handlers brings its own.
//
//	request ─▶ Gate ─┬─▶ Ring    the keys of a file, read again at SIGHUP
//	                 ├─▶ Book    those of the database, followed by a poll
//	                 └─▶ Tokens  JWTs of an OpenID Connect issuer
//
// CodeFlow has people log in at that issuer's own pages.
//
// The file, from which a platform's first operator comes, has a line a key; # begins a
// comment:
//
//	# sha256 of the key (hex)    tenant    what it may do               subject
//	9f86d081884c7d659a2feaa0…    acme      operator                     ops-laptop
//	60303ae22b998861bce3b28f…    acme      calls:read,recordings:read   dashboard
//
// What a key may do is a list, separated by commas, of scopes as in package
// callmodel and of roles, which are sets of scopes:
//
//	reader     calls:read, recordings:read, rules:read
//	caller     those of reader, calls:write, recordings:write
//	operator   every scope but holds:write and recordings:erase, and but tenants:every,
//	           which is given by its name alone
//	compliance reads, holds, erases, exports and shares
//
// A key is made and its line printed by
//
//	key=$(openssl rand -hex 32); echo "$key" >&2; printf %s "$key" | sha256sum
package auth

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// Keys are the API keys in use, by the hash of the key.
type Keys map[[sha256.Size]byte]callmodel.Principal

// Load reads the key file at path. Every fault is reported at once.
func Load(path string) (Keys, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	keys, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("API keys in %s: %w", path, err)
	}
	return keys, nil
}

// Parse reads a key file.
func Parse(r io.Reader) (Keys, error) {
	keys := Keys{}
	var faults callmodel.FieldErrors
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		hash, principal, why := parseLine(fields)
		if _, twice := keys[hash]; why == "" && twice {
			why = "the key stands in the file twice"
		}
		if why != "" {
			faults = append(faults, callmodel.FieldError{Line: n, Message: why})
			continue
		}
		keys[hash] = principal
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return keys, nil
}

func parseLine(fields []string) (hash [sha256.Size]byte, p callmodel.Principal, why string) {
	const form = "a line has four fields: the key's SHA-256 in hex, tenant, role or scopes, subject"
	if len(fields) != 4 {
		return hash, p, form
	}
	raw, err := hex.DecodeString(fields[0])
	if err != nil || len(raw) != sha256.Size {
		return hash, p, "the first field is not a SHA-256 in hex"
	}
	p = callmodel.Principal{TenantID: callmodel.TenantID(fields[1]), Subject: fields[3]}
	if !callmodel.ValidID(fields[1]) {
		return hash, p, "the tenant is not a valid id"
	}
	if p.Scopes, err = callmodel.ParseGrants(strings.Split(fields[2], ",")); err != nil {
		return hash, p, err.Error()
	}
	return [sha256.Size]byte(raw), p, ""
}

// Local lets everybody on this machine act as p, for a server that listens on
// loopback only. Requests that a browser makes for another site's page are
// refused: the machine's user visits strangers' pages.
func Local(p callmodel.Principal, next http.Handler) http.Handler {
	guarded := http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A name that a stranger's DNS points here is not this machine's name.
		if !loopbackHost(r.Host) {
			problem.Write(w, callmodel.Errorf(callmodel.CodeForbidden, "without API keys this server answers to localhost only"))
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return Loopback(strings.Trim(host, "[]"))
}

// Loopback reports whether host is this machine and no other can reach it.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
