//go:build unix

package recording

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

const (
	peersEnv   = "SWITCHTAPE_PEERS"     // runs the comparison
	libraryEnv = "SWITCHTAPE_PEERS_JOB" // in a process that the comparison starts: what to make
)

// peerJob is one row of the comparison. %a, %b and %o are the legs and the
// recording.
type peerJob struct {
	name   string
	layout record.Layout
	codec  record.Codec
	rate   int
	ffmpeg string // after the common part
	sox    string
}

// TestComparePeers measures whole commands over an hour of two 8 kHz legs on
// disk, in turns within one run: the median of five of their processor time,
// user and system. It prints Markdown. It only runs if SWITCHTAPE_PEERS=1, and
// runs again in each process that is the library.
func TestComparePeers(t *testing.T) {
	if job := strings.Fields(os.Getenv(libraryEnv)); len(job) > 0 {
		libraryJob(t, job)
		return
	}
	if os.Getenv(peersEnv) != "1" {
		t.Skip("SKIPPED: takes minutes: set " + peersEnv + "=1")
	}
	for _, tool := range []string{"ffmpeg", "sox"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "install Debian's packages ffmpeg and sox")
	}
	const seconds, runs = 3600, 5
	dir := t.TempDir()
	a, b, o := filepath.Join(dir, "a.wav"), filepath.Join(dir, "b.wav"), filepath.Join(dir, "o.wav")
	require.NoError(t, os.WriteFile(a, leg(t, seconds, 1), 0o600))
	require.NoError(t, os.WriteFile(b, leg(t, seconds, 2), 0o600))
	switchtape := filepath.Join(dir, "switchtape")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", switchtape, "../../cmd/switchtape").CombinedOutput()
	require.NoError(t, err, "%s", out)

	const ff = "ffmpeg -nostdin -v error -y -threads 1 -filter_threads 1 -filter_complex_threads 1 -i %a -i %b "
	var table strings.Builder
	table.WriteString("| CPU s per hour of call | library, file to file | `switchtape record` | ffmpeg | sox | best peer ÷ library | ÷ command |\n|---|---|---|---|---|---|---|\n")
	for _, job := range []peerJob{
		{
			"WAV merge, 2 channels", record.LayoutStereo, record.CodecWAV, 0,
			"-filter_complex amerge=inputs=2 -c:a pcm_s16le %o", "sox -M %a %b %o",
		},
		{
			"WAV mix", record.LayoutMono, record.CodecWAV, 0,
			"-filter_complex amix=inputs=2:normalize=0 -c:a pcm_s16le %o", "sox -m %a %b %o",
		},
		{
			"µ-law mix", record.LayoutMono, record.CodecMulaw, 0,
			"-filter_complex amix=inputs=2:normalize=0 -c:a pcm_mulaw %o", "sox -m %a %b -e mu-law %o",
		},
		{
			"WAV merge at 16 kHz", record.LayoutStereo, record.CodecWAV, 16000,
			"-filter_complex amerge=inputs=2,aresample=16000 -c:a pcm_s16le %o", "sox -M %a %b -r 16000 %o",
		},
		{
			"WAV mix at 16 kHz", record.LayoutMono, record.CodecWAV, 16000,
			"-filter_complex amix=inputs=2:normalize=0,aresample=16000 -c:a pcm_s16le %o", "sox -m %a %b -r 16000 %o",
		},
	} {
		args := func(command string) []string {
			return strings.Fields(strings.NewReplacer("%a", a, "%b", b, "%o", o).Replace(command))
		}
		spec := fmt.Sprintf("%s %s %d %%a %%b %%o", job.layout, job.codec, job.rate)
		commands := []*peer{
			{args: []string{os.Args[0], "-test.run=^TestComparePeers$"}, env: libraryEnv + "=" + strings.Join(args(spec), " ")},
			{args: args(fmt.Sprintf("%s record --leg a=%%a --leg b=%%b --layout %s --codec %s --rate %d --out %%o",
				switchtape, job.layout, job.codec, job.rate))},
			{args: args(ff + job.ffmpeg)},
			{args: args(job.sox)},
		}
		for range runs {
			for _, c := range commands {
				require.NoError(t, os.RemoveAll(o))
				c.run(t)
			}
		}
		best := min(commands[2].median(), commands[3].median())
		fmt.Fprintf(&table, "| %s | %.3f | %.3f | %.3f | %.3f | %.1f | %.1f |\n", job.name,
			commands[0].median(), commands[1].median(), commands[2].median(), commands[3].median(),
			best/commands[0].median(), best/commands[1].median())
	}
	t.Logf("medians of %d, GOMAXPROCS=1:\n%s", runs, table.String())
}

type peer struct {
	args    []string
	env     string
	seconds []float64
}

func (p *peer) run(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.args[0], p.args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", p.env)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Run(), "%v: %s", p.args, said.String())
	p.seconds = append(p.seconds, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
}

func (p *peer) median() float64 {
	slices.Sort(p.seconds)
	return p.seconds[len(p.seconds)/2]
}

// libraryJob is a program that makes one recording from files to a file by the
// library alone.
func libraryJob(t *testing.T, job []string) {
	t.Helper()
	require.Len(t, job, 6)
	rate, err := strconv.Atoi(job[2])
	require.NoError(t, err)
	dir, err := os.OpenRoot(filepath.Dir(job[3]))
	require.NoError(t, err)
	_, err = recording.NewProcessor(osLegs{dir}, osFile(job[5]), nil).Process(t.Context(), record.Spec{
		NoManifest: true, // there is one file for everything that is put
		TenantID:   "t", CallID: "c", RecordingID: "r", StartedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Legs: []record.LegSpec{
			{Name: "a", Segments: []record.SegmentSpec{{URI: filepath.Base(job[3])}}},
			{Name: "b", Segments: []record.SegmentSpec{{URI: filepath.Base(job[4])}}},
		},
		Outputs: []record.OutputSpec{{
			Layout: record.Layout(job[0]), Codec: record.Codec(job[1]), SampleRateHz: rate,
		}},
	}, nil)
	require.NoError(t, err)
}

type osLegs struct{ dir *os.Root }

func (o osLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) { return o.dir.Open(uri) }

// osFile puts every object into one file.
type osFile string

func (o osFile) Put(
	_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error,
) (record.ObjectInfo, error) {
	f, err := os.Create(string(o))
	if err != nil {
		return record.ObjectInfo{}, err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{Key: key}, f.Close()
}
