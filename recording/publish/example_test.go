package publish_test

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/publish"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// printed is a topic that prints what it gets, and ends what waits for it.
type printed struct{ done context.CancelFunc }

func (p printed) Send(_ context.Context, m *broker.Outgoing) error {
	fmt.Println(m.Subject, m.Headers[broker.HeaderSubject])
	p.done()
	return nil
}

func (printed) Close(context.Context) error { return nil }

func Example() {
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	store := memdb.New(nil)
	if _, _, err := store.Enqueue(ctx, storetest.Request("call-1")); err != nil {
		fmt.Println(err)
		return
	}
	leases, err := store.Claim(ctx, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Complete(ctx, leases[0], storetest.Completed("call-1")); err != nil {
		fmt.Println(err)
		return
	}
	if err := publish.New(store, "events", printed{done}, "standard output", publish.Options{Holder: "example"}).Run(ctx); err != nil {
		fmt.Println(err)
	}
	place, err := store.OutboxPlace(context.Background(), "events")
	fmt.Println(place.Through, err)
	// Output:
	// recording.completed call-1
	// 1 <nil>
}
