package callfile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callfile"
)

const full = `{"tenant":"acme","call_id":"c-1","from":"+442079460123","to":"+493012345678","type":"fax","direction":"outbound","priority":3,"emergency":true,` +
	`"trunk":"edge-1","capabilities":["opus","t38"],"metadata":{"plan":"gold"},"at":"2026-03-02T10:00:00.5+01:00","duration_s":61.5,` +
	`"cause":{"q850":16,"text":"bye"}}`

func line(i int) string {
	return fmt.Sprintf(`{"tenant":"acme","call_id":"c-%d","from":"+442079460123","to":"+4930%07d","at":"2026-03-02T10:00:00Z","duration_s":60}`, i, i)
}

func read(t *testing.T, text string, o *callfile.Options) ([]callfile.Call, callfile.Stats) {
	t.Helper()
	var mu sync.Mutex
	var all []callfile.Call
	stats, err := callfile.Each(t.Context(), strings.NewReader(text), o, func(_ int, calls []callfile.Call) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, calls...)
	})
	require.NoError(t, err)
	slices.SortFunc(all, func(a, b callfile.Call) int { return a.Line - b.Line })
	require.Len(t, all, stats.Calls)
	require.Equal(t, stats.Lines, stats.Calls+stats.Bad)
	return all, stats
}

func TestEveryField(t *testing.T) {
	t.Parallel()
	c, ok := callfile.Scan(full)
	require.True(t, ok, "the quick reader knows every field")
	slow, err := callfile.Decode([]byte(full))
	require.NoError(t, err)
	require.Equal(t, slow, c)
	assert.Equal(t, calls.TypeFax, c.Type)
	assert.Equal(t, 62*time.Second, c.Billable(3*time.Minute))
	assert.Equal(t, "gold", c.Metadata["plan"])
	assert.Equal(t, 16, c.Cause.Q850)
	short, err := callfile.Decode([]byte(`{"tenant":"a","call_id":"c","to":"112","at":"2026-03-02T10:00:00Z"}`))
	require.NoError(t, err)
	assert.Equal(t, calls.TypeVoice, short.Type)
	assert.Equal(t, 3*time.Minute, short.Billable(3*time.Minute))
}

// TestManyLines has enough of them for many blocks, and odd ones between.
func TestManyLines(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\xef\xbb\xbf")
	const n = 20_000
	for i := range n {
		switch i {
		case 5000:
			b.WriteString("\n")
		case 6000:
			b.WriteString(`{"tenant":"\u0061cme", "call_id":"c-6000" , "from":"é","to":"112","at":"2026-03-02T10:00:00Z"}` + "\r\n")
		case 7000:
			b.WriteString("nonsense\n")
		case 8000:
			b.WriteString(strings.Repeat("x", 1<<20) + "\n")
		case 9000:
			b.WriteString(strings.Repeat("y", 100_000) + "\n")
		default:
			b.WriteString(line(i) + "\n")
		}
	}
	b.WriteString(line(n)) // without an end
	for _, workers := range []int{1, 3} {
		calls, stats := read(t, b.String(), &callfile.Options{Workers: workers})
		assert.Equal(t, n, stats.Lines)
		assert.Equal(t, 3, stats.Bad)
		for _, c := range calls {
			require.Equal(t, fmt.Sprintf("c-%d", c.Line-1), string(c.CallID))
		}
		require.Len(t, stats.Faults, 3)
		assert.Equal(t, 7001, stats.Faults[0].Line)
		assert.Contains(t, stats.Faults[0].Message, "malformed JSON")
		assert.Equal(t, callfile.Fault{Line: 8001, Message: "is longer than 65536 bytes"}, stats.Faults[1])
		assert.Equal(t, callfile.Fault{Line: 9001, Message: "is longer than 65536 bytes"}, stats.Faults[2])
	}
}

// Lines may be what the service says of its calls.
func TestCallRecords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	r := calls.Call{
		ID: "c-1", TenantID: "acme", State: calls.Ended, Type: calls.TypeVoice, Direction: calls.Outbound,
		From: calls.Party{Number: "+442079460123"}, To: calls.Party{Number: "+493012345678", Raw: "030 12345678"}, Trunk: "edge-1",
		Metadata: map[string]string{"plan": "gold"}, CreatedAt: at, AnsweredAt: at.Add(time.Second), EndedAt: at.Add(62500 * time.Millisecond),
		Cause: &calls.Cause{Q850: 16},
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	c, err := callfile.Decode(b)
	require.NoError(t, err)
	assert.Equal(t, r.Request(at), c.Request)
	assert.Equal(t, 61500*time.Millisecond, c.Length)
	r.AnsweredAt, r.State = time.Time{}, calls.Failed
	b, err = json.Marshal(r)
	require.NoError(t, err)
	c, err = callfile.Decode(b)
	require.NoError(t, err)
	assert.Zero(t, c.Length)

	calls, stats := read(t, strings.Replace(line(3), `"tenant"`, `"tenant_id"`, 1), nil)
	require.Zero(t, stats.Bad)
	again, _ := read(t, line(3), nil)
	assert.Equal(t, again, calls)
	_, stats = read(t, strings.Replace(line(3), `{`, `{"tenant_id":"b",`, 1), nil)
	assert.Contains(t, stats.Faults[0].Message, "tenant_id: is given, and tenant, too")
}

func TestBadLinesAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                     "call_id: is missing; to: is missing; at: is missing",
		line(1) + ` {}`:          "more than one JSON value",
		line(1)[:20]:             "ends too early",
		`{"too":"x"}`:            "too: is not a known field",
		`{"tenant":1}`:           "tenant: is 1, must be",
		`{"to":"1","to":"2"}`:    "to: is given twice",
		`[]`:                     "must be an object",
		`{"at":"yesterday"}`:     "is not a time",
		`{"duration_s":-1}`:      "duration_s: must be 0 to",
		`{"duration_s":9999999}`: "duration_s: must be 0 to",
		`{"type":"carrier","at":"2026-03-02T10:00:00Z","to":"1","call_id":"a","tenant":"a"}`: `type: "carrier" is not one of`,
		`{"at":"2026-03-02T10:00:00Z","to":"1","call_id":"a"}`:                               "tenant: ",
	} {
		_, stats := read(t, text, nil)
		require.Equal(t, 1, stats.Bad, text)
		assert.Contains(t, stats.Faults[0].Message, want, text)
	}
	_, stats := read(t, strings.Repeat("{}\n", 5000), &callfile.Options{MaxFaults: 7})
	assert.Equal(t, 5000, stats.Bad)
	require.Len(t, stats.Faults, 7)
	assert.Equal(t, 7, stats.Faults[6].Line)
}

func TestReaderThatFails(t *testing.T) {
	t.Parallel()
	_, err := callfile.Each(t.Context(), iotest.ErrReader(errors.New("gone")), nil, func(int, []callfile.Call) {})
	require.ErrorContains(t, err, "gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = callfile.Each(ctx, strings.NewReader(strings.Repeat(line(1)+"\n", 20_000)), &callfile.Options{Workers: 1}, func(int, []callfile.Call) {})
	if err != nil { // it may be done before it looks
		require.ErrorContains(t, err, "enough")
	}
	calls, _ := read(t, line(1)+"\n"+line(2), nil)
	require.Len(t, calls, 2)
	n := 0
	_, err = callfile.Each(t.Context(), iotest.OneByteReader(strings.NewReader(line(1)+"\n\n"+line(2))), nil,
		func(_ int, calls []callfile.Call) { n += len(calls) })
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// FuzzLine holds the quick reader against the strict one: what it takes, it
// takes the same way.
func FuzzLine(f *testing.F) {
	f.Add(full)
	f.Add(line(1))
	f.Add(`{"tenant":"a","call_id":"b","to":"1","at":"2026-03-02T10:00:00Z","metadata":{},"capabilities":[],"cause":{},"duration_s":0}`)
	f.Add(`{ "tenant" : "a" , "priority" : 09 }`)
	f.Fuzz(func(t *testing.T, s string) {
		quick, ok := callfile.Scan(s)
		slow, err := callfile.Decode([]byte(s))
		if ok {
			require.NoError(t, err)
			require.Equal(t, slow, quick)
		}
	})
}

// FuzzEach reads any text, and counts every line once.
func FuzzEach(f *testing.F) {
	f.Add([]byte(line(1)+"\n{}\n\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, maxLine int) {
		n := 0
		stats, err := callfile.Each(t.Context(), strings.NewReader(string(data)), &callfile.Options{Workers: 1, MaxLine: maxLine},
			func(_ int, c []callfile.Call) { n += len(c) })
		require.NoError(t, err)
		require.Equal(t, stats.Lines, n+stats.Bad)
	})
}

func BenchmarkScan(b *testing.B) {
	s := line(1234567)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := callfile.Scan(s); !ok {
			b.Fatal(s)
		}
	}
}
