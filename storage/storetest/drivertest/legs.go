package drivertest

import (
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/storage"
)

// RunLegs holds the bucket to the contract of recording.LegOpener. s is one that is
// there, and nowhere one of the same server that isn't.
func RunLegs(t *testing.T, s, nowhere *storage.Store) {
	t.Helper()
	recordingtest.LegOpenerContract(t, func(*testing.T) recordingtest.LegPlace {
		return recordingtest.LegPlace{Legs: s, Put: func(uri string, body []byte) error {
			_, err := s.PutNamed(t.Context(), uri, record.ObjectMeta{}, func(w io.Writer) error {
				_, err := w.Write(body)
				return err
			})
			return err
		}}
	})
	_, err := nowhere.OpenLeg(t.Context(), "2026/agent.wav")
	require.NotErrorIs(t, err, fs.ErrNotExist, "no bucket is no missing leg")
	var later *callmodel.RetryAfterError
	require.ErrorAs(t, err, &later)
}
