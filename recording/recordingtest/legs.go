package recordingtest

import (
	"context"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

// LegOpener is recording.LegOpener, which this package can't import.
type LegOpener interface {
	OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error)
}

// legBelowOpener is recording.LegBelowOpener.
type legBelowOpener interface {
	OpenLegBelow(ctx context.Context, dir, uri string) (io.ReadCloser, error)
}

// LegPlace is an implementation of recording.LegOpener to hold against its contract.
type LegPlace struct {
	Legs LegOpener
	// Put puts a file at that URI.
	Put func(uri string, body []byte) error
	// Never are names that no file can have there. Nil for none.
	Never []string
	// NeverBelow are names in the directory "2026" that lead out of it, for a place
	// that is a recording.LegBelowOpener. Nil for none.
	NeverBelow []string
	// Away takes the place away, with all that is in it, in each way that it can be
	// away; what it returns brings it back. Nil for a place that is always there.
	Away map[string]func() (back func() error, err error)
}

// LegOpenerContract holds an implementation of recording.LegOpener against its
// contract. open makes a place.
func LegOpenerContract(t *testing.T, open func(t *testing.T) LegPlace) {
	t.Helper()
	body := []byte("a leg's bytes")
	reads := func(t *testing.T, p LegPlace, uri string) {
		t.Helper()
		r, err := p.Legs.OpenLeg(t.Context(), uri)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, body, got)
		require.NoError(t, r.Close())
	}
	var permanent *callmodel.PermanentError
	missing := func(t *testing.T, p LegPlace, uri string) {
		t.Helper()
		_, err := p.Legs.OpenLeg(t.Context(), uri)
		require.ErrorIs(t, err, fs.ErrNotExist, uri)
		require.NotErrorAs(t, err, &permanent, uri)
	}
	t.Run("opens again and again", func(t *testing.T) {
		p := open(t)
		require.NoError(t, p.Put("2026/agent.wav", body))
		reads(t, p, "2026/agent.wav")
		reads(t, p, "2026/agent.wav")
	})
	t.Run("a file that isn't there", func(t *testing.T) {
		p := open(t)
		require.NoError(t, p.Put("2026/agent.wav", body))
		for _, uri := range []string{"customer.wav", "2026/customer.wav", "2025/agent.wav", "2026/agent.wav/below.wav"} {
			missing(t, p, uri)
		}
		require.NoError(t, p.Put("customer.wav", body))
		reads(t, p, "customer.wav")
	})
	t.Run("names that no file can have", func(t *testing.T) {
		p := open(t)
		require.NoError(t, p.Put("2026/agent.wav", body))
		for _, uri := range p.Never {
			_, err := p.Legs.OpenLeg(t.Context(), uri)
			require.ErrorAs(t, err, &permanent, uri)
			require.NotErrorIs(t, err, fs.ErrNotExist, uri)
		}
	})
	t.Run("a directory's own", func(t *testing.T) {
		p := open(t)
		below, ok := p.Legs.(legBelowOpener)
		if !ok {
			require.Empty(t, p.NeverBelow, "it is no recording.LegBelowOpener")
			return // its names lead nowhere else
		}
		require.NoError(t, p.Put("2026/agent.wav", body))
		require.NoError(t, p.Put("2026/11/agent.wav", body))
		require.NoError(t, p.Put("20261/agent.wav", body))
		for dir, uri := range map[string]string{"2026": "2026/agent.wav", "2026/11": "2026/11/agent.wav"} {
			r, err := below.OpenLegBelow(t.Context(), dir, uri)
			require.NoError(t, err)
			require.NoError(t, r.Close())
		}
		for dir, uri := range map[string]string{"2026": "2026/customer.wav", "2025": "2025/agent.wav"} {
			_, err := below.OpenLegBelow(t.Context(), dir, uri)
			require.ErrorIs(t, err, fs.ErrNotExist, uri)
			require.NotErrorAs(t, err, &permanent, uri)
		}
		for _, uri := range append([]string{"20261/agent.wav", "2026", "agent.wav", "2026/../20261/agent.wav"}, p.NeverBelow...) {
			_, err := below.OpenLegBelow(t.Context(), "2026", uri)
			require.ErrorAs(t, err, &permanent, uri)
			require.NotErrorIs(t, err, fs.ErrNotExist, uri)
		}
	})
	for name := range open(t).Away {
		t.Run("away: "+name, func(t *testing.T) {
			p := open(t)
			require.NoError(t, p.Put("2026/agent.wav", body))
			missing(t, p, "2026/customer.wav")
			back, err := p.Away[name]()
			require.NoError(t, err)
			for _, uri := range []string{"2026/agent.wav", "2026/customer.wav"} {
				for range 2 {
					_, err := p.Legs.OpenLeg(t.Context(), uri)
					require.Error(t, err, uri)
					require.NotErrorIs(t, err, fs.ErrNotExist, "%s isn't missing: nobody could look", uri)
					require.NotErrorAs(t, err, &permanent, uri)
				}
			}
			require.NoError(t, back())
			reads(t, p, "2026/agent.wav")
			missing(t, p, "2026/customer.wav")
		})
	}
}
