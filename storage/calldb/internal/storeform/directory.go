package storeform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
)

// The kinds of a directory's entries.
const (
	KindUser   = "user"
	KindTenant = "tenant"
)

// MaxPut bounds the users of one transaction.
const MaxPut = 1000

// Entry is a user or a tenant as a store keeps it.
type Entry struct {
	Kind   string
	Tenant callmodel.TenantID
	ID     users.ID // "" of a tenant
	Doc    string   // JSON without the revision; "" of what is gone
	Gone   bool

	users.Revision
}

// There reports whether the entry is there and wasn't deleted.
func (e *Entry) There() bool { return e.Version > 0 && !e.Gone }

// Current is the version of what is there, 0 for nothing.
func (e *Entry) Current() int64 {
	if !e.There() {
		return 0
	}
	return e.Version
}

// UserEntry checks the user and makes an entry of it.
func UserEntry(u *users.User) (Entry, error) {
	if err := u.Validate(); err != nil {
		return Entry{}, err
	}
	bare := *u
	bare.Revision = users.Revision{}
	doc, err := json.Marshal(bare)
	return Entry{Kind: KindUser, Tenant: u.TenantID, ID: u.ID, Doc: string(doc)}, err
}

// TenantEntry checks the tenant and makes an entry of it.
func TenantEntry(t *users.Tenant) (Entry, error) {
	if err := t.Validate(); err != nil {
		return Entry{}, err
	}
	bare := *t
	bare.Revision = users.Revision{}
	doc, err := json.Marshal(bare)
	return Entry{Kind: KindTenant, Tenant: t.ID, Doc: string(doc)}, err
}

// CheckEntry reports whether an entry with these ids can be there.
func CheckEntry(kind string, t callmodel.TenantID, id users.ID) bool {
	return callmodel.ValidID(string(t)) && (kind == KindTenant || callmodel.ValidID(string(id)))
}

// User is the entry's user.
func (e *Entry) User() (users.User, error) {
	u := users.User{TenantID: e.Tenant, ID: e.ID}
	err := e.decode(&u)
	u.Revision = e.Revision
	return u, err
}

// TenantDocument is the entry's tenant.
func (e *Entry) TenantDocument() (users.Tenant, error) {
	t := users.Tenant{ID: e.Tenant}
	err := e.decode(&t)
	t.Revision = e.Revision
	return t, err
}

func (e *Entry) decode(v any) error {
	if e.Doc == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(e.Doc), v); err != nil {
		return fmt.Errorf("the %s %s of tenant %s: %w", e.Kind, e.ID, e.Tenant, err)
	}
	return nil
}

// Change is the entry as its last change.
func (e *Entry) Change(seq int64) (users.Change, error) {
	c := users.Change{Seq: seq, Deleted: e.Gone}
	if e.Kind == KindTenant {
		t, err := e.TenantDocument()
		c.Tenant = &t
		return c, err
	}
	u, err := e.User()
	c.User = &u
	return c, err
}

// DirectoryLine is the audit line of a change from before to after: which version came
// of it, and which fields it is about, but not what they hold.
func DirectoryLine(before, after *Entry, actor string) callmodel.AuditEvent {
	line := callmodel.AuditEvent{
		TenantID: after.Tenant, Actor: actor, Action: callmodel.AuditUserStored, Subject: string(after.ID),
		Detail: map[string]string{"version": strconv.FormatInt(after.Version, 10)},
	}
	switch {
	case after.Kind == KindUser && after.Gone:
		line.Action = callmodel.AuditUserDeleted
	case after.Kind == KindTenant && after.Gone:
		line.Action, line.Subject = callmodel.AuditTenantDeleted, string(after.Tenant)
	case after.Kind == KindTenant:
		line.Action, line.Subject = callmodel.AuditTenantStored, string(after.Tenant)
	}
	if !after.Gone {
		line.Detail["fields"] = Text(strings.Join(changedFields(before.Doc, after.Doc), " "), MaxText)
	}
	return line
}

// changedFields are the names of the fields that differ, those of preferences,
// numbers and defaults one by one.
func changedFields(before, after string) []string {
	was, is := fieldsOf("", before), fieldsOf("", after)
	for _, group := range []string{"numbers", "preferences", "defaults", "profile"} {
		maps.Copy(was, fieldsOf(group+".", string(was[group])))
		maps.Copy(is, fieldsOf(group+".", string(is[group])))
		delete(was, group)
		delete(is, group)
	}
	var list []string
	for name := range is {
		if !bytes.Equal(was[name], is[name]) {
			list = append(list, name)
		}
	}
	for name := range was {
		if _, still := is[name]; !still {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func fieldsOf(prefix, doc string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	out := map[string]json.RawMessage{}
	if doc == "" || json.Unmarshal([]byte(doc), &m) != nil {
		return out
	}
	for name, v := range m {
		switch prefix + name {
		case "id", "tenant_id", "version":
		default:
			out[prefix+name] = v
		}
	}
	return out
}

// NumberOf is a number of a user, and where it stands in it.
type NumberOf struct {
	Number string
	Path   string
	DID    bool
}

// NumbersOf lists the user's numbers in their order, so that whoever writes several
// locks them as everybody does.
func NumbersOf(n *users.Numbers) []NumberOf {
	var list []NumberOf
	if n.Mobile != "" {
		list = append(list, NumberOf{n.Mobile, "numbers.mobile", false})
	}
	if n.Extension != "" {
		list = append(list, NumberOf{n.Extension, "numbers.extension", false})
	}
	for i, s := range n.DIDs {
		list = append(list, NumberOf{s, fmt.Sprintf("numbers.dids[%d]", i), true})
	}
	slices.SortFunc(list, func(a, b NumberOf) int { return strings.Compare(a.Number, b.Number) })
	return list
}

// Taken adds the fault of a number that is another user's.
func Taken(faults *callmodel.FieldErrors, prefix string, n *NumberOf) {
	faults.AddAll(prefix, callmodel.FieldErrors{{
		Path: n.Path, Message: n.Number + " is another user's already; a number leads to one, so take it from that one first",
	}})
}

// PutPath is where the faults of a user stand that is put with others.
func PutPath(i, of int) string {
	if of == 1 {
		return ""
	}
	return fmt.Sprintf("[%d]", i)
}

// CheckPut makes entries of the users to put, with every fault of all of them.
func CheckPut(list []users.User) ([]Entry, error) {
	var faults callmodel.FieldErrors
	if len(list) > MaxPut {
		faults.Add("", "there are %d users, at most %d are put at once", len(list), MaxPut)
		return nil, faults
	}
	entries := make([]Entry, len(list))
	seen := make(map[[2]string]bool, len(list))
	for i := range list {
		e, err := UserEntry(&list[i])
		faults.AddAll(PutPath(i, len(list)), err)
		key := [2]string{string(list[i].TenantID), string(list[i].ID)}
		if seen[key] {
			faults.Add(PutPath(i, len(list))+".id", "%q is given twice", Text(string(list[i].ID), MaxKey))
		}
		seen[key] = true
		entries[i] = e
	}
	return entries, faults.Err()
}

// IDCursor is the place behind an id in a list that is sorted by ids.
func IDCursor(id string) string { return base64.RawURLEncoding.EncodeToString([]byte("i:" + id)) }

// ParseIDCursor reads what [IDCursor] wrote; "" is the beginning. Anything else is
// [callmodel.FieldErrors].
func ParseIDCursor(s string) (id string, err error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s[:min(len(s), 256)])
	id, ok := strings.CutPrefix(string(b), "i:")
	if err != nil || !ok || !callmodel.ValidID(id) || IDCursor(id) != s {
		return "", callmodel.FieldErrors{{Path: "cursor", Message: "is not a cursor of this list; give the \"next\" of the page before"}}
	}
	return id, nil
}

// NoVersion is behind every version of a history.
const NoVersion = 1 << 62

// VersionOf is the entry as a version of its history.
func VersionOf[T any](e *Entry, document func(*Entry) (T, error)) (users.Version[T], error) {
	v := users.Version[T]{Version: e.Version, At: e.UpdatedAt, Actor: e.UpdatedBy, Deleted: e.Gone}
	if e.Gone {
		return v, nil
	}
	doc, err := document(e)
	v.Document = &doc
	return v, err
}

// Of a read of changes.
const defaultChanges, maxChanges = 1000, 10_000

// ChangesLimit is the limit of a read of changes that was asked for n.
func ChangesLimit(n int) int { return limit(n, defaultChanges, maxChanges) }
