package record

import "strings"

// AdoptedManifest is the key of the manifest of a recording that was adopted from the
// object of that key: it stands beside the object, wherever that is.
func AdoptedManifest(key string) string { return key + ".manifest.json" }

// Owns reports whether the object of that key in the bucket, which the recording's result
// names, belongs to the recording's tenant. It does in the tenant's part of the bucket,
// where workers put what they make. Elsewhere it does if the recording was adopted:
// something else has made it, an operator has said that it is the tenant's, and the only
// leg of the spec is the object itself. The manifest of an adopted recording stands beside
// it. A request can't have somebody else's object taken for adopted, whatever legs it
// names, since a worker names no object outside the tenant's part.
func (s *Spec) Owns(key string) bool {
	if strings.HasPrefix(key, string(s.TenantID)+"/") {
		return true
	}
	if len(s.Legs) != 1 || len(s.Legs[0].Segments) != 1 {
		return false
	}
	object := s.Legs[0].Segments[0].URI
	return object != "" && (key == object || key == AdoptedManifest(object))
}
