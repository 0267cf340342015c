package storeform

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Cursor is the place of a call in a list that is sorted by time, then id.
type Cursor struct {
	Micros int64
	ID     callmodel.CallID
}

// String is the cursor as clients pass it back, opaque to them.
func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte("1:" + strconv.FormatInt(c.Micros, 10) + ":" + string(c.ID)))
}

// ParseCursor reads what String wrote; anything else is [callmodel.FieldErrors].
func ParseCursor(s string) (Cursor, error) {
	bad := callmodel.FieldErrors{{Path: "before", Message: "is not a cursor of this list; give the \"next\" of the page before"}}
	if len(s) > 256 {
		return Cursor{}, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Cursor{}, bad
	}
	version, rest, _ := strings.Cut(string(b), ":")
	micros, id, _ := strings.Cut(rest, ":")
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || version != "1" || !callmodel.ValidID(id) {
		return Cursor{}, bad
	}
	c := Cursor{Micros: us, ID: callmodel.CallID(id)}
	if c.String() != s { // one place, one cursor: no "+5", no "005"
		return Cursor{}, bad
	}
	return c, nil
}
