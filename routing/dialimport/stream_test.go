package dialimport_test

import (
	"io"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/dialimport"
)

// rowSource makes a deck on the way, so that nothing of it is held but by the
// import.
type rowSource struct {
	n, rows int
	row     func(b []byte, i int) []byte
	buf     []byte
}

func (s *rowSource) Read(p []byte) (int, error) {
	for len(s.buf) < len(p) && s.n < s.rows {
		s.buf = s.row(s.buf, s.n)
		s.n++
	}
	n := copy(p, s.buf)
	s.buf = append(s.buf[:0], s.buf[n:]...)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func deckRows(b []byte, i int) []byte {
	if i == 0 {
		return append(b, "code,rate,increments,from\n"...)
	}
	b = append(strconv.AppendInt(b, int64(10_000_000+i), 10), ",0.0"...)
	return append(strconv.AppendInt(b, int64(100+i%899), 10), ",60/60,2026-01-01\n"...)
}

func badRows(b []byte, i int) []byte {
	if i == 0 {
		return append(b, "code,rate,increments,from\n49,1,,\n"...)
	}
	return append(strconv.AppendInt(b, int64(i), 10), ",free of charge for those who ask,,\n"...)
}

// What is skipped is counted, not kept: memory doesn't grow with it.
func TestMemoryIsThatOfTheResult(t *testing.T) {
	measure := func(rows int) uint64 {
		out := mustImport(t, dialimport.CSV, &dialimport.Options{Currency: "EUR"}, dialimport.Source{Name: "x.csv", R: &rowSource{rows: rows, row: badRows}})
		require.Equal(t, rows-1, out.Report.Skipped.Count)
		require.Len(t, out.Report.Skipped.List, dialimport.MaxNotes)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(out)
		return m.HeapAlloc
	}
	few, many := measure(2_000), measure(200_000)
	require.Less(t, many, few+1<<20)
}

func BenchmarkDeck(b *testing.B) {
	const rows = 1_000_000
	b.ReportAllocs()
	for b.Loop() {
		out, err := dialimport.Import(dialimport.CSV, []dialimport.Source{{Name: "x.csv", R: &rowSource{rows: rows + 1, row: deckRows}}},
			&dialimport.Options{Currency: "EUR"})
		if err != nil || len(out.Rules.Rates["x"]) != rows {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

func droutingRows(b []byte, i int) []byte {
	if i == 0 {
		return append(b, "INSERT INTO dr_gateways (gwid,address,pri_prefix) VALUES ('a','a.example','00'),('b','b.example','00');\n"+
			"CREATE TABLE dr_rules (ruleid int, groupid text, prefix text, timerec text, priority int, gwlist text);\n"...)
	}
	b = append(strconv.AppendInt(append(b, "INSERT INTO dr_rules VALUES ("...), int64(i), 10), ",'1','"...)
	return append(strconv.AppendInt(b, int64(10_000_000+i), 10), "',NULL,0,'a,b');\n"...)
}

func BenchmarkDrouting(b *testing.B) {
	const rows = 200_000
	b.ReportAllocs()
	for b.Loop() {
		out, err := dialimport.Import(dialimport.OpenSIPS, []dialimport.Source{{Name: "x.sql", R: &rowSource{rows: rows + 1, row: droutingRows}}}, nil)
		if err != nil || len(out.Rules.Rules) != rows {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
