package task_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/task"
)

// A kind of one's own is a name, a struct, and a function. Whoever enqueues its jobs
// checks them first, and hears of all faults at once.
func ExampleOf() {
	type payload struct {
		Queue   string `json:"queue"`
		Minutes int    `json:"minutes"`
	}
	kinds, err := task.NewKinds(task.Of("remind", func(_ context.Context, j *task.Job, p payload) (any, error) {
		return fmt.Sprintf("%s in %d minutes", p.Queue, p.Minutes), nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(kinds.Check(&ledger.Request{Kind: "remind", Payload: json.RawMessage(`{"queue": 7, "minute": 5}`)}))

	kind, _ := kinds.Of("remind")
	outcome, err := kind.Do(context.Background(), &task.Job{Job: ledger.Job{Payload: json.RawMessage(`{"queue": "sales", "minutes": 5}`)}})
	fmt.Println(string(outcome.Result), err)
	// Output:
	// payload.queue: is 7, must be a string; payload.minute: is not a known field; did you mean minutes?
	// "sales in 5 minutes" <nil>
}
