package callmodel

import (
	"maps"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// Limits of the metadata that calls, users and tenants have.
const (
	MaxMetadata      = 32  // pairs
	MaxMetadataKey   = 64  // bytes
	MaxMetadataValue = 512 // bytes
)

// CheckMetadata adds the faults of metadata beyond its limits, below path.
func (e *FieldErrors) CheckMetadata(path string, m map[string]string) {
	if len(m) > MaxMetadata {
		e.Add(path, "has %d pairs, at most %d are allowed", len(m), MaxMetadata)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p := path + "[" + strconv.Quote(text.Clip(k)) + "]"
		if k == "" || len(k) > MaxMetadataKey {
			e.Add(p, "the key must be 1 to %d bytes", MaxMetadataKey)
		}
		if len(m[k]) > MaxMetadataValue {
			e.Add(p, "the value is longer than %d bytes", MaxMetadataValue)
		}
	}
}
