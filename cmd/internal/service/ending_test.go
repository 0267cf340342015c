package service_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/service"
)

// TestDrained: a process that is told to end is not ready at once, closes connections with
// its answers, and goes on for as long as it was told to.
func TestDrained(t *testing.T) {
	t.Parallel()
	for _, while := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			told, tell := context.WithCancel(t.Context())
			defer tell()
			ctx, ending, cancel := service.Drained(told, while, slog.New(slog.DiscardHandler))
			defer cancel()
			check := ending.Check()
			h := ending.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			answer := func() string {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
				return w.Header().Get("Connection")
			}
			require.NoError(t, check.Check(t.Context()))
			assert.Empty(t, answer())
			tell()
			synctest.Wait()
			require.ErrorContains(t, check.Check(t.Context()), "told to end")
			assert.Equal(t, "close", answer())
			if while > 0 {
				time.Sleep(while - time.Nanosecond)
				synctest.Wait()
				require.NoError(t, ctx.Err())
				time.Sleep(time.Nanosecond)
				synctest.Wait()
			}
			assert.Error(t, ctx.Err())
		})
	}
}

// TestDrainedGivenUp: what ends by itself waits for nobody.
func TestDrainedGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told, tell := context.WithCancel(t.Context())
		ctx, _, cancel := service.Drained(told, time.Hour, slog.New(slog.DiscardHandler))
		tell()
		synctest.Wait()
		cancel()
		assert.Error(t, ctx.Err())
	})
}
