package record

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// ObjectKey is the deterministic place of an output in a bucket:
//
//	{tenant}/year=YYYY/month=MM/day=DD/hour=HH/{call_id}/{recording_id}[~{name}].v{n}.{ext}
//
// The hour is that of the call's start in UTC. The same recording always gets
// the same key, so a job that runs twice can't make two objects.
type ObjectKey struct {
	TenantID    callmodel.TenantID
	CallID      callmodel.CallID
	RecordingID callmodel.RecordingID
	StartedAt   time.Time
	Name        string // the output's name; "" for the unnamed one
	Version     int    // from 1
	Ext         string // without a dot
}

// Key is the key of o's object for the spec, at version 1.
func (s *Spec) Key(o OutputSpec) ObjectKey {
	return ObjectKey{
		TenantID: s.TenantID, CallID: s.CallID, RecordingID: s.RecordingID,
		StartedAt: s.StartedAt, Name: o.Name, Version: 1, Ext: o.Codec.Ext(),
	}
}

// manifestExt is how the keys of manifests end.
const manifestExt = "manifest.json"

// ManifestKey is the key of the spec's manifest, at version 1.
func (s *Spec) ManifestKey() ObjectKey {
	return ObjectKey{
		TenantID: s.TenantID, CallID: s.CallID, RecordingID: s.RecordingID,
		StartedAt: s.StartedAt, Version: 1, Ext: manifestExt,
	}
}

// Next is the key of the version after k.
func (k ObjectKey) Next() ObjectKey {
	k.Version++
	return k
}

// Validate reports every part of the key that can't be part of one.
func (k ObjectKey) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("tenant_id", string(k.TenantID))
	e.CheckID("call_id", string(k.CallID))
	e.CheckID("recording_id", string(k.RecordingID))
	if k.Name != "" {
		e.CheckID("name", k.Name)
	}
	e.CheckID("ext", k.Ext)
	if y := k.StartedAt.UTC().Year(); y < 1970 || y > 9999 {
		e.Add("started_at", "year %d is not within 1970 to 9999", y)
	}
	if k.Version < 1 {
		e.Add("version", "must be 1 or more, is %d", k.Version)
	}
	return e.Err()
}

// String is the key. It is only meaningful for a valid k.
func (k ObjectKey) String() string {
	name := string(k.RecordingID)
	if k.Name != "" {
		name += "~" + k.Name
	}
	t := k.StartedAt.UTC()
	return fmt.Sprintf("%s/year=%04d/month=%02d/day=%02d/hour=%02d/%s/%s.v%d.%s",
		k.TenantID, t.Year(), t.Month(), t.Day(), t.Hour(), k.CallID, name, k.Version, k.Ext)
}

// ObjectMeta is what is stored beside an object.
type ObjectMeta struct {
	ContentType string
	// Metadata is small text by lower-case key, e.g. the channel map
	// ("channel_map": "0=agent,1=customer"). The store adds "sha256".
	Metadata map[string]string
	// NewVersion says that other bytes under the key are no surprise: the
	// object is a later version of a recording that is there.
	NewVersion bool
}

// ObjectInfo is an object as it is in the bucket.
type ObjectInfo struct {
	Key    ObjectKey // the key it got; a later version than asked for if that was taken by other bytes
	URL    string
	Bytes  int64
	SHA256 string // hex
	// Existed is true when the very same bytes were there already.
	Existed bool
	// Encrypted says that the object is encrypted before it comes to the bucket. Bytes and
	// SHA256 are the plaintext's then.
	Encrypted bool
}
