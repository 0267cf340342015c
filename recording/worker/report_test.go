package worker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/record"
)

// TestDefectsInLogs: codes and legs by name, each once, a bounded number of them, and no
// number that a leg is named for.
func TestDefectsInLogs(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"leg_missing of agent", "clipped", "truncated of …123", "truncated of leg-12"}, defectLines([]record.Defect{
		{Code: record.DefectLegMissing, Leg: "agent"},
		{Code: record.DefectClipped},
		{Code: record.DefectTruncated, Leg: "442079460123"},
		{Code: record.DefectTruncated, Leg: "leg-12"},
		{Code: record.DefectLegMissing, Leg: "agent"},
	}))
	var many []record.Defect
	for i := range 50 {
		many = append(many, record.Defect{Code: record.DefectClipped, Leg: fmt.Sprint("leg", i)})
	}
	lines := defectLines(many)
	assert.Len(t, lines, 21)
	assert.Equal(t, "30 more", lines[20])
	assert.Empty(t, defectLines(nil))
}
