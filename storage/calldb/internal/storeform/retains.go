package storeform

import (
	"bytes"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// NotKept is until when a recording is kept to which a party has not consented: the
// earliest time that a column holds.
var NotKept = time.UnixMicro(1).UTC() //nolint:gochecknoglobals // a constant

// Retains is until when the recording that a job asks for is kept, or for how many days, as
// it says itself; zero if it doesn't.
func Retains(kind string, payload []byte) (until time.Time, days int) {
	if kind != record.Kind || !bytes.Contains(payload, []byte(`"retain_`)) && !bytes.Contains(payload, []byte(`"consent"`)) { // few do
		return until, 0
	}
	s, err := record.SpecOf(&ledger.Job{Kind: kind, Payload: payload})
	if err != nil { // who enqueues it has checked that
		return until, 0
	}
	if s.Consent == retention.ConsentDenied {
		return NotKept, 0
	}
	return s.RetainUntil, s.RetainDays
}
