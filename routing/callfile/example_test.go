package callfile_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/routing/callfile"
)

func ExampleEach() {
	file := strings.NewReader(`{"tenant":"acme","call_id":"c-1","to":"+493012345678","at":"2026-03-02T10:00:00Z","duration_s":61.5}
{"tenant":"acme"}
`)
	stats, err := callfile.Each(context.Background(), file, &callfile.Options{Workers: 1}, func(_ int, calls []callfile.Call) {
		for i := range calls {
			fmt.Println(calls[i].CallID, calls[i].Billable(3*time.Minute))
		}
	})
	fmt.Println(stats.Calls, stats.Bad, stats.Faults[0], err)
	// Output:
	// c-1 1m2s
	// 1 1 line 2: call_id: is missing; to: is missing; at: is missing <nil>
}
