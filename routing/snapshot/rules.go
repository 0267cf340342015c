package snapshot

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// form begins every version's file; the digit is the form's own version.
const form = "switchtape rules 1\n"

const (
	sumBytes  = 4
	extension = ".rules"
	hashLen   = 32
)

// validHash reports whether hash is a content hash, and so safe as a file's name.
func validHash(hash string) bool {
	if len(hash) != hashLen {
		return false
	}
	for i := range len(hash) {
		if c := hash[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (d *Dir) rulesPath(t callmodel.TenantID, hash string) string {
	return filepath.Join(d.path, string(t), hash+extension)
}

// HasRules reports whether the version's file is there, readable or not.
func (d *Dir) HasRules(t callmodel.TenantID, hash string) bool {
	if !callmodel.ValidID(string(t)) || !validHash(hash) {
		return false
	}
	_, err := os.Stat(d.rulesPath(t, hash))
	return err == nil
}

// SaveRules keeps a version of the tenant's rules, under its content hash: a
// [routing.RuleSet] or [routing.Packed].
func (d *Dir) SaveRules(t callmodel.TenantID, hash string, rs encoding.BinaryMarshaler) error {
	if !callmodel.ValidID(string(t)) || !validHash(hash) {
		return fmt.Errorf("snapshot: the rule set %q of the tenant %q has no name that a file can have", hash, t)
	}
	body, err := rs.MarshalBinary()
	if err != nil {
		return fmt.Errorf("snapshot: rule set %s of tenant %s: %w", hash, t, err)
	}
	head := append(append([]byte(form), hash...), byte(len(t)))
	head = append(head, t...)
	sum := binary.LittleEndian.AppendUint32(nil, checksum(head, body))
	if err := d.tenantDir(t); err != nil {
		return err
	}
	if err := write(d.rulesPath(t, hash), head, body, sum); err != nil {
		return fmt.Errorf("snapshot: rule set %s of tenant %s: %w", hash, t, err)
	}
	return nil
}

// Rules reads and compiles a version. The error names its file and has the code
// CodeNotFound if the file isn't there, else CodeMalformed.
func (d *Dir) Rules(t callmodel.TenantID, hash string) (*routing.Router, error) {
	if !callmodel.ValidID(string(t)) || !validHash(hash) {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "snapshot: the tenant %q has no rule set %q", t, hash)
	}
	path := d.rulesPath(t, hash)
	fault := func(err error) error {
		return callmodel.Errorf(callmodel.CodeMalformed, "snapshot: %s: %w", path, err)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the names were checked
	if errors.Is(err, os.ErrNotExist) {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "snapshot: %w", err)
	}
	if err != nil {
		return nil, fault(err)
	}
	body, err := contents(data, t, hash)
	if err != nil {
		return nil, fault(err)
	}
	router, err := routing.CompileBinary(body)
	if err != nil {
		return nil, fault(err)
	}
	if router.Hash() != hash {
		return nil, fault(fmt.Errorf("it holds the rule set %s; was it written by another version of this program?", router.Hash()))
	}
	return router, nil
}

// contents returns the rule set in the file of a version.
func contents(data []byte, t callmodel.TenantID, hash string) ([]byte, error) {
	head := len(form) + hashLen + 1
	if len(data) < head+sumBytes || string(data[:len(form)]) != form {
		return nil, errors.New("it is not a snapshot of a rule set, or was cut short")
	}
	body, sum := data[:len(data)-sumBytes], data[len(data)-sumBytes:]
	if checksum(body) != binary.LittleEndian.Uint32(sum) {
		return nil, errors.New("its checksum is wrong: it is damaged, or was cut short")
	}
	n := int(body[head-1])
	if len(body) < head+n || string(body[head:head+n]) != string(t) || string(body[len(form):head-1]) != hash {
		return nil, errors.New("it is of another tenant or version than its name says")
	}
	return body[head+n:], nil
}
