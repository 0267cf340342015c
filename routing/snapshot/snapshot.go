package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
)

// Dir is a directory of snapshots. Its methods that save must not run at once.
type Dir struct{ path string }

// Open makes the directory if it isn't there.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, fmt.Errorf("snapshot: the directory can't be used: %w", err)
	}
	return &Dir{path}, nil
}

// Exists reports whether the directory is there and holds a tenant's rules.
func Exists(path string) bool {
	states, err := filepath.Glob(filepath.Join(escaped(path), "*", stateName))
	return err == nil && len(states) > 0
}

// escaped returns a pattern that matches the path alone.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// String returns the directory's path.
func (d *Dir) String() string { return d.path }

// State says which versions of a tenant's rules are in service.
type State struct {
	Tenant callmodel.TenantID `json:"tenant"`
	Active string             `json:"active"` // the version's hash
	// Previous is the version that a rollback goes back to, "" for none. Its
	// file is kept, so that the rollback is quick.
	Previous string           `json:"previous,omitempty"`
	Canary   *rulesets.Canary `json:"canary,omitempty"`
	SavedAt  time.Time        `json:"saved_at"`
}

const (
	stateName   = "state"
	withoutName = "_without" // no tenant's id begins like that
	sumDigits   = 8
)

func (d *Dir) tenantDir(t callmodel.TenantID) error {
	path := filepath.Join(d.path, string(t))
	if err := os.Mkdir(path, dirMode); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return fmt.Errorf("snapshot: %w", err)
	}
	return syncDir(d.path)
}

// seal puts a checksum behind JSON.
func seal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(b, "\n%0*x\n", sumDigits, checksum(b)), nil
}

// unseal reads what seal wrote into v.
func unseal(data []byte, v any) error {
	body, rest, ok := bytes.Cut(data, []byte("\n"))
	sum, err := strconv.ParseUint(strings.TrimSuffix(string(rest), "\n"), 16, 32)
	if !ok || len(rest) != sumDigits+1 || err != nil || uint32(sum) != checksum(body) {
		return errors.New("its checksum is wrong: it is damaged, or was cut short")
	}
	return json.Unmarshal(body, v)
}

// SaveState keeps which versions are in service, and removes the files of
// others. The files of those it names must be there.
func (d *Dir) SaveState(s State) error {
	for _, hash := range s.hashes() {
		if !d.HasRules(s.Tenant, hash) {
			return fmt.Errorf("snapshot: the rule set %q of tenant %q is not there", hash, s.Tenant)
		}
	}
	if s.Previous != "" && !d.HasRules(s.Tenant, s.Previous) {
		s.Previous = ""
	}
	b, err := seal(&s)
	if err != nil {
		return fmt.Errorf("snapshot: tenant %s: %w", s.Tenant, err)
	}
	if err := write(filepath.Join(d.path, string(s.Tenant), stateName), b); err != nil {
		return fmt.Errorf("snapshot: tenant %s: %w", s.Tenant, err)
	}
	return d.prune(&s)
}

// hashes lists the versions in service.
func (s *State) hashes() []string {
	list := []string{s.Active}
	if s.Canary != nil {
		list = append(list, s.Canary.Hash)
	}
	return list
}

// prune removes versions that the state doesn't name, and unfinished files that a
// crash left.
func (d *Dir) prune(s *State) error {
	dir := filepath.Join(d.path, string(s.Tenant))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("snapshot: tenant %s: %w", s.Tenant, err)
	}
	keep := append(s.hashes(), s.Previous)
	for _, e := range entries {
		hash, rules := strings.CutSuffix(e.Name(), extension)
		temp, _ := filepath.Match(tempName, e.Name())
		if rules && !slices.Contains(keep, hash) || temp {
			err = errors.Join(err, ignoreMissing(os.Remove(filepath.Join(dir, e.Name()))))
		}
	}
	return err
}

// SaveWithout keeps which tenants have no rules of their own.
func (d *Dir) SaveWithout(tenants []callmodel.TenantID) error {
	slices.Sort(tenants)
	b, err := seal(tenants)
	if err == nil {
		err = write(filepath.Join(d.path, withoutName), b)
	}
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Tenant is what Load found for a tenant.
type Tenant struct {
	State
	Versions routing.Versions
}

// Load reads and compiles everything. It also returns what it could read if some
// files can't be used; the error joins one for each of them. A canary that can't be
// read is left out, and the active version decides its calls.
func (d *Dir) Load() (tenants []Tenant, without []callmodel.TenantID, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	var faults []error
	for _, e := range entries {
		if !e.IsDir() || !callmodel.ValidID(e.Name()) {
			continue
		}
		t, err := d.tenant(callmodel.TenantID(e.Name()))
		if err != nil {
			faults = append(faults, err)
		}
		if t.Versions.Active != nil {
			tenants = append(tenants, t)
		}
	}
	if err := read(filepath.Join(d.path, withoutName), &without); err != nil {
		without = nil
		faults = append(faults, err)
	}
	without = slices.DeleteFunc(without, func(t callmodel.TenantID) bool { return !callmodel.ValidID(string(t)) })
	return tenants, without, errors.Join(faults...)
}

// read reads a sealed file; one that isn't there is no fault.
func read(path string, v any) error {
	b, err := os.ReadFile(path) //nolint:gosec // the operator's directory
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = unseal(b, v)
	}
	if err != nil {
		return callmodel.Errorf(callmodel.CodeMalformed, "snapshot: %s: %w", path, err)
	}
	return nil
}

func (d *Dir) tenant(id callmodel.TenantID) (Tenant, error) {
	var t Tenant
	path := filepath.Join(d.path, string(id), stateName)
	if err := read(path, &t.State); err != nil {
		return Tenant{}, err
	}
	if t.Active == "" {
		return Tenant{}, nil // a crash came before its first state
	}
	if t.Tenant != id {
		return Tenant{}, callmodel.Errorf(callmodel.CodeMalformed, "snapshot: %s: it is of the tenant %q", path, t.Tenant)
	}
	var err error
	if t.Versions.Active, err = d.Rules(id, t.Active); err != nil {
		return Tenant{}, err
	}
	if c := t.Canary; c != nil {
		if t.Versions.Canary, err = d.Rules(id, c.Hash); err != nil {
			t.Canary = nil
			return t, err
		}
		t.Versions.Share, t.Versions.Salt = c.Share, c.Salt
	}
	return t, nil
}
