package spool_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A telephone server has left a call's legs, and has renamed them when they were whole.
func Example() {
	dir, err := os.MkdirTemp("", "spool-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for _, leg := range []string{"1743042317.5-in.wav", "1743042317.5-out.wav"} {
		if err := os.WriteFile(filepath.Join(dir, leg), []byte("RIFF"), 0o600); err != nil {
			fmt.Println(err)
			return
		}
	}

	patterns, err := spool.Patterns("asterisk")
	if err != nil {
		fmt.Println(err)
		return
	}
	db := memdb.New(nil)
	s, err := spool.New(dir, db, &spool.Options{
		Patterns: patterns, Tenant: "acme", Renamed: true,
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.Sweep(ctx); err != nil { // Run does so again and again
		fmt.Println(err)
		return
	}
	jobs, err := db.Jobs(ctx, ledger.Filter{TenantID: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range jobs {
		spec, _ := record.SpecOf(&jobs[i])
		fmt.Println(spec.CallID, spec.Legs[0].Segments[0].URI, spec.Legs[1].Segments[0].URI, spec.Outputs[0].Layout)
	}
	// Output: 1743042317.5 1743042317.5-in.wav 1743042317.5-out.wav stereo
}

// What a name tells.
func ExamplePattern_Match() {
	p, err := spool.ParsePattern("{dirs}{call}_{leg:agent|customer}_{time:2006-01-02-15-04-05}.{ext}")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, ok := p.Match("2026/Gespräch 5_AGENT_2026-11-29-10-00-00.wav", time.UTC)
	fmt.Println(ok, n.Call, n.Leg, n.Start)
	// Output: true Gespräch 5 agent 2026-11-29 10:00:00 +0000 UTC
}

// How the files of an archive are named is learned from the names.
func ExampleLearn() {
	fmt.Println(spool.Learn([]string{"1/a-in.wav", "1/a-out.wav", "2/b-in.wav", "2/b-out.wav"}, time.UTC))
	// Output: asterisk
}
