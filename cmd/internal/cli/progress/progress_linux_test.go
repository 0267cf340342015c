package progress_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/clitest"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
)

// Where there is no terminal nothing is drawn.
func TestNothingIsDrawnElsewhere(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	for _, b := range []*progress.Bar{progress.New(cli.Streams{Out: &out, Err: &errs}, "reading", progress.Bytes, 100), {}} {
		n, err := io.Copy(b.Writer(io.Discard), b.Reader(strings.NewReader("some text")))
		require.NoError(t, err)
		assert.EqualValues(t, 9, n)
		b.Add(1)
		b.Set(2, 3)
		b.Step("a step")
		b.Done()
	}
	assert.Zero(t, out.Len()+errs.Len())
}

// On a terminal there are how much is done, how fast it goes and how long the rest takes,
// and nothing of it when all is done.
func TestWhatIsDrawn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unit  string
		total int64
		want  []string
		not   []string
	}{
		"of so many":       {"calls", 1000, []string{" calls/", "/1000", "%"}, nil},
		"of unknown many":  {"objects", progress.Unknown, []string{"objects/"}, []string{"%"}},
		"bytes":            {progress.Bytes, 1000, []string{"B/s", "%", "s]"}, nil},
		"bytes of unknown": {progress.Bytes, progress.Unknown, []string{"B/s"}, []string{"%"}},
		"steps":            {"", 1000, []string{"%"}, []string{"/s", "/1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tty, screen, closed := clitest.Terminal(t)
			b := progress.New(cli.Streams{Out: io.Discard, Err: tty}, "work", c.unit, c.total)
			done := int64(0)
			drawn := func() bool {
				done += 7
				b.Set(done, c.total)
				for _, part := range c.want {
					if !strings.Contains(screen.String(), part) {
						return false
					}
				}
				return strings.Contains(screen.String(), "work")
			}
			require.Eventually(t, drawn, 10*time.Second, 120*time.Millisecond)
			b.Done()
			closed()
			for _, part := range c.not {
				assert.NotContains(t, screen.String(), part)
			}
			lines := strings.Split(screen.String(), "\r")
			assert.Empty(t, strings.TrimSpace(lines[len(lines)-1]), "it is taken away")
		})
	}
}

// Several may count at once.
func TestSeveralCountAtOnce(t *testing.T) {
	t.Parallel()
	tty, _, _ := clitest.Terminal(t)
	b := progress.New(cli.Streams{Out: io.Discard, Err: tty}, "work", "objects", progress.Unknown)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				b.Add(1)
			}
		})
	}
	all.Wait()
	b.Done()
}

// Where there is nothing to do there is nothing to see, and nothing goes wrong.
func TestNothingToDo(t *testing.T) {
	t.Parallel()
	tty, screen, closed := clitest.Terminal(t)
	b := progress.New(cli.Streams{Out: io.Discard, Err: tty}, "work", "calls", 0)
	b.Set(0, 0)
	b.Add(1)
	b.Done()
	b.Done()
	closed()
	assert.NotContains(t, screen.String(), "NaN")
}
