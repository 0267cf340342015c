package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A recording that is made is told to the webhook of its tenant.
func Example() {
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	told := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body[:28])
	}))
	defer receiver.Close()

	db := memdb.New(nil)
	_, err := db.CreateWebhook(ctx, webhooks.New{ID: webhooks.NewID(), TenantID: "acme", URL: receiver.URL, Events: []string{"recording.*"}, Secret: webhooks.NewSecret()})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, _ = db.Enqueue(ctx, storetest.Request("c1"))
	leases, _ := db.Claim(ctx, ledger.Claim{Worker: "w", TTL: time.Minute})
	_ = db.Complete(ctx, leases[0], storetest.Completed("c1"))

	d := webhook.New(db, webhook.Options{
		Holder: "this process", Poll: 10 * time.Millisecond,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	})
	running, stop := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- d.Run(running) }()
	fmt.Println(<-told)
	stop()
	fmt.Println(<-done)
	// Output:
	// {"type":"recording.completed
	// <nil>
}
