package intake_test

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// one is a subscription with one message, as a driver of one's own might begin.
type one chan *broker.Message

func (o one) Receive(ctx context.Context) (*broker.Message, error) {
	select {
	case m := <-o:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (one) Close(context.Context) error { return nil }

// told says what became of a message, and ends what waits for it.
type told struct{ done context.CancelFunc }

func (t told) Ack(context.Context) error {
	fmt.Println("acknowledged")
	t.done()
	return nil
}

func (told) Nack(context.Context, time.Duration) error { return nil }

func (told) Extend(context.Context) error { return nil }

func Example() {
	ctx, done := context.WithCancel(context.Background())
	messages := make(one, 1)
	messages <- &broker.Message{ID: "m1", Receipt: told{done}, Body: []byte(`{"call_id": "call-1", "recording_id": "call-1",
		"started_at": "2026-03-01T10:20:30Z", "legs": [{"name": "agent", "segments": [{"uri": "call-1/agent.wav"}]}],
		"outputs": [{"codec": "wav", "layout": "mono"}]}`)}

	jobs := memdb.New(nil)
	in, err := intake.New(jobs, jobs, intake.NewDoor(intake.Checks{}, task.Kinds{}),
		intake.Source{Name: "example", Subscription: messages, Tenants: intake.Tenants{One: "acme"}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := in.Run(ctx); err != nil {
		fmt.Println(err)
	}
	all, err := jobs.Jobs(context.Background(), ledger.Filter{})
	fmt.Println(len(all), all[0].Key, all[0].TenantID, err)
	// Output:
	// acknowledged
	// 1 call-1 acme <nil>
}

func ExampleDoor() {
	door := intake.NewDoor(intake.Checks{}, task.Kinds{})
	_, err := door.Read(context.Background(), "", "acme", []byte(`{"call_id": "call-1", "recording_id": "call-1", "started_at": "2026-03-01T10:20:30Z", "leg": []}`), "example")
	fmt.Println(err)
	// Output:
	// leg: is not a known field; did you mean legs?; legs: must be 1 to 32, are 0; outputs: must be 1 to 16, are 0
}
